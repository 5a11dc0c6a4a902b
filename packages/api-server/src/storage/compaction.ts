/**
 * How much history to keep: all that a person may want to travel through, little of what only shows that hearts beat.
 *
 * Upstream compacts everything older than five minutes. Here the past is bounded by its size, not by its age: a
 * cluster that slept for a week still remembers what it did before. What people wrote themselves has a quarter of the
 * room for its own and stays in the history of its object (`dinghy history`) although the cluster's own writes around
 * it are forgotten. Of these, heartbeats, Events and pods, whose statuses are most of what a busy cluster writes, may
 * take only a share. A moment of which something is forgotten can no longer be read as a whole: it is answered with
 * 410 Expired, never with less than there was.
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Cut, HistoryRow } from './history-table.ts'
import type { SqliteStorage } from './sqlite.ts'

const intervalMs = 30_000
/** After so much has been written there is something to forget, perhaps. */
const dueShare = 1 / 8
const peoplesShare = 1 / 4
/** Of what the cluster itself wrote. */
const shares: { prefix: string; share: number }[] = [
  { prefix: '/coordination.k8s.io/leases/', share: 1 / 32 },
  { prefix: '/core/events/', share: 1 / 8 },
  { prefix: '/core/pods/', share: 1 / 4 },
  { prefix: '', share: 1 - peoplesShare },
]

interface Budget {
  prefix: string
  keepsPeoples: boolean
  left: number
  /** The oldest revision that there is room for. */
  oldest: number | undefined
  isSpent: boolean
}

/** Decides, row by row from the newest to the oldest, which of them there is room for. Pure. */
export class CompactionPlan {
  readonly #ofPeople: Budget
  readonly #ofCluster: Budget[]

  constructor(historyBytes: number) {
    const budget = (prefix: string, share: number, keepsPeoples: boolean): Budget => {
      return { prefix, keepsPeoples, left: historyBytes * share, oldest: undefined, isSpent: false }
    }
    this.#ofPeople = budget('', peoplesShare, false)
    this.#ofCluster = shares.map(({ prefix, share }) => budget(prefix, share, true))
  }

  add({ revision, key, bytes, isPeoples }: HistoryRow): void {
    const concerned = isPeoples ? [this.#ofPeople] : this.#ofCluster.filter(({ prefix }) => key.startsWith(prefix))
    for (const budget of concerned) {
      // What one budget has no room for does not take that of another.
      if (budget.isSpent) return
      budget.left -= bytes
      budget.isSpent = budget.left < 0
      if (!budget.isSpent || budget.oldest === undefined) budget.oldest = revision
    }
  }

  cuts(): Cut[] {
    return [...this.#ofCluster, this.#ofPeople].flatMap(({ prefix, keepsPeoples, oldest, isSpent }) =>
      isSpent && oldest !== undefined ? [{ revision: oldest, prefix, keepsPeoples }] : [],
    )
  }
}

export interface CompactionDeps {
  storage: SqliteStorage
  historyBytes: number
  clock: Clock
  log: Logger
}

export async function runCompaction(deps: CompactionDeps, signal: AbortSignal): Promise<void> {
  const { storage, historyBytes, clock } = deps
  let due = 0
  while (!signal.aborted) {
    await clock.sleep(intervalMs, signal)
    if (storage.bytesWritten < due) continue
    due = storage.bytesWritten + historyBytes * dueShare
    await compactOnce(deps, signal)
  }
}

/** Other work has its turn after every few rows. */
export async function compactOnce({ storage, historyBytes, log }: CompactionDeps, signal: AbortSignal): Promise<void> {
  const plan = new CompactionPlan(historyBytes)
  let seen = 0
  for (const row of storage.historyRows()) {
    plan.add(row)
    if (++seen % 500 === 0) await nextTurn()
    if (signal.aborted) return
  }
  for (const cut of plan.cuts()) {
    for (const _ of storage.forget(cut)) {
      await nextTurn()
      if (signal.aborted) return
    }
    log.debug(cut, 'compacted')
  }
  for (const _ of storage.giveRoomBack()) {
    await nextTurn()
    if (signal.aborted) return
  }
}
