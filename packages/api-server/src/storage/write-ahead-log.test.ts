import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { temporaryDatabase } from '../testing/database-fixture.ts'
import { sqliteLibrary } from './sqlite-library.ts'
import { examineLog, withoutBrokenFrames } from './write-ahead-log.ts'

/** The log after each of some transactions, which begin anew at its start now and then. */
function logs(transactions: number): Buffer[] {
  const path = temporaryDatabase()
  const database = new (sqliteLibrary())(path)
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 12')
  database.exec('CREATE TABLE t (number INTEGER PRIMARY KEY, text TEXT)')
  const insert = database.prepare('INSERT INTO t (text) VALUES (?)')
  const found = Array.from({ length: transactions }, (_, index) => {
    insert.run('x'.repeat((index % 5) * 1_500))
    return readFileSync(`${path}-wal`)
  })
  database.close()
  return found
}

test('a log is whole although frames of an earlier round lie behind its end', () => {
  const all = logs(40)
  // The file does not grow any more, and its beginning has changed: it has begun anew.
  expect(new Set(all.slice(20).map((log) => log.length)).size).toBeLessThan(20)
  expect(new Set(all.map((log) => log.toString('hex', 16, 24))).size).toBeGreaterThan(2)
  expect(all.map(examineLog)).toEqual(all.map(() => 'whole'))
})

test('nothing is broken in a whole log, so it stays as it is', () => {
  const [log = Buffer.alloc(0)] = logs(1)
  expect(withoutBrokenFrames(log).equals(log)).toBe(true)
})

test.each([0, 10, 32])('a log of %i bytes holds nothing', (bytes) => {
  expect(examineLog(Buffer.alloc(bytes))).toBe('whole')
  expect(withoutBrokenFrames(Buffer.alloc(bytes))).toHaveLength(bytes)
})
