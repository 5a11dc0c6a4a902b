/**
 * `kubectl describe`: an object's fields in reading order, then its events. The real kubectl has a hand-made layout for
 * each kind; this prints every kind by one rule, so that nothing is hidden and new kinds need no code here.
 */

import { Events } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { stringify } from 'yaml'
import type { KubectlContext, Verb } from './verb.ts'
import { alignRows } from '../command-line/table.ts'
import { targetsOf } from './targets.ts'

export const describe: Verb = {
  words: 'KIND [NAME…] | KIND/NAME…',
  summary: 'Show an object with its events.',
  async run(context) {
    const { client, namespace, args, signal } = context
    const targets = await targetsOf(client, args)
    let shown = 0
    for (const { resource, name } of targets) {
      const scope = resource.namespaced ? { namespace } : {}
      const objects = name
        ? [await client.get(resource, { ...scope, name }, {}, signal)]
        : (await client.list(resource, scope, signal)).items
      for (const object of objects) {
        if (shown++ > 0) console.log('\n')
        console.log(renderObject(object))
        console.log(await eventsOf(context, object))
      }
    }
    return 0
  },
}

/** Pure: names and labels first, then spec and status, with the bookkeeping that nobody reads left out. */
function renderObject(object: KubernetesObject & { data?: Record<string, string> }): string {
  const { apiVersion: _version, kind, metadata, ...rest } = object
  const { name, namespace, labels, annotations, creationTimestamp, ownerReferences } = metadata
  const hidden = kind === 'Secret' && rest.data ? { ...rest, data: mapValues(rest.data, bytes) } : rest
  const shown = {
    Name: name,
    ...(namespace ? { Namespace: namespace } : {}),
    ...(labels ? { Labels: labels } : {}),
    ...(annotations ? { Annotations: annotations } : {}),
    Created: creationTimestamp,
    ...(ownerReferences
      ? {
          'Controlled By': ownerReferences.map((owner) => `${owner.kind}/${owner.name}`).join(', '),
        }
      : {}),
    ...hidden,
  }
  return stringify(shown, { lineWidth: 0 }).trimEnd()
}

function bytes(base64: string): string {
  return `${Buffer.from(base64, 'base64').length} bytes`
}

function mapValues<T, U>(record: Record<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

async function eventsOf({ client, signal }: KubectlContext, { kind, metadata }: KubernetesObject): Promise<string> {
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.uid=${metadata.uid}`
  const { items } = await client.list(
    Events,
    { ...(metadata.namespace ? { namespace: metadata.namespace } : {}), fieldSelector },
    signal,
  )
  if (items.length === 0) return 'Events: <none>'
  const sorted = items.toSorted((a, b) => Date.parse(a.lastTimestamp ?? '') - Date.parse(b.lastTimestamp ?? ''))
  const rows = sorted.map((event) => [
    event.type ?? '',
    event.reason ?? '',
    `${(event.lastTimestamp ?? '').slice(11, 19)}${(event.count ?? 1) > 1 ? ` (x${event.count})` : ''}`,
    event.source?.component ?? event.reportingComponent ?? '',
    event.message ?? '',
  ])
  const table = alignRows([['Type', 'Reason', 'Last', 'From', 'Message'], ...rows])
  return `Events:\n${table.replaceAll(/^/gm, '  ')}`
}
