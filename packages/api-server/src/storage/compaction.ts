/**
 * How much history to keep: all that a person may want to travel through, little of what only shows that hearts beat.
 *
 * Upstream compacts everything older than five minutes. Here heartbeats and Events (most of the writes of an idle
 * cluster) keep their newest few thousand revisions, and everything else its newest 100,000. The bounds are counts, not
 * ages: they bound the file, and a cluster that slept for a week still remembers what it did before.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import type { SqliteStorage } from './sqlite.ts'

const intervalMs = 5 * 60_000
const keep: { prefix: string; revisions: number }[] = [
  { prefix: '/coordination.k8s.io/leases/', revisions: 2_000 },
  { prefix: '/core/events/', revisions: 5_000 },
  { prefix: '', revisions: 100_000 },
]

export async function runCompaction(storage: SqliteStorage, clock: Clock, log: Logger, signal: AbortSignal) {
  while (!signal.aborted) {
    await clock.sleep(intervalMs, signal)
    for (const { prefix, revisions } of keep) {
      const oldest = storage.oldestOfNewest(revisions, prefix)
      if (oldest === undefined) continue
      storage.compact(oldest, prefix)
      log.debug({ prefix, oldest }, 'compacted')
    }
  }
}
