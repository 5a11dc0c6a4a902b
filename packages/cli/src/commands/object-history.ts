/**
 * What `dinghy why`, `history`, `who` and `diff` ask of the API server: the chain of causes of an object, its
 * revisions, who set a field. Every write in the store knows who made it and which earlier write caused it (see
 * ARCHITECTURE.md, "Causality").
 */

import { ApiClient } from '@dinghy/shared/client/api-client'
import { readJson } from '@dinghy/shared/http/client'
import { resolveResource } from '@dinghy/clients/kubectl/resources'
import { statusOfRunning } from '../supervisor/control-client.ts'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'
import { type Command, Option } from 'commander'

export interface ObjectOptions extends ClusterOptions {
  namespace: string
  output: 'text' | 'json'
}

/** A command about one object, named KIND/NAME or KIND NAME. */
export function objectCommand(
  name: string,
  examples: string[],
  run: (options: never, words: string[]) => Promise<number>,
): Command {
  return clusterCommand(name, examples)
    .argument('<kind/name>', 'such as pod/web-7f9c-x2x4q or deploy/web')
    .argument('[name]', 'the name, if the kind stands alone')
    .option('-n, --namespace <name>', 'of the object', 'default')
    .addOption(outputOption())
    .action(exitWith((options, ...words) => run(options, words.filter(Boolean))))
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print it').choices(['text', 'json']).default('text')
}

export async function askAbout<T>(
  path: '/debug/why' | '/debug/history' | '/debug/who',
  options: ObjectOptions,
  words: string[],
  query: Record<string, string> = {},
): Promise<T> {
  const [kind, name] = words.length === 2 ? words : (words[0]?.split('/') ?? [])
  if (!kind || !name) throw new UsageError('name an object as KIND/NAME, for instance pod/web-7f9c-x2x4q')
  const client = await clientOf(options)
  const resource = await resolveResource(client, kind)
  const asked = new URLSearchParams({ group: resource.group, resource: resource.plural, name, ...query })
  if (resource.namespaced) asked.set('namespace', options.namespace)
  return readJson<T>(await client.raw('GET', `${path}?${asked}`))
}

export async function clientOf(options: ClusterOptions): Promise<ApiClient> {
  const state = stateOf(options)
  await statusOfRunning(state)
  return new ApiClient({ server: state.adminUrl, userAgent: 'dinghy-why' })
}

/** The time of day, UTC, as logs have it. */
export function clock(at: string): string {
  return new Date(at).toISOString().slice(11, 23)
}
