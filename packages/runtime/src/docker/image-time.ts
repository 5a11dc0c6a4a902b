/** Times in filters: an RFC 3339 date, seconds since the epoch, or a duration before now (`24h`). */
import { parseDuration } from '@dinghy/builder/dockerfile/duration'
import { badParameter } from '@dinghy/shared/docker/errors'

/** Milliseconds since the epoch. */
export function parseTimestamp(text: string, now: number): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const at = Date.parse(text)
    if (!Number.isNaN(at)) return at
  }
  try {
    return now - parseDuration(text) / 1e6
  } catch (error) {
    throw badParameter(error instanceof Error ? error.message : String(error))
  }
}
