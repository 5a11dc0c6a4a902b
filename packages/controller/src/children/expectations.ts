/**
 * Expectations: how a controller avoids acting twice on a cache that has not caught up with its own writes.
 *
 * A ReplicaSet wants 3 pods and sees 0, so it creates 3. The watch is a moment behind: if the key is reconciled again
 * before those pods show up in the cache, it sees 0 again and would create 3 more. Names can't prevent that, they are
 * random. So the controller notes what it wrote, and leaves the owner's children alone until the cache shows all of it:
 *
 *     written   the cache has passed the revision that the write got (whether the child is still there or not);
 *     deleted   the child is no longer in the cache, or shows a deletionTimestamp.
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
  /** The newest of our writes. */
  revision: number
  deletions: { key: string; uid: string }[]
}

/** How soon to look again at an owner that is waiting, should no event come to wake it. */
export const expectationsRetryMs = 1_000

export class Expectations<T extends KubernetesObject> {
  readonly #cache: Cache<T>
  readonly #expected = new Map<string, Expected>()

  constructor(cache: Cache<T>) {
    this.#cache = cache
  }

  /** Created or changed: `child` is what the server answered. */
  wrote(ownerKey: string, child: T): void {
    const expected = this.#of(ownerKey)
    expected.revision = Math.max(expected.revision, Number(child.metadata.resourceVersion))
  }

  deleted(ownerKey: string, child: T): void {
    this.#of(ownerKey).deletions.push({ key: keyOf(child), uid: child.metadata.uid })
  }

  /** Whether the cache shows everything that was done for this owner. */
  areMet(ownerKey: string): boolean {
    const expected = this.#expected.get(ownerKey)
    if (!expected) return true
    expected.deletions = expected.deletions.filter(({ key, uid }) => {
      const cached = this.#cache.lister.get(key)
      return cached?.metadata.uid === uid && cached.metadata.deletionTimestamp === undefined
    })
    if (expected.deletions.length > 0 || Number(this.#cache.revision ?? 0) < expected.revision) return false
    this.#expected.delete(ownerKey)
    return true
  }

  /** The owner is gone. */
  forget(ownerKey: string): void {
    this.#expected.delete(ownerKey)
  }

  #of(ownerKey: string): Expected {
    const expected = this.#expected.get(ownerKey) ?? { revision: 0, deletions: [] }
    this.#expected.set(ownerKey, expected)
    return expected
  }
}
