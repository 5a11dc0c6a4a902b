/**
 * Expectations: how a controller avoids acting twice on a cache that has not caught up with its own writes.
 *
 * A ReplicaSet wants 3 pods and sees 0, so it creates 3. The watch is a moment behind: if the key is reconciled again
 * before those pods show up in the cache, it sees 0 again and would create 3 more. Names can't prevent that, they are
 * random. So the controller notes what it wrote, and leaves the owner's children alone until the cache shows all of it:
 *
 *     created   the pod is in the cache, or the cache has passed the revision of its creation (it came and went);
 *     deleted   the pod is no longer in the cache, or shows a deletionTimestamp.
 *
 * Both are read from the cache's state, never counted from events, so no missed or repeated event can leave the books
 * wrong. (Upstream counts events and gives up after five minutes; here the store's revisions are totally ordered, which
 * makes the question exact.) After a restart there is nothing to remember: the first list already shows every write.
 * A creation whose answer got lost is not known here; the surplus child is removed as soon as the cache shows it.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import type { KubernetesObject } from '@dinghy/shared/api/types'

/** The part of an Informer that is needed. */
export interface Cache<T> {
  readonly lister: { get(key: string): T | undefined }
  /** Everything up to this revision is in the lister. */
  readonly revision: string | undefined
}

interface Expected {
  key: string
  uid: string
  /** Set for a creation: the revision that it got. */
  revision?: number
}

/** How soon to look again at an owner that is waiting, should no event come to wake it. */
export const expectationsRetryMs = 1_000

export class Expectations<T extends KubernetesObject> {
  readonly #cache: Cache<T>
  readonly #expected = new Map<string, Expected[]>()

  constructor(cache: Cache<T>) {
    this.#cache = cache
  }

  /** To be told as soon as the server has answered, before anything else is awaited. */
  created(ownerKey: string, child: T): void {
    const { uid, resourceVersion } = child.metadata
    this.#note(ownerKey, { key: keyOf(child), uid, revision: Number(resourceVersion) })
  }

  deleted(ownerKey: string, child: T): void {
    this.#note(ownerKey, { key: keyOf(child), uid: child.metadata.uid })
  }

  /** Whether the cache shows everything that was done for this owner. */
  areMet(ownerKey: string): boolean {
    const open = (this.#expected.get(ownerKey) ?? []).filter((expected) => !this.#isMet(expected))
    if (open.length === 0) this.#expected.delete(ownerKey)
    else this.#expected.set(ownerKey, open)
    return open.length === 0
  }

  /** The owner is gone. */
  forget(ownerKey: string): void {
    this.#expected.delete(ownerKey)
  }

  #note(ownerKey: string, expected: Expected): void {
    this.#expected.set(ownerKey, [...(this.#expected.get(ownerKey) ?? []), expected])
  }

  #isMet({ key, uid, revision }: Expected): boolean {
    const cached = this.#cache.lister.get(key)
    const isShown = cached?.metadata.uid === uid
    if (revision === undefined) return !isShown || cached.metadata.deletionTimestamp !== undefined
    return isShown || Number(this.#cache.revision ?? 0) >= revision
  }
}
