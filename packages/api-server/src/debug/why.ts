/**
 * "Why is this object as it is?": from its newest revision back to the write that nobody's write caused.
 *
 * The chain follows causes from one object to the next. Where a write had no cause it goes back in time within the
 * same object: within the one that was asked about always, since its creation is what one wants to see; within others
 * if the write only reported what happened to what another owns (a container of a pod started or ended), which nobody
 * wanted. Any other write without a cause is the root: somebody outside wanted it.
 */

import type { Revision, Storage } from '../storage/storage.ts'
import { type Change, changes } from './changed-paths.ts'
import { factsOf, sentenceOf } from './facts.ts'

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
    current = storage.revisionAt(predecessorOf(storage, current, key))
  }
  return chain
}

/** 0, which is no revision, where the chain ends. */
function predecessorOf(storage: Storage, revision: Revision, asked: string): number {
  const { cause, key, verb, previous } = revision
  // A cause lies in the past; anything else is a client's mistake and would go round in circles.
  if (cause !== undefined && cause < revision.revision) return cause
  if (verb !== 'update') return 0
  return key === asked || isReport(storage, revision) ? previous : 0
}

/**
 * A write of nothing but the status says what is, not what somebody wants. Of an object that another owns, the time
 * before leads to whoever wanted it; of a Node, say, to nobody.
 */
function isReport(storage: Storage, revision: Revision): boolean {
  const changed = changesOf(storage, revision)
  const isOwned = (revision.object.metadata.ownerReferences ?? []).length > 0
  return isOwned && changed.length > 0 && changed.every(({ path }) => path.startsWith('/status'))
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
    summary: sentenceOf(factsAt(storage, revision)),
  }
}

/** What an update did, as people say it; a creation or deletion says so itself. */
export function factsAt(storage: Storage, revision: Revision): string[] {
  const { verb, previous, object } = revision
  if (verb !== 'update') return []
  return factsOf(storage.revisionAt(previous)?.object, object, changesOf(storage, revision))
}

/** What this revision changed; the whole object for a creation or deletion, which is everything. */
export function changesOf(storage: Storage, { verb, previous, object }: Revision): Change[] {
  const before = verb === 'update' ? storage.revisionAt(previous) : undefined
  return before ? changes(before.object, object) : [{ path: '' }]
}
