/**
 * How long to wait before replacing a pod that failed, longer each time: without it a daemon that dies at once would
 * be created and deleted in a tight loop. Kept in memory only; after a restart everybody gets a fresh start.
 */

const firstMs = 1_000
const longestMs = 15 * 60_000

export class FailureBackoff {
  readonly #failures = new Map<string, { at: number; waitMs: number }>()

  /** How much longer to wait; 0 if nothing failed lately. */
  remainingMs(key: string, now: number): number {
    const failure = this.#failures.get(key)
    return failure ? Math.max(0, failure.at + failure.waitMs - now) : 0
  }

  /** Once more. What has been quiet for twice the longest wait starts anew. */
  failed(key: string, now: number): void {
    const last = this.#failures.get(key)
    const isRecent = last !== undefined && now - last.at < 2 * longestMs
    this.#failures.set(key, { at: now, waitMs: isRecent ? Math.min(last.waitMs * 2, longestMs) : firstMs })
  }

  forget(prefix: string): void {
    for (const key of this.#failures.keys()) if (key.startsWith(prefix)) this.#failures.delete(key)
  }
}
