/**
 * A database written anew, row by row, beside the old one, and put in its place when it is whole and on the disk. So an
 * older version's file is brought up to date, and so what is left of a damaged one is saved.
 */

import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Database } from 'better-sqlite3'
import { checksumOf, tallyAfter } from './checksum.ts'
import { createTables, type RevisionRow, sql } from './schema.ts'
import { sqliteLibrary } from './sqlite-library.ts'

export type PlainRow = Omit<RevisionRow, 'checksum' | 'tally'>

export interface Content {
  /** In the order of revisions. */
  rows: Iterable<PlainRow>
  compactions: Iterable<{ prefix: string; revision: number }>
}

/** From a value as it is served to the one that is stored. */
export type Encode = (key: string, value: Buffer) => Buffer

/** Brings the database up to this version, and closes it. */
export function replaceDatabase(path: string, old: Database, encode: Encode): void {
  const rows = encoded(old.prepare(sql.all).iterate() as Iterable<PlainRow>, encode)
  const compactions = old.prepare(sql.compactions).all() as { prefix: string; revision: number }[]
  writeDatabase(`${path}.new`, { rows, compactions })
  // Without the old file's log, which would be taken for the new one's.
  old.close()
  putInPlace(`${path}.new`, path)
}

function* encoded(rows: Iterable<PlainRow>, encode: Encode): Generator<PlainRow> {
  for (const row of rows) yield { ...row, value: encode(row.key, row.value) }
}

/** Resolves nothing, waits for nothing: when it returns, the file is on the disk. */
export function writeDatabase(path: string, { rows, compactions }: Content): void {
  rmSync(path, { force: true })
  const BetterSqlite = sqliteLibrary()
  const database = new BetterSqlite(path)
  try {
    database.pragma('auto_vacuum = INCREMENTAL')
    // A file that is not whole is never put in place, so nothing has to be rolled back after a crash.
    database.pragma('journal_mode = MEMORY')
    database.pragma('synchronous = OFF')
    createTables(database)
    const insert = database.prepare(sql.insert)
    const setCompaction = database.prepare(sql.setCompaction)
    const alive = new Map<string, number | undefined>()
    let tally = 0
    database.transaction(() => {
      for (const row of rows) {
        const now = row.deleted ? undefined : row.revision
        tally = tallyAfter(tally, row.key, alive.get(row.key), now)
        alive.set(row.key, now)
        insert.run({ ...row, checksum: checksumOf(row), tally })
      }
      for (const { prefix, revision } of compactions) setCompaction.run(prefix, revision)
    })()
  } finally {
    database.close()
  }
  sync(path)
}

export function putInPlace(file: string, path: string): void {
  renameSync(file, path)
  sync(dirname(path))
}

function sync(path: string): void {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}
