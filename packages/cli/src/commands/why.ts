/**
 * `dinghy why KIND/NAME` walks the chain of writes that led to an object; `dinghy history KIND/NAME` lists its own.
 * Every write in the store knows who made it and which earlier write caused it (see ARCHITECTURE.md, "Causality").
 */

import { existsSync } from 'node:fs'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { readJson } from '@dinghy/shared/http/client'
import { loadKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { bold, cyan, dim } from '@dinghy/clients/command-line/colors'
import { NotRunning } from '../supervisor/control-server.ts'
import { resolveResource } from '@dinghy/clients/kubectl/resources'
import { clusterFlags, stateOf } from './command.ts'
import { type Command, type Flags, UsageError } from '@dinghy/clients/command-line/command'

/** One write, as GET /debug/why returns it: the object's own last write first, its causes after it. */
export interface Write {
  revision: number
  kind: string
  namespace?: string
  name: string
  verb: 'create' | 'update' | 'delete'
  actor: string
  cause?: number
  at: string
  summary?: string
}

interface Revision {
  revision: number
  actor: string
  cause?: number
  at: string
  verb: string
  changed: string[]
}

const flags = {
  ...clusterFlags,
  namespace: { type: 'string', short: 'n' },
  output: { type: 'string', short: 'o' },
} as const

export const why: Command = {
  usage: 'why KIND/NAME [-n NAMESPACE] [-o json] [--cluster NAME] [--state-dir DIR]',
  summary: 'the chain of writes that led to an object',
  flags,
  words: 2,
  async run(flags, args) {
    const { chain } = await ask<{ chain: Write[] }>('/debug/why', flags, args)
    console.log(flags['output'] === 'json' ? JSON.stringify(chain, null, 2) : renderChain(chain))
    return 0
  },
}

export const history: Command = {
  usage: 'history KIND/NAME [-n NAMESPACE] [-o json] [--cluster NAME] [--state-dir DIR]',
  summary: 'every revision of an object: who wrote what, when, and why',
  flags,
  words: 2,
  async run(flags, args) {
    const { revisions } = await ask<{ revisions: Revision[] }>('/debug/history', flags, args)
    console.log(flags['output'] === 'json' ? JSON.stringify(revisions, null, 2) : renderHistory(revisions))
    return 0
  },
}

async function ask<T>(path: string, flags: Flags, args: string[]): Promise<T> {
  const [kind, name] = args.length === 2 ? args : (args[0]?.split('/') ?? [])
  if (!kind || !name) throw new UsageError('name an object as KIND/NAME, for instance pod/web-7f9c-x2x4q')
  const state = stateOf(flags)
  if (!existsSync(state.kubeconfig)) throw new NotRunning(state)
  const { server } = loadKubeconfig(state.kubeconfig)
  const client = new ApiClient({ server, userAgent: 'dinghy-why' })
  const resource = await resolveResource(client, kind)
  const query = new URLSearchParams({ group: resource.group, resource: resource.plural, name })
  if (resource.namespaced) query.set('namespace', (flags['namespace'] as string | undefined) ?? 'default')
  return readJson<T>(await client.raw('GET', `${path}?${query}`))
}

/** The chain as people read it: the last write on top, each cause below what it caused. Pure. */
export function renderChain(chain: Write[]): string {
  const lines = chain.map((write, index) => {
    const what = `${write.kind.toLowerCase()}/${write.name}`
    const arrow = index === 0 ? '  ' : dim('\u21b3 ')
    const indent = '  '.repeat(Math.max(0, index - 1))
    const how = write.summary ? ` ${dim(`(${write.summary})`)}` : ''
    return `${indent}${arrow}${bold(what)} ${verbs[write.verb]} by ${cyan(write.actor)}${how} ${dim(`r${write.revision}  ${clock(write.at)}`)}`
  })
  const last = chain.at(-1)
  if (last?.cause !== undefined)
    lines.push(dim(`${'  '.repeat(chain.length - 1)}\u21b3 r${last.cause}, which has been compacted`))
  return lines.join('\n')
}

const verbs = { create: 'created', update: 'updated', delete: 'deleted' }

export function renderHistory(revisions: Revision[]): string {
  return revisions
    .map(({ revision, actor, cause, at, verb, changed }) => {
      const because = cause === undefined ? '' : dim(` because of r${cause}`)
      // The empty path is the whole object, which its creation and deletion say already.
      const paths = changed.filter((path) => path !== '')
      const fields = paths.slice(0, 6).map((path) => `\n      ${path}`)
      const more = paths.length > 6 ? dim(`\n      and ${paths.length - 6} more`) : ''
      return `${bold(`r${revision}`.padEnd(7))} ${dim(clock(at))} ${verb} by ${cyan(actor)}${because}${fields.join('')}${more}`
    })
    .join('\n')
}

function clock(at: string): string {
  return new Date(at).toISOString().slice(11, 23)
}
