/**
 * `kubectl logs`: a container's output, straight from the API server's stream.
 */

import { pipeline } from 'node:stream/promises'
import { Pods, resourcePath } from '@dinghy/shared/api/resources'
import { labelSelectorFrom, selectorToString } from '@dinghy/shared/api/selectors'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Verb } from './verb.ts'
import { oneTarget } from './targets.ts'

export const logs: Verb = {
  words: 'POD|KIND/NAME',
  summary: 'Show what the containers of a pod have printed.',
  flags: {
    container: { type: 'string', short: 'c', value: 'name', help: 'which container of the pod' },
    follow: { type: 'boolean', short: 'f', help: 'go on as the log grows' },
    previous: { type: 'boolean', short: 'p', help: 'of the container before its restart' },
    timestamps: { type: 'boolean', help: 'put its time before each line' },
    tail: { type: 'string', value: 'n', help: 'only the last lines' },
    since: { type: 'string', value: 'time', help: 'only what is younger' },
  },
  async run({ client, namespace, flags, args, signal }) {
    const name = await podOf(client, namespace, args)
    const query = new URLSearchParams()
    if (flags['container'] ?? args[1]) query.set('container', String(flags['container'] ?? args[1]))
    for (const flag of ['follow', 'previous', 'timestamps']) if (flags[flag]) query.set(flag, 'true')
    if (flags['tail'] !== undefined) query.set('tailLines', String(flags['tail']))
    if (flags['since'] !== undefined) query.set('sinceSeconds', String(seconds(String(flags['since']))))
    const path = `${resourcePath(Pods, namespace, name, 'log')}?${query}`
    const response = await client.raw('GET', path, undefined, {}, signal)
    await pipeline(response.body, process.stdout, { end: false, signal }).catch((error: Error) => {
      // Ctrl-C is how people leave -f.
      if (!signal.aborted) throw error
    })
    return 0
  },
}

// `deploy/web` means one of its pods: the first, as the real kubectl takes it.
async function podOf(client: ApiClient, namespace: string, args: string[]): Promise<string> {
  const target = await oneTarget(client, args.slice(0, 1), 'pods')
  if (target.resource.plural === 'pods') return target.name
  const owner = (await client.get(target.resource, { namespace, name: target.name })) as KubernetesObject & {
    spec?: { selector?: { matchLabels?: Record<string, string> } }
  }
  const labelSelector = selectorToString(labelSelectorFrom(owner.spec?.selector))
  const { items } = await client.list(Pods, { namespace, labelSelector })
  const [first] = items
  if (!first) throw new Error(`no pods of ${args[0]}`)
  if (items.length > 1) console.error(`Found ${items.length} pods, using pod/${first.metadata.name}`)
  return first.metadata.name
}

/** "90s", "5m", "1h30m" in seconds. */
export function seconds(text: string): number {
  const units: Record<string, number> = { h: 3600, m: 60, s: 1 }
  const parts = [...text.matchAll(/(\d+)([hms])/g)]
  if (parts.map(([part]) => part).join('') !== text || text === '')
    throw new Error(`"${text}" is no duration, such as 5m`)
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ''] ?? 0), 0)
}
