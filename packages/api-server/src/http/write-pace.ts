/**
 * How often all streams of events together are written to. A write over TLS takes some 6 µs, whatever is in it, and
 * 500 watchers of 200 events a second would take the whole processor. So each stream rests after a write, the longer
 * the more there are, and what happens meanwhile leaves in one write. Where few watch, nobody rests.
 */

import type { Clock } from '@dinghy/shared/api/clock'

const maxWritesPerMs = 60
/** Nobody rests for less. */
const shortestRestMs = 2
const longestRestMs = 100

export class WritePace {
  #streams = 0

  open(): void {
    this.#streams++
  }

  close(): void {
    this.#streams--
  }

  rest(clock: Pick<Clock, 'setTimeout'>): Promise<void> | undefined {
    const ms = restMs(this.#streams)
    return ms === 0 ? undefined : new Promise((resolve) => clock.setTimeout(resolve, ms))
  }
}

/** Pure. */
export function restMs(streams: number): number {
  const ms = streams / maxWritesPerMs
  return ms < shortestRestMs ? 0 : Math.min(ms, longestRestMs)
}
