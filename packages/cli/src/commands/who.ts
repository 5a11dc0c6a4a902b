/**
 * `dinghy who KIND/NAME .spec.replicas`: every write that gave a field another value, and who owns the field now.
 */

import type { Command } from 'commander'
import { bold, cyan, dim } from '@dinghy/clients/command-line/colors'
import { UsageError } from '@dinghy/clients/command-line/command'
import { type ChangeSeen, renderValues } from './history.ts'
import { askAbout, clock, objectCommand, type ObjectOptions } from './object-history.ts'

/** As GET /debug/who returns it. */
export interface FieldSeen {
  value?: unknown
  owners: { manager: string; operation: string; subresource?: string; time?: string }[]
  /** The newest first. */
  writes: (Omit<ChangeSeen, 'path'> & { revision: number; actor: string; cause?: number; at: string; verb: string })[]
}

export function who(): Command {
  const examples = [
    'dinghy who deploy/web .spec.replicas',
    "dinghy who pod/web-7f9c-x2x4q '.spec.containers[0].image'",
    'dinghy who pod/web-7f9c-x2x4q ".metadata.labels[\'app.kubernetes.io/name\']"',
  ]
  return objectCommand('who', examples, run)
    .argument('[field]', 'its path, as in a manifest')
    .description('Who set a field of an object: each write that changed it, the newest first, and who owns it now.')
}

async function run(options: ObjectOptions, words: string[]): Promise<number> {
  const field = words.at(-1)
  if (words.length < 2 || !field)
    throw new UsageError('name an object and a field: dinghy who deploy/web .spec.replicas')
  const story = await askAbout<FieldSeen>('/debug/who', options, words.slice(0, -1), { field })
  const { columns } = process.stdout
  console.log(options.output === 'json' ? JSON.stringify(story, null, 2) : renderField(field, story, columns))
  return 0
}

/** Pure. */
export function renderField(field: string, { value, owners, writes }: FieldSeen, columns = Infinity): string {
  const now = value === undefined ? `${bold(field)} is not set` : `${bold(field)} is ${JSON.stringify(value)}`
  const owned = owners.map(({ manager, operation, subresource }) => {
    const through = subresource ? `, through ${subresource}` : ''
    return `owned by ${cyan(manager)} ${dim(`(${operation}${through})`)}`
  })
  const told = writes.map(({ revision, actor, cause, at, verb, ...values }) => {
    const because = cause === undefined ? '' : dim(` because of r${cause}`)
    const head = `${bold(`r${revision}`.padEnd(6))} ${dim(clock(at))} ${verb} by ${cyan(actor)}${because}`
    return `${head}${renderValues(values, columns)}`
  })
  const heading = writes.length === 0 ? 'no write that is still known changed it' : 'newest first'
  return [now, ...owned, dim(heading), ...told].join('\n')
}
