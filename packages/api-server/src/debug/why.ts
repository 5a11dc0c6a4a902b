/**
 * "Why is this object as it is?": from its newest revision back to the write that nobody's write caused.
 *
 * The chain follows causes from one object to the next. Within the object that was asked about it also goes back in
 * time where a write had no cause (a container simply ended), since its creation is what one wants to see; beyond it, a
 * write without a cause is the root: somebody outside wanted it.
 */

import type { KubernetesObject, Pod } from '@dinghy/shared/api/types'
import type { Revision, Storage } from '../storage/storage.ts'
import { changedPaths } from './changed-paths.ts'

export interface Link {
  revision: number
  key: string
  verb: Revision['verb']
  actor: string
  /** The revision that made the actor write; absent if nothing of this cluster did. */
  cause?: number
  /** RFC 3339. */
  at: string
  kind: string
  namespace?: string
  name: string
  /** What an update did, in a few words; empty for a creation or deletion, which need none. */
  summary: string
}

const maxLinks = 100

/** Newest first. Empty if nothing is known of the key. */
export function why(storage: Storage, key: string): Link[] {
  const chain: Link[] = []
  let current = storage.revisionAt(storage.newestOf(key))
  while (current && chain.length < maxLinks) {
    chain.push(linkOf(storage, current))
    current = storage.revisionAt(predecessorOf(current, key))
  }
  return chain
}

/** 0, which is no revision, where the chain ends. */
function predecessorOf({ revision, cause, key, verb, previous }: Revision, asked: string): number {
  // A cause lies in the past; anything else is a client's mistake and would go round in circles.
  if (cause !== undefined && cause < revision) return cause
  return key === asked && verb !== 'create' ? previous : 0
}

function linkOf(storage: Storage, revision: Revision): Link {
  const { key, verb, actor, cause, at, object } = revision
  const { name, namespace } = object.metadata
  return {
    revision: revision.revision,
    key,
    verb,
    actor,
    ...(cause !== undefined ? { cause } : {}),
    at: new Date(at).toISOString(),
    kind: object.kind,
    ...(namespace ? { namespace } : {}),
    name,
    summary: verb === 'update' ? summaryOf(changesOf(storage, revision), object) : '',
  }
}

function summaryOf(changed: string[], object: KubernetesObject): string {
  if (changed.includes('/spec/nodeName') && object.kind === 'Pod') return `bound to ${(object as Pod).spec.nodeName}`
  if (changed.includes('/metadata/deletionTimestamp')) return 'marked for deletion'
  const shown = changed.slice(0, 3).join(', ')
  return changed.length > 3 ? `changed ${shown} and ${changed.length - 3} more` : `changed ${shown}`
}

/** JSON pointers to what this revision changed; [""] for a creation or deletion, which is everything. */
export function changesOf(storage: Storage, { verb, previous, object }: Revision): string[] {
  if (verb !== 'update') return ['']
  const before = storage.revisionAt(previous)
  return before ? changedPaths(before.object, object) : ['']
}
