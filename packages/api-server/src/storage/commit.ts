/**
 * What one transaction writes, from the queue to the moment when all may see it.
 */

import type { ChangeEvent } from './recent-events.ts'
import { type Entry, type Mutation, RevisionConflict } from './storage.ts'

export interface QueuedWrite {
  batch: Mutation[]
  resolve: (entries: Entry[]) => void
  reject: (error: unknown) => void
}

/** What one transaction has written. `latest` must not see it before it is on disk. */
export interface Commit {
  outcomes: { write: QueuedWrite; entries: Entry[] }[]
  conflicts: { write: QueuedWrite; conflict: RevisionConflict }[]
  events: ChangeEvent[]
  pending: Map<string, Entry | undefined>
  tally: number
  isOver?: boolean
}

/** A write fails when one of its keys is not where the writer saw it. */
export function findConflict(
  batch: Mutation[],
  current: (key: string) => Entry | undefined,
): RevisionConflict | undefined {
  for (const { key, expected } of batch) {
    const actual = current(key)?.revision ?? 0
    if (actual !== expected) return new RevisionConflict(key, expected, actual)
  }
  return undefined
}

export function eventType(mutation: Mutation, previous: Entry | undefined): ChangeEvent['type'] {
  return mutation.deleted ? 'DELETED' : previous ? 'MODIFIED' : 'ADDED'
}
