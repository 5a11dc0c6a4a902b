import { FakeClock } from '@dinghy/shared/api/clock'
import type { Pod } from '@dinghy/shared/api/types'
import { beforeEach, describe, expect, test } from 'vitest'
import type { ClusterEvent } from './framework.ts'
import { SchedulingQueue, type QueuedPod } from './scheduling-queue.ts'
import { node, pod } from './testing/objects.ts'

const nodeAdded: ClusterEvent = { type: 'NodeAdded', node: node('n') }
const podLeft: ClusterEvent = { type: 'AssignedPodDeleted', pod: pod('other') }
const refusedBy = new Set(['Fit'])

let clock: FakeClock
let queue: SchedulingQueue
let controller: AbortController

beforeEach(() => {
  clock = new FakeClock()
  controller = new AbortController()
  // In these tests a new node helps everybody, and nothing else helps anybody.
  queue = new SchedulingQueue({ clock, isHelpedBy: (event, _pod, by) => event.type === 'NodeAdded' && by.has('Fit') })
})

/** The next pod; throws if none can be had now. */
async function take(): Promise<QueuedPod> {
  if (queue.length === 0) throw new Error('nothing is ready')
  const next = await queue.take(controller.signal)
  if (next === undefined) throw new Error('aborted')
  return next
}
function name(item: QueuedPod) {
  return item.pod.metadata.name
}
function waits() {
  return queue.pending
}

describe('order', () => {
  test('importance first, then who waits longest', async () => {
    queue.add(pod('early'), '1')
    await clock.advance(5)
    queue.add(pod('late'), '2')
    queue.add(pod('later'), '3')
    queue.add(pod('important', { priority: 10 }), '4')
    const order = [await take(), await take(), await take(), await take()]
    expect(order.map(name)).toEqual(['important', 'early', 'late', 'later'])
    expect(order.map(({ cause }) => cause)).toEqual(['4', '1', '2', '3'])
  })

  test('a taker waits for a pod, or for the end', async () => {
    const taken = queue.take(controller.signal)
    queue.add(pod('a'), '1')
    expect((await taken)?.key).toBe('default/a')
    const next = queue.take(controller.signal)
    controller.abort()
    expect(await next).toBeUndefined()
  })
})

describe('a pod that fits nowhere', () => {
  const refused = async (one: Pod = pod('a')) => {
    queue.add(one, '1')
    queue.refuse(await take(), refusedBy)
  }

  test('waits until something happens that helps it', async () => {
    await refused()
    queue.notify(podLeft, '7')
    expect(waits()).toMatchObject({ unschedulable: 1, active: 0, backoff: 0 })
    await clock.advance(20_000)
    queue.notify(nodeAdded, '8')
    expect(waits()).toMatchObject({ unschedulable: 0, active: 1 })
    expect(await take()).toMatchObject({ cause: '8', attempts: 2 })
  })

  test('comes from backoff at once if nobody else is ready, else when its time has come', async () => {
    await refused()
    queue.notify(nodeAdded, '8')
    queue.add(pod('b'), '9')
    expect(waits()).toMatchObject({ active: 1, backoff: 1 })
    expect([name(await take()), name(await take())]).toEqual(['b', 'a'])
  })

  test('backoff doubles from one second to ten', async () => {
    queue.add(pod('a'), '1')
    const delays: number[] = []
    for (let attempt = 0; attempt < 6; attempt++) {
      queue.refuse(await take(), refusedBy)
      queue.notify(nodeAdded, '2')
      delays.push(queue.snapshot().delayed[0]?.dueInMs ?? 0)
      await clock.advance(delays.at(-1) ?? 0)
      expect(waits()).toMatchObject({ active: 1, backoff: 0 })
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000])
  })

  test('is tried again after five minutes whatever happens', async () => {
    await refused()
    await clock.advance(5 * 60_000 - 1)
    expect(waits().unschedulable).toBe(1)
    await clock.advance(1)
    expect(waits()).toMatchObject({ unschedulable: 0, active: 1 })
    expect(name(await take())).toBe('a')
  })

  test('an event while it is being tried is not lost on it', async () => {
    queue.add(pod('a'), '1')
    const item = await take()
    queue.notify(nodeAdded, '5')
    queue.notify(podLeft, '6')
    queue.refuse(item, refusedBy)
    expect(queue.snapshot().delayed).toEqual([{ key: 'default/a', cause: '5', dueInMs: 1000 }])
  })

  test('changing it is a reason to try again, a note in its status is not', async () => {
    await refused()
    queue.add(pod('a', { status: { phase: 'Pending', message: 'no node fits' } }), '2')
    expect(waits().unschedulable).toBe(1)
    queue.add(pod('a', { labels: { now: 'matching' } }), '3')
    expect(waits().unschedulable).toBe(0)
    expect(await take()).toMatchObject({ cause: '3', pod: { metadata: { labels: { now: 'matching' } } } })
  })

  test('changed while being tried, it is tried again', async () => {
    queue.add(pod('a'), '1')
    const item = await take()
    queue.add(pod('a', { labels: { x: 'y' } }), '2')
    queue.refuse(item, refusedBy)
    expect((await take()).pod.metadata.labels).toEqual({ x: 'y' })
  })
})

describe('errors', () => {
  test('a pod whose binding broke stays in backoff even if the scheduler is idle', async () => {
    queue.add(pod('a'), '1')
    queue.fail(await take())
    expect(queue.length).toBe(0)
    await clock.advance(999)
    expect(queue.length).toBe(0)
    await clock.advance(1)
    expect(await take()).toMatchObject({ key: 'default/a', attempts: 2 })
  })
})

describe('pods that go', () => {
  test('are forgotten wherever they wait', async () => {
    for (const place of ['active', 'unschedulable', 'backoff'] as const) {
      queue.add(pod('a'), '1')
      if (place === 'unschedulable') queue.refuse(await take(), refusedBy)
      if (place === 'backoff') queue.fail(await take())
      expect(waits()[place]).toBe(1)
      queue.delete('default/a')
      expect([waits(), queue.has('default/a')]).toEqual([{ active: 0, backoff: 0, unschedulable: 0, gated: 0 }, false])
    }
    expect(clock.pending).toBe(0)
  })

  test('deleted while being tried, it does not come back', async () => {
    queue.add(pod('a'), '1')
    const item = await take()
    queue.delete(item.key)
    queue.refuse(item, refusedBy)
    queue.fail(item)
    expect(waits()).toEqual({ active: 0, backoff: 0, unschedulable: 0, gated: 0 })
  })

  test('another pod of the same name starts anew', async () => {
    queue.add(pod('a'), '1')
    queue.refuse(await take(), refusedBy)
    const second = pod('a')
    second.metadata.uid = 'another'
    queue.add(second, '2')
    expect(await take()).toMatchObject({ attempts: 1, cause: '2', pod: { metadata: { uid: 'another' } } })
  })
})

test('a pod with scheduling gates waits until they are gone, whatever happens', async () => {
  const gated = pod('a', { spec: { schedulingGates: [{ name: 'example.com/quota' }] } })
  queue.add(gated, '1')
  queue.notify(nodeAdded, '2')
  await clock.advance(10 * 60_000)
  expect(waits()).toEqual({ active: 0, backoff: 0, unschedulable: 0, gated: 1 })
  expect(queue.snapshot().unschedulable).toEqual([{ key: 'default/a', refusedBy: [], gates: ['example.com/quota'] }])
  queue.add(pod('a'), '3')
  expect(await take()).toMatchObject({ key: 'default/a', cause: '3' })
})

describe('pause and step', () => {
  test('nothing passes a closed gate but what is stepped through, in order', async () => {
    queue.add(pod('a'), '1')
    queue.add(pod('b', { priority: 1 }), '2')
    queue.add(pod('c'), '3')
    expect(queue.step()).toBeUndefined()
    queue.pause()
    const taken: string[] = []
    const worker = (async () => {
      for (let item = await queue.take(controller.signal); item; item = await queue.take(controller.signal)) {
        taken.push(name(item))
        queue.done(item)
      }
    })()
    await clock.advance(0)
    expect(taken).toEqual([])
    expect(queue.step()).toBe('default/b')
    await clock.advance(0)
    expect(taken).toEqual(['b'])
    expect([queue.step(), queue.step(), queue.step()]).toEqual(['default/a', 'default/c', undefined])
    await clock.advance(0)
    expect(taken).toEqual(['b', 'a', 'c'])
    queue.add(pod('d'), '4')
    queue.resume()
    await clock.advance(0)
    expect(taken).toEqual(['b', 'a', 'c', 'd'])
    controller.abort()
    await worker
  })

  test('the snapshot shows who waits where, and why', async () => {
    queue.add(pod('refused'), '1')
    queue.refuse(await take(), refusedBy)
    queue.add(pod('broken'), '2')
    queue.fail(await take())
    queue.add(pod('tried'), '3')
    await take()
    queue.add(pod('ready'), '4')
    queue.pause()
    expect(queue.snapshot()).toEqual({
      paused: true,
      queued: [{ key: 'default/ready', cause: '4' }],
      processing: [{ key: 'default/tried', cause: '3' }],
      delayed: [{ key: 'default/broken', cause: '2', dueInMs: 1000 }],
      unschedulable: [{ key: 'default/refused', refusedBy: ['Fit'] }],
      totals: { added: 4, attempts: 3, unschedulable: 1, errors: 1 },
    })
  })
})
