/**
 * Opening the database: nobody else has it, it is of this version, and it holds every write that was acknowledged.
 *
 * Whatever a process leaves that is killed at any moment opens without a word. Damage does not: the server refuses to
 * start, with one sentence that says what is lost and how to go on. Nothing is repaired silently, and nothing is
 * changed by looking: a log that SQLite would cut short is examined on a copy.
 *
 *   state.db          the database
 *   state.db-wal      SQLite's write-ahead log, while the server runs or after a crash
 *   state.db-mark     high-water-mark.ts
 *   state.db-lock     database-lock.ts
 *   state.db.damaged  what `--accept-data-loss` has replaced (data-loss.ts)
 */

import { constants, copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { tallyAfter, verified } from './checksum.ts'
import { type DatabaseLock, lockDatabase } from './database-lock.ts'
import { encryptedPrefix, type Encryption, secretsPrefix } from './encryption.ts'
import { HighWaterMark } from './high-water-mark.ts'
import { type ForceToDisk, LogSync } from './log-sync.ts'
import { replaceDatabase } from './replace-database.ts'
import { createTables, type RevisionRow, schemaVersion, sql, versionOf } from './schema.ts'
import { sqliteLibrary } from './sqlite-library.ts'
import { prefixEnd } from './storage.ts'
import { examineLog } from './write-ahead-log.ts'

export interface DatabaseFile {
  database: Database
  /** The newest revision. */
  revision: number
  tally: number
  /** What is alive. */
  rows: RevisionRow[]
  /** Of a file: forces what was committed to the disk. What is in memory alone has none. */
  log: LogSync | undefined
  /** Remembers that this revision is on disk. */
  record(revision: number): void
  close(): void
}

/** Something that was acknowledged is gone, or cannot be read. */
export class DatabaseDamaged extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(`${what}; \`dinghy up --accept-data-loss\` goes on with what is left`, options)
    this.name = 'DatabaseDamaged'
  }
}

export interface DatabaseOptions {
  /** A file, or ':memory:'. */
  path: string
  /** How long to wait for a dying predecessor to let go of the file. */
  lockTimeoutMs?: number
  /** Without it everything is stored as it is served. */
  encryption?: Encryption
  forceToDisk?: ForceToDisk
}

export function openDatabase(options: DatabaseOptions): DatabaseFile {
  const { path, lockTimeoutMs = 2_000 } = options
  if (path === ':memory:') {
    const database = connect(path)
    return { database, ...load(database), log: undefined, record: () => undefined, close: () => void database.close() }
  }
  const lock = lockDatabase(path, lockTimeoutMs)
  try {
    return openLocked(options, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

function openLocked({ path, encryption, forceToDisk }: DatabaseOptions, lock: DatabaseLock): DatabaseFile {
  const mark = new HighWaterMark(`${path}-mark`)
  try {
    const log = readLog(path)
    const state = examineLog(log)
    if (state !== 'whole') {
      const { revision } = inspectCopy(path, log, encryption)
      if (state === 'damaged' || revision < mark.found) throw cutShort(path, revision, mark.found)
    }
    // SQLite takes an empty file for a new database, and removes the log that lies beside it.
    if (mark.found > 0 && isEmpty(path)) throw cutShort(path, 0, mark.found)
    const database = connect(path, encryption)
    try {
      const loaded = asDamage(path, () => load(database))
      if (encryption) requireKey(path, database, encryption)
      if (loaded.revision < mark.found) throw cutShort(path, loaded.revision, mark.found)
      mark.record(loaded.revision)
      // From here on whoever writes waits for the disk by way of the log.
      database.pragma('synchronous = NORMAL')
      const log = new LogSync(path, forceToDisk)
      return {
        database,
        ...loaded,
        log,
        record: (revision) => mark.record(revision),
        close() {
          database.close()
          log.close()
          mark.close()
          lock.release()
        },
      }
    } catch (error) {
      database.close()
      throw error
    }
  } catch (error) {
    mark.close()
    throw error
  }
}

/** Opens or makes the file, or makes it new if an older version of this program has written it. */
function connect(path: string, encryption?: Encryption): Database {
  const database = open(path)
  try {
    const version = asDamage(path, () => versionOf(database))
    if (version === 0) createTables(database)
    if (version === 0 || version === schemaVersion) return database
    if (version > schemaVersion) throw new Error(`${path} has schema ${version}; this server knows ${schemaVersion}`)
  } catch (error) {
    database.close()
    throw error
  }
  // Version 1 had no checksums, encrypted nothing and gave no room back.
  encryption?.ensureKey()
  replaceDatabase(path, database, (key, value) => encryption?.encode(key, value) ?? value)
  return open(path)
}

function open(path: string): Database {
  const BetterSqlite = sqliteLibrary()
  const database = new BetterSqlite(path)
  try {
    asDamage(path, () => {
      database.pragma('locking_mode = EXCLUSIVE')
      // Only of a new file: the pages that compaction frees can be given back to the file system.
      database.pragma('auto_vacuum = INCREMENTAL')
      database.pragma('journal_mode = WAL')
      database.pragma('synchronous = FULL')
      // SQLite's own default, said because much hangs on it: everybody waits while so many pages are copied.
      database.pragma('wal_autocheckpoint = 1000')
    })
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

/** What is alive, each row checked, and all of them together. */
function load(database: Database): { revision: number; tally: number; rows: RevisionRow[] } {
  const newest = database.prepare(sql.newest).get() as Pick<RevisionRow, 'revision' | 'tally'> | undefined
  const compacted = database.prepare(sql.newestCompaction).get() as { revision: number | null }
  const rows = (database.prepare(sql.load).all() as RevisionRow[]).map(verified)
  const tally = rows.reduce((sum, { key, revision }) => tallyAfter(sum, key, undefined, revision), 0)
  const { revision, tally: expected } = newest ?? { revision: 0, tally: 0 }
  if (tally !== expected) throw new IncompleteDatabase(revision)
  return { revision: Math.max(revision, compacted.revision ?? 0), tally, rows }
}

class IncompleteDatabase extends Error {
  constructor(revision: number) {
    super(`not all objects that there were at revision ${revision} are found in it`)
  }
}

/** A new key is only made where the old one is not missed. */
function requireKey(path: string, database: Database, encryption: Encryption): void {
  const asked = {
    start: secretsPrefix,
    end: prefixEnd(secretsPrefix),
    encrypted: Buffer.from(encryptedPrefix),
    ours: encryption.prefix,
  }
  const { count } = database.prepare(sql.foreignSecrets).get(asked) as { count: number }
  if (count > 0) throw new DatabaseDamaged(`${path} cannot be read: ${encryption.complaint}`)
  encryption.ensureKey()
}

function readLog(path: string): Buffer {
  const file = `${path}-wal`
  return existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
}

function isEmpty(path: string): boolean {
  return !existsSync(path) || statSync(path).size === 0
}

/** What SQLite would make of this log. */
function inspectCopy(path: string, log: Buffer, encryption: Encryption | undefined): { revision: number } {
  const copy = `${path}.copy`
  try {
    if (existsSync(path)) copyFileSync(path, copy, constants.COPYFILE_FICLONE)
    writeFileSync(`${copy}-wal`, log, { mode: 0o600 })
    const database = connect(copy, encryption)
    try {
      return asDamage(path, () => load(database))
    } finally {
      database.close()
    }
  } finally {
    for (const file of [copy, `${copy}-wal`]) rmSync(file, { force: true })
  }
}

function cutShort(path: string, revision: number, mark: number): DatabaseDamaged {
  const lost = mark > revision ? `revisions ${revision + 1} to ${mark} are` : `what came after revision ${revision} is`
  return new DatabaseDamaged(`${path} has lost acknowledged writes: ${lost} gone`)
}

/** SQLite's own words for it, and ours, in one sentence. */
function asDamage<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!isDamage(error)) throw error
    throw new DatabaseDamaged(`${path} is damaged: ${(error as Error).message}`, { cause: error })
  }
}

/** Whether an error of reading is about the bytes in the file, and not about the disk or the program. */
export function isDamage(error: unknown): boolean {
  const { name, code = '' } = error as { name?: string; code?: string }
  return (
    name === 'DamagedRow' ||
    error instanceof IncompleteDatabase ||
    code === 'SQLITE_NOTADB' ||
    code.startsWith('SQLITE_CORRUPT')
  )
}
