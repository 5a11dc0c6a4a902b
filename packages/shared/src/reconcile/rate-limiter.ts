/**
 * Rate limiter: how long a key that keeps failing must wait, doubling from 5 ms to 1000 s for each key by itself.
 * Follows client-go util/workqueue's ItemExponentialFailureRateLimiter and its defaults.
 */

export class ExponentialRateLimiter {
  readonly #firstMs: number
  readonly #longestMs: number
  readonly #failures = new Map<string, number>()

  constructor({ firstMs = 5, longestMs = 1_000_000 }: { firstMs?: number; longestMs?: number } = {}) {
    this.#firstMs = firstMs
    this.#longestMs = longestMs
  }

  /** Counts a failure of the key and returns the pause before its next attempt, in milliseconds. */
  when(key: string): number {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    return Math.min(this.#firstMs * 2 ** failures, this.#longestMs)
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0
  }

  forget(key: string): void {
    this.#failures.delete(key)
  }
}
