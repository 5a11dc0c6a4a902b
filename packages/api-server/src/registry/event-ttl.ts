/**
 * Events are news, not state: an hour after the last one of a series it is forgotten (upstream's --event-ttl, which
 * etcd implements with leases). Watchers see an ordinary deletion; the history keeps it a while longer.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Event } from '@dinghy/shared/api/types'
import { RevisionConflict } from '../storage/storage.ts'
import type { Entry, Storage } from '../storage/storage.ts'
import { keyPrefix } from './object-key.ts'

const ttlMs = 3600_000
const intervalMs = 60_000
const events = { group: '', plural: 'events' }

export async function runEventTtl(storage: Storage, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(intervalMs, signal)
    await removeOldEvents(storage, clock.now())
  }
}

export async function removeOldEvents(storage: Storage, nowMs: number): Promise<void> {
  const old = storage.list(keyPrefix(events)).entries.filter((entry) => lastSeenMs(entry) + ttlMs <= nowMs)
  await Promise.all(old.map((entry) => remove(storage, entry)))
}

function lastSeenMs({ object }: Entry): number {
  const { lastTimestamp, eventTime, series, metadata } = object as Event
  const times = [series?.lastObservedTime, lastTimestamp, eventTime, metadata.creationTimestamp]
  return Math.max(...times.map((time) => (time ? Date.parse(time) : 0)))
}

async function remove(storage: Storage, entry: Entry): Promise<void> {
  try {
    await storage.write([
      { key: entry.key, expected: entry.revision, object: entry.copy(), deleted: true, actor: 'api-server' },
    ])
  } catch (error) {
    // It has just happened again, or somebody deleted it: both are fine.
    if (!(error instanceof RevisionConflict)) throw error
  }
}
