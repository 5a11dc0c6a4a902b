import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openStorage, temporaryDatabase, withStorage } from '../testing/database-fixture.ts'
import { Encryption } from './encryption.ts'
import { sqliteLibrary } from './sqlite-library.ts'
import { RevisionCompacted } from './storage.ts'

/** As the first version of this program made it. */
function firstVersion(path: string): void {
  const database = new (sqliteLibrary())(path)
  database.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE revisions (
      revision INTEGER PRIMARY KEY, key TEXT NOT NULL, create_revision INTEGER NOT NULL, prev_revision INTEGER NOT NULL,
      deleted INTEGER NOT NULL, value BLOB NOT NULL, actor TEXT NOT NULL, cause INTEGER, at INTEGER NOT NULL,
      UNIQUE (key, prev_revision)
    );
    CREATE TABLE compactions (prefix TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
    PRAGMA user_version = 1;
    INSERT INTO compactions VALUES ('/x/', 3);
  `)
  const insert = database.prepare(`INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, 'kubectl', NULL, 5)`)
  const value = (revision: number) => Buffer.from(JSON.stringify({ metadata: { resourceVersion: String(revision) } }))
  insert.run(2, '/a/1', 2, 0, 0, value(2))
  insert.run(3, '/a/1', 2, 2, 0, value(3))
  insert.run(4, '/a/2', 4, 0, 0, value(4))
  insert.run(5, '/a/2', 4, 4, 1, value(5))
  database.close()
}

test('a database of the first version is written anew, with everything in it', () => {
  const path = temporaryDatabase()
  firstVersion(path)
  for (const _ of ['the first time', 'and the second']) {
    withStorage(path, (storage) => {
      expect(storage.revision).toBe(5)
      expect(storage.list('/').entries.map(({ key, revision }) => `${key} ${revision}`)).toEqual(['/a/1 3'])
      expect(storage.history('/a/1').map(({ revision, at }) => [revision, at])).toEqual([
        [3, 5],
        [2, 5],
      ])
      expect(storage.newestOf('/a/2')).toBe(5)
      expect(() => storage.list('/x/', { revision: 2 })).toThrow(RevisionCompacted)
    })
    expect(existsSync(`${path}.new`)).toBe(false)
  }
})

test('and Secrets in it are encrypted then', () => {
  const path = temporaryDatabase()
  firstVersion(path)
  const database = new (sqliteLibrary())(path)
  database.exec(`UPDATE revisions SET key = '/core/secrets/a/1' WHERE key = '/a/1'`)
  database.close()
  expect(readFileSync(path, 'latin1')).toContain('"resourceVersion":"3"')
  const encryption = new Encryption('aesgcm', `${path}-key`)
  const storage = openStorage(path, encryption)
  expect(storage.get('/core/secrets/a/1')?.object).toMatchObject({ metadata: { resourceVersion: '3' } })
  storage.close()
  expect(readFileSync(path, 'latin1')).not.toContain('"resourceVersion":"3"')
})

test('one of a version that comes after this is refused', () => {
  const path = temporaryDatabase()
  const database = new (sqliteLibrary())(path)
  database.pragma('user_version = 9')
  database.close()
  expect(() => withStorage(path, () => undefined)).toThrow(`${path} has schema 9; this server knows 2`)
})
