/**
 * What differs in a whole cluster between two revisions: object by object, with the values before and after.
 *
 * Leases and Events are left out: they are the heartbeat and the diary of a cluster, they differ always, and their past
 * is compacted much sooner than that of everything else.
 */

import { keyPrefix } from '../registry/object-key.ts'
import type { Resources } from '../registry/resources.ts'
import type { Entry, Storage } from '../storage/storage.ts'
import { type Change, changes } from './changed-paths.ts'

export interface ObjectDiff {
  kind: string
  namespace?: string
  name: string
  /** `replaced`: deleted, and created again under its name. */
  what: 'created' | 'changed' | 'replaced' | 'deleted'
  /** The revision that wrote the newer state; absent for what was deleted. */
  revision?: number
  /** Empty unless `what` is changed or replaced: the rest is a whole object. */
  changes: Change[]
}

const leftOut = new Set([
  keyPrefix({ group: 'coordination.k8s.io', plural: 'leases' }),
  keyPrefix({ group: '', plural: 'events' }),
])

/** In the order of the kinds, then of keys. Throws as storage does if a revision is compacted or in the future. */
export function clusterDiff(storage: Storage, resources: Resources, from: number, to: number): ObjectDiff[] {
  const prefixes = new Set(resources.all().map(({ storage: location }) => keyPrefix(location)))
  return [...prefixes]
    .filter((prefix) => !leftOut.has(prefix))
    .sort()
    .flatMap((prefix) => {
      const before = byKey(storage.list(prefix, { revision: from }).entries)
      const after = byKey(storage.list(prefix, { revision: to }).entries)
      const keys = [...new Set([...before.keys(), ...after.keys()])].sort()
      return keys.flatMap((key) => objectDiff(before.get(key), after.get(key)))
    })
}

function byKey(entries: Entry[]): Map<string, Entry> {
  return new Map(entries.map((entry) => [entry.key, entry]))
}

function objectDiff(before: Entry | undefined, after: Entry | undefined): ObjectDiff[] {
  if (before?.revision === after?.revision) return []
  const newest = after ?? before
  if (!newest) return []
  const { kind, metadata } = newest.object
  const changed = before && after ? changes(before.object, after.object) : []
  if (before && after && changed.length === 0) return []
  return [
    {
      kind,
      ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
      name: metadata.name ?? '',
      what: !before
        ? 'created'
        : !after
          ? 'deleted'
          : before.createRevision === after.createRevision
            ? 'changed'
            : 'replaced',
      ...(after ? { revision: after.revision } : {}),
      changes: changed,
    },
  ]
}
