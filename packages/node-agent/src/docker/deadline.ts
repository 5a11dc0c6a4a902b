/**
 * A deadline for one call of the container runtime: a runtime that hangs must not hang those who ask it.
 *
 * Callers may rely on: the work is aborted when the time is up or when the signal aborts, whichever comes first; the
 * first shows as a DockerError with status 0, as a runtime that cannot be reached does; no timer outlives the call.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from './docker-error.ts'

export interface Deadline {
  clock: Clock
  timeoutMs: number
}

/** `work` resolves when the call is over, or, with a stream, when that has begun: from then on only `signal` counts. */
export async function withDeadline<T>(
  { clock, timeoutMs }: Deadline,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new DockerError(0, `the container runtime did not answer within ${timeoutMs / 1000}s`)
  const limit = new AbortController()
  const timer = clock.setTimeout(() => limit.abort(late), timeoutMs)
  try {
    return await work(signal ? AbortSignal.any([signal, limit.signal]) : limit.signal)
  } catch (error) {
    if (limit.signal.aborted && !signal?.aborted) throw late
    throw error
  } finally {
    clock.clear(timer)
  }
}
