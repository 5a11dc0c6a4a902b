/**
 * Backoff: growing, jittered pauses between attempts to reach a server.
 *
 * The processes of a cluster start in any order and on one machine, so the first pause is short, the longest is a
 * second, and they grow by a quarter: whoever waited for a server notices it soon after it is there, never later than
 * by a fraction of the time it took. client-go goes from 0.8 s to 30 s, for the sake of a thousand nodes.
 */

import type { Clock } from '../api/clock.ts'

const growth = 1.25

export class Backoff {
  readonly #clock: Clock
  readonly #firstMs: number
  readonly #longestMs: number
  #failures = 0

  constructor(clock: Clock, { firstMs = 30, longestMs = 1_000 }: { firstMs?: number; longestMs?: number } = {}) {
    this.#clock = clock
    this.#firstMs = firstMs
    this.#longestMs = longestMs
  }

  /** Sleeps, longer each time. Rejects when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const pauseMs = Math.min(this.#firstMs * growth ** this.#failures, this.#longestMs)
    this.#failures += 1
    // Up to half as long again: clients that lost the same server should not all come back in the same instant.
    await this.#clock.sleep(pauseMs * (1 + Math.random() / 2), signal)
  }

  reset(): void {
    this.#failures = 0
  }
}
