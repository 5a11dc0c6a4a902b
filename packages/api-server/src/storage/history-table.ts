/**
 * The past, as the table keeps it: how much room it takes, how parts of it are forgotten, and how the room goes back
 * to the file system. Everything here is done in steps of a few milliseconds: a generator yields after each, so that
 * the server can answer in between.
 *
 * Two rules hold whatever is forgotten. The newest state of a key that is not younger than the cut stays, for it is
 * what the key was at the cut. And a tombstone stays as long as anything older of its key does: without it the
 * deleted object would be alive again.
 */

import type { Database } from 'better-sqlite3'
import { sql } from './schema.ts'
import { prefixEnd } from './storage.ts'

/** A row of the past: superseded, or a tombstone. */
export interface HistoryRow {
  revision: number
  key: string
  /** What it takes on the disk, about. */
  bytes: number
  /** Written by a person's client and not by a component of the cluster. */
  isPeoples: boolean
}

/** Up to which revision the past is forgotten, of which keys. */
export interface Cut {
  revision: number
  prefix: string
  /** What people wrote stays in the log of its object. */
  keepsPeoples: boolean
}

const rowsAtOnce = 200
const pagesAtOnce = 100
/** Columns, index and the rest of a page, beside key and value. */
const overheadBytes = 160
/** For so many pages in use one free one is left, for the next writes. */
const freeShare = 8

/** Newest first. `isAlive`: whether this is the present state of the key. */
export function* historyRows(
  database: Database,
  isAlive: (key: string, revision: number) => boolean,
): Generator<HistoryRow> {
  const page = database.prepare(sql.sizes)
  let before = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = page.all(before, rowsAtOnce) as { revision: number; key: string; bytes: number; peoples: number }[]
    for (const { revision, key, bytes, peoples } of rows) {
      if (!isAlive(key, revision)) {
        yield { revision, key, bytes: bytes + key.length + overheadBytes, isPeoples: peoples === 1 }
      }
    }
    if (rows.length < rowsAtOnce) return
    before = rows.at(-1)?.revision ?? 0
  }
}

export function* forget(database: Database, { revision, prefix, keepsPeoples }: Cut): Generator<void> {
  // First of all: what is about to be forgotten must not be read any more, not even after a crash.
  database.prepare(sql.setCompaction).run(prefix, revision)
  yield
  const windowEnd = database.prepare(sql.windowEnd)
  const superseded = database.prepare(sql.forgetSuperseded)
  const deleted = database.prepare(sql.forgetDeleted)
  const remove = database.transaction((window: object) => {
    superseded.run(window)
    deleted.run(window)
  })
  const range = { revision, start: prefix, end: prefixEnd(prefix), keepsPeoples: Number(keepsPeoples) }
  for (let from = 0; from < revision;) {
    const to = (windowEnd.get(from, rowsAtOnce) as { revision: number } | undefined)?.revision ?? revision
    remove({ ...range, from, to })
    yield
    from = to
  }
}

/** Cuts free pages off the end of the file, by moving what lies there into the gaps. */
export function* giveRoomBack(database: Database): Generator<void> {
  const count = (pages: 'freelist_count' | 'page_count') => database.pragma(pages, { simple: true }) as number
  const spare = (count('page_count') - count('freelist_count')) / freeShare
  if (count('freelist_count') <= spare) return
  while (count('freelist_count') > spare) {
    database.pragma(`incremental_vacuum(${pagesAtOnce})`)
    yield
  }
  database.pragma('wal_checkpoint(TRUNCATE)')
}
