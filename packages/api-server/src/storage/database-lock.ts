/**
 * One server at a time on one database: a lock that ends with the process that holds it, however it ends.
 *
 * It is a lock on a file of its own, beside the database. SQLite's lock on the database itself comes too late: whoever
 * waits for it has already read the write-ahead log, and a database that is being examined or replaced must be
 * nobody else's from the first byte on.
 */

import { sqliteLibrary } from './sqlite-library.ts'

export interface DatabaseLock {
  release(): void
}

/** Waits for a dying predecessor, but not for a living one. */
export function lockDatabase(path: string, timeoutMs: number): DatabaseLock {
  const BetterSqlite = sqliteLibrary()
  const file = new BetterSqlite(`${path}-lock`, { timeout: timeoutMs })
  try {
    // Nothing is ever written, so no journal has to lie beside it.
    file.pragma('journal_mode = MEMORY')
    file.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    file.close()
    const isLocked = error instanceof BetterSqlite.SqliteError && error.code === 'SQLITE_BUSY'
    throw isLocked ? new Error(`${path} is locked: another server is using it`, { cause: error }) : error
  }
  return { release: () => void file.close() }
}
