import { beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { ExponentialRateLimiter } from './rate-limiter.ts'
import { WorkQueue } from './work-queue.ts'

let clock: FakeClock
let queue: WorkQueue
let stop: AbortController

beforeEach(() => {
  clock = new FakeClock()
  queue = new WorkQueue({ clock })
  stop = new AbortController()
})

function take() {
  return queue.take(stop.signal)
}
function keys(list: { key: string }[]): string[] {
  return list.map(({ key }) => key)
}

test('keys come out in the order in which they went in, each once', async () => {
  for (const key of ['a', 'b', 'a', 'c']) queue.add(key)
  expect(queue.length).toBe(3)
  expect(keys(queue.snapshot().queued)).toEqual(['a', 'b', 'c'])
  expect([await take(), await take(), await take()]).toMatchObject([{ key: 'a' }, { key: 'b' }, { key: 'c' }])
})

test.each([
  ['the newest revision wins', ['9', '10'], '10'],
  ['even when it came first', ['10', '9'], '10'],
  ['an add without a cause hides none', ['7', undefined], '7'],
  ['and there may be none', [undefined], undefined],
])('cause: %s', async (_name, causes, expected) => {
  for (const cause of causes) queue.add('a', cause)
  expect(await take()).toEqual({ key: 'a', cause: expected })
})

test('a key being worked on is not handed out again until it is done', async () => {
  queue.add('a', '1')
  await take()
  queue.add('a', '2')
  queue.add('b', '3')
  expect(await take()).toEqual({ key: 'b', cause: '3' })
  expect(queue.length).toBe(0)
  queue.done('a')
  expect(await take()).toEqual({ key: 'a', cause: '2' })
  queue.done('a')
  queue.done('b')
  expect(queue.snapshot()).toMatchObject({ queued: [], processing: [], totals: { adds: 3, done: 3 } })
})

test('a waiting taker is woken; every waiting taker gets its own key', async () => {
  const taken = Promise.all([take(), take()])
  queue.add('a')
  queue.add('b')
  expect((await taken).map((next) => next?.key)).toEqual(['a', 'b'])
})

test('an aborted taker takes nothing', async () => {
  const aborted = take()
  const other = queue.take(new AbortController().signal)
  stop.abort()
  expect(await aborted).toBeUndefined()
  queue.add('a')
  expect(await other).toMatchObject({ key: 'a' })
})

test('a key wakes another taker when the one it woke was aborted in the same turn', async () => {
  const aborted = take()
  const other = queue.take(new AbortController().signal)
  queue.add('a')
  stop.abort()
  expect(await aborted).toBeUndefined()
  expect(await other).toMatchObject({ key: 'a' })
})

describe('delays', () => {
  test('a delayed key comes when it is due, with the newest cause', async () => {
    queue.addAfter('a', 100, '5')
    queue.addAfter('a', 200, '6')
    await clock.advance(99)
    expect(queue.length).toBe(0)
    expect(queue.snapshot().delayed).toEqual([{ key: 'a', cause: '6', dueInMs: 1 }])
    await clock.advance(1)
    expect(await take()).toEqual({ key: 'a', cause: '6' })
    await clock.advance(1_000)
    expect(queue.snapshot()).toMatchObject({ queued: [], delayed: [] })
  })

  test('the earlier of two moments counts', async () => {
    queue.addAfter('a', 200)
    queue.addAfter('a', 50)
    await clock.advance(50)
    expect(queue.length).toBe(1)
  })

  test('a failing key waits twice as long each time, until it is forgotten', async () => {
    const waits: number[] = []
    for (let failures = 0; failures < 4; failures++) {
      queue.addRateLimited('a')
      waits.push(queue.snapshot().delayed[0]?.dueInMs ?? 0)
      await clock.advance(1_000)
    }
    queue.forget('a')
    expect(waits).toEqual([5, 10, 20, 40])
    expect(queue.failures('a')).toBe(0)
  })
})

test('no wait is longer than 1000 s', () => {
  const limiter = new ExponentialRateLimiter()
  const waits = Array.from({ length: 40 }, () => limiter.when('a'))
  expect(waits.slice(16, 19)).toEqual([327_680, 655_360, 1_000_000])
  expect(waits.at(-1)).toBe(1_000_000)
})

describe('the gate', () => {
  test('pause holds keys back, step lets one through, resume lets all through', async () => {
    queue.pause()
    for (const key of ['a', 'b', 'c']) queue.add(key)
    const taken: string[] = []
    const worker = (async () => {
      for (let next = await take(); next; next = await take()) {
        taken.push(next.key)
        queue.done(next.key)
      }
    })()
    await clock.advance(0)
    expect(taken).toEqual([])
    expect(queue.step()).toBe('a')
    await clock.advance(0)
    expect(taken).toEqual(['a'])
    expect(queue.snapshot()).toMatchObject({ paused: true, queued: [{ key: 'b' }, { key: 'c' }] })
    queue.resume()
    await clock.advance(0)
    expect(taken).toEqual(['a', 'b', 'c'])
    stop.abort()
    await worker
  })

  test('steps before a worker comes add up; with nothing to let through, step says so', async () => {
    queue.pause()
    expect(queue.step()).toBeUndefined()
    queue.add('a')
    queue.add('b')
    expect([queue.step(), queue.step(), queue.step()]).toEqual(['a', 'b', undefined])
    expect([await take(), await take()]).toMatchObject([{ key: 'a' }, { key: 'b' }])
    queue.add('c')
    const waiting = take()
    await clock.advance(0)
    expect(queue.length).toBe(1)
    stop.abort()
    expect(await waiting).toBeUndefined()
  })
})

test('shutting down drops what is delayed, lets what is queued be taken, and then ends every take', async () => {
  queue.add('a')
  queue.addAfter('b', 10)
  queue.shutDown()
  queue.add('c')
  await clock.advance(100)
  expect(clock.pending).toBe(0)
  expect([await take(), await take()]).toEqual([{ key: 'a', cause: undefined }, undefined])
})
