/**
 * kill -9 at any moment, by its outcome: what a process has written up to then is in the files, in the order in which
 * it wrote, and nothing else is. Between two commits the log may end at any byte.
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import {
  copyDatabase,
  cutTo,
  numberedWrite,
  openStorage,
  randomNumbers,
  temporaryDatabase,
  withStorage,
} from '../testing/database-fixture.ts'

/** The files after each of so many turns, in which writes and compactions came as the dice fell. */
async function life(path: string, turns: number, random: (below: number) => number): Promise<Moment[]> {
  const storage = openStorage(path)
  const moments: Moment[] = []
  for (let turn = 0; turn < turns; turn++) {
    if (turn > 0 && random(5) === 0) storage.compact(1 + random(storage.revision))
    // Some of them conflict; those take no number.
    const writes = Array.from({ length: 1 + random(4) }, (_, index) =>
      storage.write([numberedWrite(storage, turn + index)]),
    )
    const outcomes = await Promise.allSettled(writes)
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
    const files = temporaryDatabase()
    copyDatabase(path, files)
    const alive = storage.list('/').entries.map(({ key, revision }) => `${key} ${revision}`)
    moments.push({ files, revision: storage.revision, alive, logBytes: statSync(`${files}-wal`).size })
  }
  storage.close()
  return moments
}

interface Moment {
  files: string
  /** What was acknowledged by then. */
  revision: number
  alive: string[]
  logBytes: number
}

function seen(path: string): Pick<Moment, 'revision' | 'alive'> {
  return withStorage(path, (storage) => ({
    revision: storage.revision,
    alive: storage.list('/').entries.map(({ key, revision }) => `${key} ${revision}`),
  }))
}

test.each([1, 2, 3])('killed while it writes, it opens with all that was acknowledged (seed %i)', async (seed) => {
  const random = randomNumbers(seed)
  const moments = await life(temporaryDatabase(), 25, random)
  for (const [index, after] of moments.entries()) {
    const before = moments[index - 1]
    if (!before) continue
    for (let cut = 0; cut < 4; cut++) {
      // The mark is written last, so the one before still stands.
      const path = temporaryDatabase()
      copyDatabase(after.files, path)
      writeFileSync(`${path}-mark`, readFileSync(`${before.files}-mark`))
      cutTo(`${path}-wal`, before.logBytes + random(after.logBytes - before.logBytes))
      expect(seen(path)).toMatchObject({ revision: before.revision, alive: before.alive })
    }
    // And all of it was written, but nobody had been told.
    const path = temporaryDatabase()
    copyDatabase(after.files, path)
    writeFileSync(`${path}-mark`, readFileSync(`${before.files}-mark`))
    expect(seen(path)).toMatchObject({ revision: after.revision, alive: after.alive })
  }
})

test('a transaction half on the disk, its end before its beginning, is one that nobody was told of', async () => {
  // What a power cut may leave, whereas a kill does not.
  const moments = await life(temporaryDatabase(), 8, randomNumbers(7))
  const [before, after] = [moments.at(-2), moments.at(-1)]
  if (!before || !after) throw new Error('nothing happened')
  const path = temporaryDatabase()
  copyDatabase(after.files, path)
  writeFileSync(`${path}-mark`, readFileSync(`${before.files}-mark`))
  const log = readFileSync(`${path}-wal`)
  writeFileSync(`${path}-wal`, log.fill(0, before.logBytes + 24, before.logBytes + 2000))
  expect(seen(path)).toMatchObject({ revision: before.revision, alive: before.alive })
  expect(readdirSync(dirname(path)).toSorted()).toEqual(['state.db', 'state.db-lock', 'state.db-mark'])
})

test('killed before its first write, or without ever having had one, it starts', () => {
  const path = temporaryDatabase()
  expect(seen(path).revision).toBe(0)
  expect(seen(path).revision).toBe(0)
  for (const ending of ['-mark', '-lock']) rmSync(path + ending)
  expect(seen(path).revision).toBe(0)
})
