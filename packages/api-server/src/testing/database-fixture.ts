/**
 * Databases on disk for tests: what a crash leaves of one, and what damage makes of that.
 */

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Encryption } from '../storage/encryption.ts'
import { SqliteStorage } from '../storage/sqlite.ts'
import type { Mutation } from '../storage/storage.ts'

const clock = new FakeClock()
/** Where there is a file system in memory, forcing things to the disk takes no time. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const endings = ['', '-wal', '-mark']

/** The path of a database in a directory that goes with the test. */
export function temporaryDatabase(): string {
  const directory = mkdtempSync(join(memory, 'dinghy-database-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'state.db')
}

export function openStorage(path: string, encryption?: Encryption): SqliteStorage {
  return new SqliteStorage({ path, clock, lockTimeoutMs: 0, ...(encryption ? { encryption } : {}) })
}

/** Opens, looks, and closes. */
export function withStorage<T>(path: string, look: (storage: SqliteStorage) => T): T {
  const storage = openStorage(path)
  try {
    return look(storage)
  } finally {
    storage.close()
  }
}

/** One of three keys, whose value says which write it was. */
export function numberedWrite(storage: SqliteStorage, number: number): Mutation {
  const key = `/core/configmaps/default/c${number % 3}`
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${number % 3}` }, data: { number } }
  const expected = storage.get(key)?.revision ?? 0
  return { key, expected, object: object as unknown as KubernetesObject, actor: 'kubectl-apply' }
}

/**
 * As many writes, one transaction each; then the files as a process leaves them that is killed. They stay until
 * `remove` is called, so that tests can share them.
 */
export async function crashedDatabase(writes: number): Promise<{ path: string; remove: () => void }> {
  const directory = mkdtempSync(join(memory, 'dinghy-database-'))
  const storage = openStorage(join(directory, 'alive.db'))
  for (let number = 1; number <= writes; number++) await storage.write([numberedWrite(storage, number)])
  const path = join(directory, 'crashed.db')
  copyDatabase(join(directory, 'alive.db'), path)
  storage.close()
  return { path, remove: () => rmSync(directory, { recursive: true }) }
}

export function copyOf(database: string): string {
  const path = temporaryDatabase()
  copyDatabase(database, path)
  return path
}

export function copyDatabase(from: string, to: string): void {
  for (const ending of endings) {
    rmSync(to + ending, { force: true })
    if (existsSync(from + ending)) copyFileSync(from + ending, to + ending)
  }
}

export function flipByte(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  writeFileSync(file, bytes)
}

export function cutTo(file: string, bytes: number): void {
  truncateSync(file, bytes)
}

/** The same numbers for the same seed, from 0 up to and without `below`. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    // Numerical Recipes' generator; its upper bits are the good ones.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
