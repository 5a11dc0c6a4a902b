/**
 * One watcher: first the past (read in pages), then the live events that were queued meanwhile, then whatever comes.
 *
 * It subscribes before it starts to read the past, so no event can fall between the two. A watcher that leaves more
 * than `limit` events unread is cut off (SlowWatcher): one stuck client must not hold the server's memory.
 */

import type { ChangeEvent } from './recent-events.ts'
import type { StorageEvent, StorageWatch } from './storage.ts'
import { SlowWatcher } from './storage.ts'

export class Watcher implements StorageWatch {
  readonly prefix: string
  readonly #past: Iterable<ChangeEvent>
  readonly #limit: number
  readonly #signal: AbortSignal
  readonly #onEnd: (watcher: Watcher) => void
  #revision: number
  #queue: StorageEvent[] = []
  #failure: Error | undefined
  #wake: (() => void) | undefined

  /** `revision`: where the live events take over from `past`. */
  constructor(options: {
    prefix: string
    past: Iterable<ChangeEvent>
    revision: number
    limit: number
    signal: AbortSignal
    onEnd: (watcher: Watcher) => void
  }) {
    this.prefix = options.prefix
    this.#past = options.past
    this.#revision = options.revision
    this.#limit = options.limit
    this.#signal = options.signal
    this.#onEnd = options.onEnd
    this.#signal.addEventListener('abort', this.#end, { once: true })
    if (this.#signal.aborted) this.#end()
  }

  /** Called for each commit, also when no event concerns this watcher, so that it knows how far it has seen. */
  push(events: ChangeEvent[], revision: number): void {
    this.#revision = revision
    if (this.#failure) return
    const mine = events.filter((event) => event.entry.key.startsWith(this.prefix))
    if (mine.length === 0) return
    this.#queue.push(...mine)
    if (this.#queue.length > this.#limit) {
      this.#failure = new SlowWatcher(this.#queue.length)
      this.#queue = []
    }
    this.#wake?.()
  }

  requestProgress(): void {
    this.#queue.push({ type: 'PROGRESS', revision: this.#revision })
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<StorageEvent> {
    for await (const batch of this.batches()) yield* batch
  }

  async *batches(): AsyncGenerator<StorageEvent[]> {
    try {
      for (const event of this.#past) {
        yield [event]
        if (this.#signal.aborted) return
      }
      while (!this.#signal.aborted) {
        if (this.#failure) throw this.#failure
        const events = this.#queue
        this.#queue = []
        if (events.length > 0) yield events
        if (this.#queue.length === 0 && !this.#failure) await this.#more()
      }
    } finally {
      this.#end()
    }
  }

  async #more(): Promise<void> {
    if (this.#signal.aborted) return
    await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
  }

  #end = (): void => {
    this.#signal.removeEventListener('abort', this.#end)
    this.#onEnd(this)
    this.#wake?.()
  }
}
