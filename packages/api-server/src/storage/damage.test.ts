/** Databases that something has happened to: what is told, what is saved, and what has to open without a word. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  copyDatabase,
  copyOf,
  crashedDatabase,
  cutTo,
  flipByte,
  numberedWrite,
  openStorage,
  randomNumbers,
  withStorage,
} from '../testing/database-fixture.ts'
import { acceptDataLoss } from './data-loss.ts'
import { DatabaseDamaged } from './database-file.ts'
import { RevisionCompacted } from './storage.ts'

const writes = 60
const frame = 24 + 4096
const goOn = '`dinghy up --accept-data-loss` goes on with what is left'

/** A frame of the transaction that wrote the last revision is at the end. */
function logSize(path: string): number {
  return statSync(`${path}-wal`).size
}

function middleOf(path: string): number {
  return 32 + Math.floor(logSize(path) / frame / 2) * frame
}

function numberOf(path: string): number {
  return withStorage(path, (storage) => storage.revision)
}

const damages: Record<string, (path: string) => void> = {
  'a byte in the middle of the log': (path) => flipByte(`${path}-wal`, middleOf(path) + 100),
  'a salt in the middle of the log': (path) => flipByte(`${path}-wal`, middleOf(path) + 10),
  'a checksum in the middle of the log': (path) => flipByte(`${path}-wal`, middleOf(path) + 18),
  'a page number in the middle of the log': (path) => flipByte(`${path}-wal`, middleOf(path) + 3),
  "the log's magic number": (path) => flipByte(`${path}-wal`, 0),
  "the log's salt": (path) => flipByte(`${path}-wal`, 17),
  "the log's own checksum": (path) => flipByte(`${path}-wal`, 25),
  'the first frame of the log': (path) => flipByte(`${path}-wal`, 32 + 24),
  'the last frame of the log': (path) => flipByte(`${path}-wal`, logSize(path) - 1000),
  'half of the log is gone': (path) => cutTo(`${path}-wal`, Math.floor(logSize(path) / 2)),
  'half of its frames are gone': (path) => cutTo(`${path}-wal`, middleOf(path)),
  'the log is gone': (path) => rmSync(`${path}-wal`),
  'the database is gone': (path) => rmSync(path),
  'an empty file is in its place': (path) => writeFileSync(path, ''),
}

let [crashed, older] = ['', '']
beforeAll(async () => {
  const [one, other] = [await crashedDatabase(writes), await crashedDatabase(20)]
  crashed = one.path
  older = other.path
  return () => [one, other].forEach(({ remove }) => remove())
})

describe.each(Object.entries(damages))('%s', (_name, damage) => {
  test('is told in one sentence, and looking changes nothing', () => {
    const path = copyOf(crashed)
    damage(path)
    const log = existsSync(`${path}-wal`) ? readFileSync(`${path}-wal`) : undefined
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(() => openStorage(path)).toThrow(DatabaseDamaged)
      expect(() => openStorage(path)).toThrow(
        new RegExp(`^${path} has lost acknowledged writes: revisions \\d+ to ${writes} are gone; ${goOn}$`),
      )
    }
    // A log that is merely shorter is a good one to SQLite, which then has no reason to keep it.
    if (log && existsSync(`${path}-wal`)) expect(readFileSync(`${path}-wal`).equals(log)).toBe(true)
  })

  test('is gone on with, and no revision is given out twice', async () => {
    const path = copyOf(crashed)
    damage(path)
    expect(acceptDataLoss({ path, lockTimeoutMs: 0 })).toContain(`${path}.damaged`)
    const storage = openStorage(path)
    expect(storage.revision).toBe(writes)
    for (const entry of storage.list('/').entries) {
      expect(JSON.parse(entry.value.toString())).toMatchObject({ data: { number: entry.revision } })
    }
    expect(() => storage.watch('/', writes - 1, new AbortController().signal)).toThrow(RevisionCompacted)
    const [entry] = await storage.write([numberedWrite(storage, writes + 1)])
    expect(entry?.revision).toBe(writes + 1)
    storage.close()
    expect(numberOf(path)).toBe(writes + 1)
  })
})

test('a byte in the middle of the log costs what was in its page, not all that came later', () => {
  const path = copyOf(crashed)
  flipByte(`${path}-wal`, middleOf(path) + 100)
  expect(() => openStorage(path)).toThrow(/revisions [23]\d to 60 are gone/)
  expect(acceptDataLoss({ path, lockTimeoutMs: 0 })).toContain('60 revisions are saved')
})

test('damage of the log is told although there is no mark', () => {
  const path = copyOf(crashed)
  rmSync(`${path}-mark`)
  flipByte(`${path}-wal`, middleOf(path) + 100)
  expect(() => openStorage(path)).toThrow(/what came after revision [23]\d is gone/)
})

test('an older copy in its place is told, and can be gone on with', () => {
  const path = copyOf(crashed)
  const mark = readFileSync(`${path}-mark`)
  copyDatabase(older, path)
  writeFileSync(`${path}-mark`, mark)
  expect(() => openStorage(path)).toThrow('revisions 21 to 60 are gone')
  expect(acceptDataLoss({ path, lockTimeoutMs: 0 })).toContain('revisions 21 to 60 are lost; 20 revisions are saved')
  expect(numberOf(path)).toBe(writes)
})

test('a database that is whole stays as it is', () => {
  const path = copyOf(crashed)
  expect(acceptDataLoss({ path, lockTimeoutMs: 0 })).toBe(`${path} is whole: nothing is lost`)
  expect(withStorage(path, (storage) => storage.history('/core/configmaps/default/c0').length)).toBe(writes / 3)
})

test('a mark that cannot be read, or says less, hinders nobody', () => {
  for (const text of ['', 'rubbish', '\0'.repeat(26), readFileSync(`${older}-mark`, 'utf8')]) {
    const path = copyOf(crashed)
    writeFileSync(`${path}-mark`, text)
    expect(numberOf(path)).toBe(writes)
    expect(readFileSync(`${path}-mark`, 'utf8')).toMatch(/^0+60 [0-9a-f]{8}\n$/)
  }
})

test.each([1, 2])('any byte of the database file (seed %i): told, or nothing that is read has changed', (seed) => {
  const whole = copyOf(crashed)
  numberOf(whole)
  expect(existsSync(`${whole}-wal`)).toBe(false)
  const read = (path: string) => withStorage(path, (storage) => JSON.stringify(storage.list('/').entries))
  const before = read(whole)
  const random = randomNumbers(seed)
  const told = new Set<boolean>()
  for (let round = 0; round < 60; round++) {
    const path = copyOf(whole)
    flipByte(path, random(statSync(path).size))
    let now: string | undefined
    try {
      now = read(path)
    } catch (error) {
      expect(error).toBeInstanceOf(DatabaseDamaged)
    }
    told.add(now === undefined)
    if (now !== undefined) expect(now).toBe(before)
  }
  expect(told).toEqual(new Set([true, false]))
})

test('a damaged revision of the past is told to whoever reads it', () => {
  const path = copyOf(crashed)
  numberOf(path)
  // A page that was split has kept what moved away, so there may be copies that nobody reads.
  const bytes = readFileSync(path, 'latin1')
  for (const { index } of bytes.matchAll(/"number":4}/g)) flipByte(path, index + 2)
  withStorage(path, (storage) => {
    expect(() => storage.revisionAt(4)).toThrow('revision 4 of /core/configmaps/default/c1 is damaged')
    expect(storage.revisionAt(5)).toMatchObject({ object: { data: { number: 5 } } })
  })
})
