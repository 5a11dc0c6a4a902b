/**
 * Points in time to the nanosecond, as Docker's logs and events have them: RFC 3339 text, `seconds.nanos` in queries.
 */
import { parseDuration } from '@dinghy/shared/api/duration'
import { badParameter } from '@dinghy/shared/docker/errors'

/** Nanoseconds since the epoch as "2025-01-01T00:00:00.000000001Z". */
export function formatNanos(nanos: bigint): string {
  const seconds = new Date(Number(nanos / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  return `${seconds}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`
}

/** A Clock's time, or that of a file, as formatNanos() has it. */
export function formatMs(ms: number): string {
  return formatNanos(BigInt(Math.round(ms * 1e6)))
}

/** The inverse of formatNanos, for any number of fraction digits and any zone. */
export function parseRfc3339(text: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (match === null) throw badParameter(`invalid timestamp: ${text}`)
  const [, seconds = '', fraction = '', zone = ''] = match
  return BigInt(Date.parse(seconds + zone)) * 1_000_000n + BigInt(fraction.padEnd(9, '0') || '0')
}

/**
 * A `since` or `until` parameter: "seconds[.nanos]" as the CLI sends it, RFC 3339, or a duration before now.
 * Undefined for absent, empty and "0", which mean no limit.
 */
export function parseMoment(text: string | null, nowMs: number): bigint | undefined {
  if (text === null || text === '' || text === '0') return undefined
  const plain = /^(-?\d+)(?:\.(\d{1,9}))?$/.exec(text)
  if (plain !== null) {
    const [, seconds = '0', fraction = ''] = plain
    return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0') || '0')
  }
  if (/^\d{4}-/.test(text)) return parseRfc3339(text)
  const duration = parseDuration(text)
  if (duration === undefined) throw badParameter(`invalid value for a point in time: ${text}`)
  return BigInt(Math.round((nowMs - duration) * 1e6))
}
