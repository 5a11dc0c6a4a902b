import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { SqliteStorage } from './sqlite.ts'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Entry, Mutation, StorageEvent } from './storage.ts'
import { RevisionCompacted, RevisionConflict, RevisionInFuture, SlowWatcher } from './storage.ts'

let storage: SqliteStorage
const clock = new FakeClock()

beforeEach(() => (storage = new SqliteStorage({ path: ':memory:', clock, maxUnreadEvents: 10 })))
afterEach(() => storage.close())

function object(name: string, data = '') {
  return { apiVersion: 'v1', kind: 'Thing', metadata: { name }, data } as unknown as KubernetesObject
}
function dataOf(entry: Entry | undefined) {
  return (entry?.object as unknown as { data: string } | undefined)?.data
}
function put(key: string, expected: number, data = ''): Mutation {
  return {
    key,
    expected,
    object: object(key.slice(key.lastIndexOf('/') + 1), data),
    actor: 'test',
  }
}
async function writeOne(mutation: Mutation): Promise<Entry> {
  const [entry] = await storage.write([mutation])
  if (!entry) throw new Error('nothing was written')
  return entry
}
function remove(key: string, expected: number): Mutation {
  return { ...put(key, expected), deleted: true }
}

async function take(events: AsyncIterable<StorageEvent>, count: number): Promise<string[]> {
  const seen: string[] = []
  for await (const event of events) {
    seen.push(
      event.type === 'PROGRESS' ? `PROGRESS ${event.revision}` : `${event.type} ${event.entry.key} ${event.revision}`,
    )
    if (seen.length === count) break
  }
  return seen
}

describe('writing', () => {
  test('numbers revisions from 1 and renders them into the value', async () => {
    const entry = await writeOne(put('/a/1', 0))
    expect(entry.revision).toBe(1)
    expect(JSON.parse(entry.value.toString()).metadata.resourceVersion).toBe('1')
    expect(storage.get('/a/1')).toBe(entry)
  })

  test('a conflict fails only its own write and takes no revision', async () => {
    await storage.write([put('/a/1', 0)])
    const outcomes = await Promise.allSettled([
      storage.write([put('/a/1', 1, 'first')]),
      storage.write([put('/a/1', 1, 'second')]),
      storage.write([put('/a/2', 0)]),
    ])
    expect(outcomes.map((o) => o.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((outcomes[1] as PromiseRejectedResult).reason).toBeInstanceOf(RevisionConflict)
    expect(dataOf(storage.get('/a/1'))).toBe('first')
    expect(storage.revision).toBe(3)
    expect(storage.get('/a/2')?.revision).toBe(3)
  })

  test('a batch applies as a whole or not at all', async () => {
    await expect(storage.write([put('/a/1', 0), put('/a/2', 7)])).rejects.toBeInstanceOf(RevisionConflict)
    expect(storage.get('/a/1')).toBeUndefined()
    expect(storage.revision).toBe(0)
  })

  test('readers see nothing before the commit', async () => {
    const written = storage.write([put('/a/1', 0)])
    expect(storage.get('/a/1')).toBeUndefined()
    await written
    expect(storage.get('/a/1')).toBeDefined()
  })

  test('a deleted key can be created again, as a new object', async () => {
    await storage.write([put('/a/1', 0)])
    await storage.write([remove('/a/1', 1)])
    expect(storage.get('/a/1')).toBeUndefined()
    const entry = await writeOne(put('/a/1', 0))
    expect(entry.createRevision).toBe(3)
    expect(storage.history('/a/1').map((r) => `${r.revision} ${r.verb} after ${r.previous}`)).toEqual([
      '3 create after 2',
      '2 delete after 1',
      '1 create after 0',
    ])
  })

  test('remembers who wrote and why', async () => {
    await storage.write([put('/a/1', 0)])
    await storage.write([{ ...put('/a/2', 0), actor: 'scheduler', cause: 1 }])
    expect(storage.revisionAt(2)).toMatchObject({ actor: 'scheduler', cause: 1, at: clock.now(), verb: 'create' })
    expect(storage.revisionAt(3)).toBeUndefined()
  })
})

describe('reading', () => {
  beforeEach(async () => {
    await storage.write([put('/a/1', 0, 'old'), put('/a/2', 0), put('/a/3', 0), put('/b/1', 0)])
    await storage.write([put('/a/1', 1, 'new'), remove('/a/2', 2)])
  })
  const keys = (revision?: number, limit?: number, after?: string) =>
    storage.list('/a/', { revision, limit, after }).entries.map((e) => e.key)

  test('lists the present in key order', () => expect(keys()).toEqual(['/a/1', '/a/3']))
  test('lists the past', () => expect(keys(4)).toEqual(['/a/1', '/a/2', '/a/3']))
  test('lists a past in which half had happened', () => expect(keys(2)).toEqual(['/a/1', '/a/2']))
  test('continues after a key', () => expect(keys(4, 1, '/a/1')).toEqual(['/a/2']))
  test('says what the limit cut off, now and then', () => {
    expect(storage.list('/a/', { limit: 1 })).toMatchObject({ revision: 6, remaining: 1, continue: '/a/1' })
    expect(storage.list('/a/', { limit: 1, revision: 4 })).toMatchObject({ remaining: 2, continue: '/a/1' })
    expect(storage.list('/a/', { limit: 5 }).continue).toBeUndefined()
  })
  test('gets the past', () => {
    expect(dataOf(storage.get('/a/1', 4))).toBe('old')
    expect(storage.get('/a/2', 4)).toBeDefined()
    expect(storage.get('/a/2', 6)).toBeUndefined()
  })
  test('refuses the future', () => expect(() => storage.get('/a/1', 7)).toThrow(RevisionInFuture))
  test('counts', () => expect(storage.count('/a/')).toBe(2))
})

describe('watching', () => {
  test('continues from a revision, then lives', async () => {
    await storage.write([put('/a/1', 0), put('/b/1', 0)])
    await storage.write([put('/a/1', 1)])
    const seen = take(storage.watch('/a/', 1, new AbortController().signal), 3)
    await storage.write([remove('/a/1', 3)])
    await storage.write([put('/a/2', 0)])
    expect(await seen).toEqual(['MODIFIED /a/1 3', 'DELETED /a/1 4', 'ADDED /a/2 5'])
  })

  test('tells the previous state', async () => {
    await storage.write([put('/a/1', 0, 'old')])
    await storage.write([put('/a/1', 1, 'new')])
    for await (const event of storage.watch('/a/', 1, new AbortController().signal)) {
      if (event.type !== 'PROGRESS') expect(dataOf(event.previous)).toBe('old')
      break
    }
  })

  test('puts progress behind the waiting events', async () => {
    const watch = storage.watch('/a/', 0, new AbortController().signal)
    await storage.write([put('/a/1', 0), put('/b/1', 0)])
    watch.requestProgress()
    expect(await take(watch, 2)).toEqual(['ADDED /a/1 1', 'PROGRESS 2'])
  })

  test('ends when aborted', async () => {
    const abort = new AbortController()
    const seen = take(storage.watch('/a/', 0, abort.signal), 5)
    await storage.write([put('/a/1', 0)])
    // The watcher takes the event in microtasks; the next write's commit comes after them.
    await storage.write([put('/b/1', 0)])
    abort.abort()
    expect(await seen).toEqual(['ADDED /a/1 1'])
  })

  test('cuts off who does not read', async () => {
    const watch = storage.watch('/a/', 0, new AbortController().signal)
    await storage.write(Array.from({ length: 11 }, (_, i) => put(`/a/${i}`, 0)))
    await expect(take(watch, 20)).rejects.toBeInstanceOf(SlowWatcher)
  })

  test('reads what memory has lost from the table', async () => {
    // Every seventh of 3,000 revisions is of /a/x: 1, 8, 15, …
    const writes = Array.from({ length: 3000 }, (_, i) =>
      i % 7 === 0 ? put('/a/x', Math.max(0, i - 6)) : put(`/a/${i}`, 0),
    )
    await Promise.all(writes.map((write) => storage.write([write])))
    const seen = await take(storage.watch('/a/x', 1, new AbortController().signal), 428)
    expect(seen[0]).toBe('MODIFIED /a/x 8')
    expect(seen.at(-1)).toBe('MODIFIED /a/x 2997')
    expect(new Set(seen).size).toBe(428)
  })
})

describe('compaction', () => {
  beforeEach(async () => {
    await storage.write([put('/a/1', 0, 'r1'), put('/noise/1', 0)])
    await storage.write([put('/a/1', 1, 'r3'), put('/noise/1', 2)])
    await storage.write([put('/a/1', 3, 'r5'), remove('/noise/1', 4)])
  })

  test('keeps what was current then and refuses what came before', () => {
    storage.compact(4)
    expect(dataOf(storage.get('/a/1', 4))).toBe('r3')
    expect(() => storage.get('/a/1', 3)).toThrow(RevisionCompacted)
    expect(() => storage.watch('/a/', 3, new AbortController().signal)).toThrow(RevisionCompacted)
    expect(storage.history('/a/1').map((r) => r.revision)).toEqual([5, 3])
  })

  test('of a noisy prefix leaves the rest readable', () => {
    storage.compact(6, '/noise/')
    expect(dataOf(storage.get('/a/1', 1))).toBe('r1')
    expect(() => storage.get('/noise/1', 5)).toThrow(RevisionCompacted)
    expect(() => storage.list('/', { revision: 5 })).toThrow(RevisionCompacted)
  })

  test('a tombstone that is gone does not hinder a new creation', async () => {
    await storage.write([put('/a/2', 0)])
    storage.compact(7)
    expect(storage.history('/noise/1')).toEqual([])
    const entry = await writeOne(put('/noise/1', 0))
    expect(entry.revision).toBe(8)
  })
})

describe('on disk', () => {
  test('everything acknowledged survives a crash', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'dinghy-storage-'))
    const path = join(dir, 'state.db')
    const first = new SqliteStorage({ path, clock })
    await first.write([put('/a/1', 0, 'kept'), put('/a/2', 0)])
    await first.write([remove('/a/2', 2)])
    first.compact(1)
    // What a crash leaves: the files as they are, never closed.
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, join(dir, `crashed.db${suffix}`))
    const second = new SqliteStorage({ path: join(dir, 'crashed.db'), clock })
    expect(second.revision).toBe(3)
    expect(dataOf(second.get('/a/1'))).toBe('kept')
    expect(second.get('/a/2')).toBeUndefined()
    expect(() => second.get('/a/1', 0)).toThrow(RevisionCompacted)
    expect(await take(second.watch('/a/', 1, new AbortController().signal), 2)).toEqual([
      'ADDED /a/2 2',
      'DELETED /a/2 3',
    ])
    first.close()
    second.close()
    rmSync(dir, { recursive: true })
  })

  test('nobody sees or hears of a write before the disk has it; what comes meanwhile shares the next commit', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'dinghy-storage-'))
    const disk: ((error: Error | null) => void)[] = []
    const forceToDisk = (_file: number, done: (error: Error | null) => void) => void disk.push(done)
    const slow = new SqliteStorage({ path: join(dir, 'state.db'), clock, forceToDisk })
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    const told: string[] = []
    const tell = (what: string) => () => void told.push(what)
    const watch = take(slow.watch('/', 0, new AbortController().signal), 3)
    void slow.write([put('/a/1', 0, 'first')]).then(tell('first'))
    await turn()
    void slow.write([put('/a/1', 1, 'second')]).then(tell('second'))
    void slow.write([put('/a/2', 0)]).then(tell('third'))
    void slow.write([put('/a/2', 7)]).catch(tell('conflict'))
    await turn()
    expect(disk).toHaveLength(1)
    expect(told).toEqual([])
    expect(slow.get('/a/1')).toBeUndefined()
    expect([slow.revision, slow.newestOf('/a/1'), slow.revisionAt(1), slow.history('/a/1')]).toEqual([
      0,
      0,
      undefined,
      [],
    ])
    disk.shift()?.(null)
    await turn()
    await turn()
    expect(told).toEqual(['first', 'conflict'])
    expect(slow.revision).toBe(1)
    disk.shift()?.(null)
    await turn()
    expect(told).toEqual(['first', 'conflict', 'second', 'third'])
    expect(await watch).toEqual(['ADDED /a/1 1', 'MODIFIED /a/1 2', 'ADDED /a/2 3'])
    slow.close()
    rmSync(dir, { recursive: true })
  })

  test('who lost is told before who came late, so that all of many who try again have their turn', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'dinghy-storage-'))
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    const forceToDisk = (_file: number, done: (error: Error | null) => void) => {
      void turn()
        .then(turn)
        .then(turn)
        .then(turn)
        .then(() => done(null))
    }
    const slow = new SqliteStorage({ path: join(dir, 'state.db'), clock, forceToDisk })
    const attempts = new Map<string, number>()
    const writer = async (name: string) => {
      for (let number = 0; number < 20; number++) {
        for (let attempt = 1, isOver = false; !isOver; attempt++) {
          attempts.set(name, Math.max(attempts.get(name) ?? 0, attempt))
          isOver = await slow.write([put('/a/1', slow.get('/a/1')?.revision ?? 0)]).then(
            () => true,
            () => false,
          )
        }
        // As a client does, which sends its next request when it has read the answer.
        await turn()
        await turn()
      }
    }
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    await Promise.all(names.map(writer))
    expect(slow.revision).toBe(20 * names.length)
    expect(Math.max(...attempts.values())).toBeLessThanOrEqual(names.length)
    slow.close()
    rmSync(dir, { recursive: true })
  })

  test('when the disk fails nothing more is written, and what it had shows at the next start', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'dinghy-storage-'))
    const path = join(dir, 'state.db')
    const broken = new Error('EIO: i/o error, fdatasync')
    const failing = new SqliteStorage({ path, clock, forceToDisk: (_file, done) => done(broken) })
    await expect(failing.write([put('/a/1', 0)])).rejects.toBe(broken)
    await expect(failing.write([put('/a/2', 0)])).rejects.toBe(broken)
    expect(() => failing.check()).toThrow(broken)
    expect([failing.revision, failing.get('/a/1')]).toEqual([0, undefined])
    failing.close()
    const next = new SqliteStorage({ path, clock })
    expect([next.get('/a/1')?.revision, next.get('/a/2')]).toEqual([1, undefined])
    next.close()
    rmSync(dir, { recursive: true })
  })

  test('what is queued or on its way when it closes is written', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'dinghy-storage-'))
    const path = join(dir, 'state.db')
    const first = new SqliteStorage({ path, clock })
    const one = first.write([put('/a/1', 0)])
    await new Promise((resolve) => setImmediate(resolve))
    const two = first.write([put('/a/2', 0)])
    first.close()
    expect((await Promise.all([one, two])).flat().map(({ revision }) => revision)).toEqual([1, 2])
    const second = new SqliteStorage({ path, clock })
    expect(second.count('/a/')).toBe(2)
    second.close()
    rmSync(dir, { recursive: true })
  })

  test('a second server on the same file is refused', () => {
    const dir = mkdtempSync(join(tmpdir(), 'dinghy-storage-'))
    const path = join(dir, 'state.db')
    const first = new SqliteStorage({ path, clock })
    expect(() => new SqliteStorage({ path, clock, lockTimeoutMs: 0 })).toThrow(/locked/)
    expect(readdirSync(dir)).not.toContain('state.db-lock-journal')
    first.close()
    rmSync(dir, { recursive: true })
  })
})
