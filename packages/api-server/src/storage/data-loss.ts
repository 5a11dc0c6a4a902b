/**
 * `dinghy up --accept-data-loss`: goes on with what is left of a damaged database. Every row that can still be read
 * and is what its checksum says comes into a new file; the damaged one is kept beside it.
 *
 * As with etcd's `snapshot restore --bump-revision --mark-compacted`, no number is given out twice: the next revision
 * is above everything that was ever acknowledged, and whoever has seen what is lost is told to list anew. So the past
 * before the loss can no longer be read as a whole; the history of each object is what was saved of it.
 */

import { closeSync, constants, copyFileSync, existsSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { writeFileSync, writeSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { verified } from './checksum.ts'
import { DatabaseDamaged, type DatabaseOptions, isDamage, openDatabase } from './database-file.ts'
import { lockDatabase } from './database-lock.ts'
import type { Encryption } from './encryption.ts'
import { HighWaterMark } from './high-water-mark.ts'
import { putInPlace, writeDatabase } from './replace-database.ts'
import { type RevisionRow, sql } from './schema.ts'
import { sqliteLibrary } from './sqlite-library.ts'
import { withoutBrokenFrames } from './write-ahead-log.ts'

/** Says what is lost. A database that is whole stays as it is. */
export function acceptDataLoss(options: DatabaseOptions): string {
  try {
    openDatabase(options).close()
    return `${options.path} is whole: nothing is lost`
  } catch (error) {
    if (!(error instanceof DatabaseDamaged)) throw error
  }
  const { path, lockTimeoutMs = 2_000, encryption } = options
  const lock = lockDatabase(path, lockTimeoutMs)
  const mark = new HighWaterMark(`${path}-mark`)
  try {
    const saved = saveRows(path, mark.found, encryption)
    moveAside(path)
    putInPlace(`${path}.new`, path)
    mark.record(saved.next - 1)
    return report(path, saved)
  } finally {
    mark.close()
    lock.release()
  }
}

interface Saved {
  rows: number
  /** The last row that was saved. */
  newest: number
  /** How many rows are there and are not what they were. */
  unreadable: number
  /** The number that the next write gets. */
  next: number
}

/** Pure. */
export function report(path: string, { rows, newest, unreadable, next }: Saved): string {
  const lost = [
    ...(unreadable > 0 ? [`up to ${unreadable} revisions could not be read`] : []),
    ...(next > newest + 1 ? [`revisions ${newest + 1} to ${next - 1} are lost`] : []),
  ]
  const told = lost.length > 0 ? lost.join(', ') : 'no revision that is known of is lost'
  return `${path}: ${told}; ${rows} revisions are saved, the damaged file is ${path}.damaged`
}

/** Writes `path`.new. */
function saveRows(path: string, mark: number, encryption: Encryption | undefined): Saved {
  const copy = `${path}.copy`
  try {
    copyForReading(path, copy)
    const database = new (sqliteLibrary())(copy)
    try {
      const compactions = readOr([], () => database.prepare(sql.compactions).all()) as Compaction[]
      const known = readOr(undefined, () => database.prepare(sql.newest).get()) as { revision: number } | undefined
      const end = Math.max(mark, known?.revision ?? 0, ...compactions.map(({ revision }) => revision))
      const saved: Saved = { rows: 0, newest: 0, unreadable: 0, next: end + 1 }
      // Where the key is lost, what was encrypted with it is, too.
      encryption?.ensureKey()
      const rows = readableRows(database, end, saved, encryption)
      writeDatabase(`${path}.new`, { rows, compactions: [...compactions, { prefix: '', revision: end }] })
      return saved
    } finally {
      database.close()
    }
  } finally {
    for (const file of [copy, `${copy}-wal`]) rmSync(file, { force: true })
  }
}

interface Compaction {
  prefix: string
  revision: number
}

/** What every database of ours starts with: magic, page size 4096, written and read through a write-ahead log. */
const fileHeader = Buffer.from([...Buffer.from('SQLite format 3\0'), 0x10, 0, 2, 2])

/** With all of the log that is good, and a header that lets SQLite look at the rest. */
function copyForReading(path: string, copy: string): void {
  if (existsSync(path)) copyFileSync(path, copy, constants.COPYFILE_FICLONE)
  const file = openSync(copy, constants.O_RDWR | constants.O_CREAT, 0o600)
  writeSync(file, fileHeader, 0, fileHeader.length, 0)
  closeSync(file)
  const log = `${path}-wal`
  if (existsSync(log)) writeFileSync(`${copy}-wal`, withoutBrokenFrames(readFileSync(log)), { mode: 0o600 })
}

const chunkSize = 1_000

/** One by one where a whole chunk cannot be read: damage hides its neighbours, not the others. */
function* readableRows(database: Database, end: number, saved: Saved, encryption?: Encryption): Generator<RevisionRow> {
  const one = readOr(undefined, () => database.prepare(sql.revision))
  const many = readOr(undefined, () => database.prepare(sql.after))
  if (!one || !many) return
  for (let from = 0; from < end; from += chunkSize) {
    const numbers = Array.from({ length: Math.min(chunkSize, end - from) }, (_, index) => from + index + 1)
    const unreadable = {} as RevisionRow
    const rows = readOr(undefined, () => many.all(from, from + chunkSize, '', '\uffff', chunkSize)) as
      | RevisionRow[]
      | undefined
    for (const row of rows ?? numbers.map((revision) => readOr(unreadable, () => one.get(revision)))) {
      if (row === undefined) continue
      const good = readOr(undefined, () => decodable(verified(row as RevisionRow), encryption))
      if (good) {
        saved.rows++
        saved.newest = good.revision
        yield good
      } else saved.unreadable++
    }
  }
}

function decodable(row: RevisionRow, encryption: Encryption | undefined): RevisionRow | undefined {
  return !encryption || encryption.canDecode(row.value) ? row : undefined
}

/** `otherwise` where the file is damaged. */
function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!isDamage(error)) throw error
    return otherwise
  }
}

function moveAside(path: string): void {
  for (const end of ['', '-wal']) {
    rmSync(`${path}.damaged${end}`, { force: true })
    if (existsSync(path + end)) renameSync(path + end, `${path}.damaged${end}`)
  }
}
