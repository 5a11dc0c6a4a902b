/**
 * The last few thousand events, in memory, so that a watcher that reconnects continues without a database query.
 *
 * A ring: `events[revision % size]` is the event of that revision. It works because revisions have no gaps.
 */

import type { StorageEvent } from './storage.ts'

export type ChangeEvent = Exclude<StorageEvent, { type: 'PROGRESS' }>

export class RecentEvents {
  #events: (ChangeEvent | undefined)[]
  #newest = 0
  #oldest = 1

  /** `revision` is where the database stands at start: nothing before it is in the ring. */
  constructor(size: number, revision: number) {
    this.#events = Array.from({ length: size })
    this.#newest = revision
    this.#oldest = revision + 1
  }

  push(event: ChangeEvent): void {
    this.#events[event.revision % this.#events.length] = event
    this.#newest = event.revision
    this.#oldest = Math.max(this.#oldest, event.revision - this.#events.length + 1)
  }

  /** Whether every event after `revision` is still here. */
  reachesBackTo(revision: number): boolean {
    return revision >= this.#oldest - 1
  }

  /** The events after `from`, which must still be here, up to and including `to`, of keys under `prefix`. */
  *between(from: number, to: number, prefix: string): Generator<ChangeEvent> {
    for (let revision = from + 1; revision <= Math.min(to, this.#newest); revision++) {
      const event = this.#events[revision % this.#events.length]
      if (!event) throw new Error(`the event of revision ${revision} is not kept any more`)
      if (event.entry.key.startsWith(prefix)) yield event
    }
  }
}
