/**
 * Many creations that are likely to fail for the same reason (a quota, a bad template): tried in batches of 1, 2, 4, …
 * and stopped after the first batch with a failure. Thousands of doomed requests become one. Follows slowStartBatch.
 */

/** Calls `attempt` up to `count` times; throws the first failure once its batch has ended. */
export async function slowStart(count: number, attempt: () => Promise<void>): Promise<void> {
  let remaining = count
  for (let batch = 1; remaining > 0; batch *= 2) {
    const size = Math.min(batch, remaining)
    await allOrFirstFailure(Array.from({ length: size }, attempt))
    remaining -= size
  }
}

/** Waits for all of them, also after a failure, so that nothing goes on unseen; then throws the first failure. */
export async function allOrFirstFailure(attempts: Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(attempts)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}
