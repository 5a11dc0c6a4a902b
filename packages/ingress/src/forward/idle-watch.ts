/**
 * IdleWatch: ends what has not moved for too long. One timer for all of it, once a second while there is anything.
 */

import type { Clock, Timer } from '@dinghy/shared/api/clock'

export interface Watched {
  /** When a byte last went either way. */
  movedAtMs: number
  /** It did not move for the time allowed. */
  onIdle(): void
}

const everyMs = 1_000

export class IdleWatch {
  readonly #clock: Clock
  readonly #allowedMs: number
  readonly #watched = new Set<Watched>()
  #timer: Timer | undefined

  /** 0: for as long as it likes. */
  constructor(clock: Clock, allowedMs: number) {
    this.#clock = clock
    this.#allowedMs = allowedMs
  }

  get size(): number {
    return this.#watched.size
  }

  add(watched: Watched): void {
    this.#watched.add(watched)
    if (this.#allowedMs > 0) this.#timer ??= this.#clock.setTimeout(() => this.#look(), everyMs)
  }

  delete(watched: Watched): void {
    this.#watched.delete(watched)
  }

  stop(): void {
    this.#clock.clear(this.#timer)
  }

  #look(): void {
    this.#timer = undefined
    const before = this.#clock.now() - this.#allowedMs
    for (const watched of this.#watched) if (watched.movedAtMs <= before) watched.onIdle()
    if (this.#watched.size > 0) this.#timer = this.#clock.setTimeout(() => this.#look(), everyMs)
  }
}
