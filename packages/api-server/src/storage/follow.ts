/**
 * Keeps a picture of some keys true: loads it, then applies every change, and loads it anew when it could not keep up.
 * For pictures that requests are decided by, because a change is applied before anybody can have been told of it.
 */

import type { ChangeEvent } from './recent-events.ts'
import { RevisionCompacted, SlowWatcher, type Storage } from './storage.ts'

/** `from` is the revision that the picture shows; `reload` makes it anew and returns that revision. */
export async function follow(
  storage: Storage,
  picture: { prefix: string; from: number; reload(): number; apply(event: ChangeEvent): void },
  signal: AbortSignal,
): Promise<void> {
  let { from } = picture
  while (!signal.aborted) {
    try {
      for await (const event of storage.watch(picture.prefix, from, signal)) {
        if (event.type !== 'PROGRESS') picture.apply(event)
        from = event.revision
      }
    } catch (error) {
      if (!(error instanceof SlowWatcher || error instanceof RevisionCompacted)) throw error
      from = picture.reload()
    }
  }
}
