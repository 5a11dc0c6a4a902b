/**
 * CrashLoopBackOff: a container that keeps ending is restarted ever more slowly. Pure.
 *
 *   first end: restart at once · then wait 10 s, 20 s, 40 s … at most 5 min · having run 10 min: begin anew
 *
 * The arithmetic is upstream's (client-go flowcontrol.Backoff as kuberuntime uses it). Upstream keeps the delays in
 * memory and so forgets them when the kubelet restarts; here each stands on its container's label, and nothing is
 * forgotten. As upstream, a pod that comes back after a power cut is not made to wait (container-actions.ts).
 */

import type { ObservedContainer } from '../observed/observed-pod.ts'

export interface CrashLoopLimits {
  baseMs: number
  maxMs: number
}

export const upstreamCrashLoop: CrashLoopLimits = { baseMs: 10_000, maxMs: 300_000 }

/** Having run this long, a container is not in a loop. Upstream: twice the longest delay. */
const resetAfterMs = 600_000

/**
 * `delayMs` must pass after the end of this container before the next may start; `nextDelayMs` is what that next one
 * will have to wait when it ends.
 */
export function restartDelay(
  ended: Pick<ObservedContainer, 'startedAt' | 'finishedAt' | 'crashLoopDelayMs'>,
  { baseMs, maxMs }: CrashLoopLimits,
): { delayMs: number; nextDelayMs: number } {
  const { startedAt, finishedAt, crashLoopDelayMs: delayMs } = ended
  const ranForMs = startedAt === undefined || finishedAt === undefined ? 0 : finishedAt - startedAt
  if (ranForMs > resetAfterMs) return { delayMs: 0, nextDelayMs: baseMs }
  return { delayMs, nextDelayMs: delayMs === 0 ? baseMs : Math.min(delayMs * 2, maxMs) }
}

/** "10s", "1m20s", "5m0s": as Go prints a duration. */
export function goDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const rest = ms % 1000
  if (ms < 1000) return `${ms}ms`
  const tail = `${seconds % 60}${rest ? `.${String(rest).padStart(3, '0').replace(/0+$/, '')}` : ''}s`
  if (seconds < 60) return tail
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes}m${tail}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${tail}`
}
