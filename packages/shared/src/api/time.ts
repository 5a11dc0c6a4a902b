/**
 * The two ways in which Kubernetes writes a moment: meta/v1 Time (whole seconds) and MicroTime (six digits). Both UTC.
 */
import type { Clock } from './clock.ts'

/** "2025-01-01T00:00:00Z" */
export function nowRfc3339(clock: Pick<Clock, 'now'>): string {
  return rfc3339(clock.now())
}

/** The moment in milliseconds since the epoch, cut to the second as upstream's Time does. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** "2025-01-01T00:00:00.000000Z"; the clock knows milliseconds, the last three digits are always zero. */
export function microTime(clock: Pick<Clock, 'now'>): string {
  return `${new Date(clock.now()).toISOString().slice(0, 23)}000Z`
}
