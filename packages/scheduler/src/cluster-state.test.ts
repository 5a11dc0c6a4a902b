/**
 * The cache, the nominations, and the handlers that keep them and the queue up to date.
 */
import { FakeClock } from '@dinghy/shared/api/clock'
import type { Node, Pod } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { beforeEach, describe, expect, test } from 'vitest'
import { SchedulerCache } from './cache.ts'
import { onNode, onPod, type ClusterState } from './event-handlers.ts'
import type { ClusterEvent } from './framework.ts'
import { Nominations } from './nominations.ts'
import { Profiles } from './profiles.ts'
import { SchedulingQueue } from './scheduling-queue.ts'
import { nameOf } from './snapshot.ts'
import { cluster, node, pod } from './testing/objects.ts'

const { lookups } = cluster([])
const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Node name → the names of the pods that are counted there. */
function counted(cache: SchedulerCache): Record<string, string[]> {
  return Object.fromEntries(
    cache.snapshot(lookups).nodes.map((info) => [nameOf(info), info.pods.map(({ metadata }) => metadata.name)]),
  )
}

describe('cache', () => {
  let cache: SchedulerCache
  beforeEach(() => {
    cache = new SchedulerCache({ log: quiet })
    cache.setNode(node('a'))
    cache.setNode(node('b'))
  })

  test('an assumed pod is counted at once, and freed if its binding fails', () => {
    const p = pod('p', { requests: { cpu: '3' } })
    cache.assume(p, 'a')
    expect(counted(cache)).toEqual({ a: ['p'], b: [] })
    expect(cache.snapshot(lookups).nodes[0]?.requested).toEqual({ cpu: 3000 })
    expect(cache.isAssumed(p)).toBe(true)
    cache.forget(p)
    expect(counted(cache)).toEqual({ a: [], b: [] })
  })

  test('what the informer says wins, and forget no longer does anything', () => {
    cache.assume(pod('p'), 'a')
    cache.setPod(pod('p', { nodeName: 'b' }))
    cache.forget(pod('p'))
    expect(counted(cache)).toEqual({ a: [], b: ['p'] })
  })

  test('another pod of the same name is not assumed', () => {
    cache.assume(pod('p'), 'a')
    const other = pod('p')
    other.metadata.uid = 'another'
    expect(cache.isAssumed(other)).toBe(false)
  })

  test('a node that goes and comes back still has its pods', () => {
    cache.setPod(pod('p', { nodeName: 'a' }))
    cache.removeNode('a')
    expect(counted(cache)).toEqual({ b: [] })
    cache.setNode(node('a'))
    expect(counted(cache)).toEqual({ b: [], a: ['p'] })
    expect(cache.removePod('default/p')).toBe(true)
    expect(cache.removePod('default/p')).toBe(false)
  })

  test('a pod may be heard of before its node', () => {
    cache.setPod(pod('p', { nodeName: 'late' }))
    cache.setNode(node('late'))
    expect(counted(cache)['late']).toEqual(['p'])
  })

  test('a snapshot does not change afterwards, and nodes without changes are not computed again', () => {
    const before = cache.snapshot(lookups)
    cache.assume(pod('p'), 'a')
    const after = cache.snapshot(lookups)
    expect(before.nodes.map(({ pods }) => pods.length)).toEqual([0, 0])
    expect(after.nodes[1]).toBe(before.nodes[1])
  })
})

describe('nominations', () => {
  const names = (nominations: Nominations) =>
    Object.fromEntries(
      Array.from(nominations.byNode(), ([node, pods]) => [node, pods.map(({ metadata }) => metadata.name)]),
    )
  const nominated = pod('p', { status: { nominatedNodeName: 'a' } })

  test('our own promise holds until the API server takes it back', () => {
    const nominations = new Nominations()
    nominations.promise(pod('p'), 'a')
    nominations.observe(pod('p'), pod('p'))
    expect(names(nominations)).toEqual({ a: ['p'] })
    nominations.observe(nominated, pod('p'))
    nominations.observe(pod('p'), nominated)
    expect(names(nominations)).toEqual({})
  })

  test('promises of an earlier life of this process are read from the status', () => {
    const nominations = new Nominations()
    nominations.observe(nominated)
    expect(names(nominations)).toEqual({ a: ['p'] })
    nominations.withdraw('default/p')
    expect(names(nominations)).toEqual({})
  })
})

describe('handlers', () => {
  let state: ClusterState
  let events: ClusterEvent['type'][]

  beforeEach(() => {
    events = []
    const queue = new SchedulingQueue({ clock: new FakeClock(), isHelpedBy: () => false })
    const notify = queue.notify.bind(queue)
    queue.notify = (event, cause) => {
      events.push(event.type)
      notify(event, cause)
    }
    state = {
      cache: new SchedulerCache({ log: quiet }),
      queue,
      nominations: new Nominations(),
      profiles: new Profiles(),
    }
    onNode(state, { type: 'added', object: node('a'), revision: '1' })
    events.length = 0
  })

  const added = (object: Pod) => onPod(state, { type: 'added', object, revision: '2' })
  const updated = (previous: Pod, object: Pod) => onPod(state, { type: 'updated', object, previous, revision: '3' })
  const deleted = (object: Pod) => onPod(state, { type: 'deleted', object, previous: object, revision: '4' })

  test.each<[string, Pod, boolean]>([
    ['a pod without a node waits', pod('p'), true],
    ['another scheduler has its own', pod('p', { spec: { schedulerName: 'mine' } }), false],
    ['a pod on a node does not wait', pod('p', { nodeName: 'a' }), false],
    ['a finished pod does not wait', pod('p', { status: { phase: 'Failed' } }), false],
  ])('%s', (_what, object, isWaiting) => {
    added(object)
    expect(state.queue.has('default/p')).toBe(isWaiting)
  })

  test('from waiting to bound to finished to deleted', () => {
    const bound = pod('p', { nodeName: 'a' })
    added(pod('p'))
    updated(pod('p'), bound)
    expect([state.queue.has('default/p'), counted(state.cache)['a'], events]).toEqual([
      false,
      ['p'],
      ['AssignedPodAdded'],
    ])
    const finished = pod('p', { nodeName: 'a', status: { phase: 'Succeeded' } })
    updated(bound, finished)
    expect([counted(state.cache)['a'], events]).toEqual([[], ['AssignedPodAdded', 'AssignedPodDeleted']])
    deleted(finished)
    expect(events).toHaveLength(2)
  })

  test('news from before the binding does not put a pod back', async () => {
    const p = pod('p')
    added(p)
    const item = await state.queue.take(new AbortController().signal)
    state.cache.assume(p, 'a')
    if (item) state.queue.done(item)
    updated(p, pod('p', { status: { message: 'an old note' } }))
    expect(state.queue.has('default/p')).toBe(false)
  })

  test('a pod deleted while it is being bound frees its room', () => {
    added(pod('p'))
    state.cache.assume(pod('p'), 'a')
    deleted(pod('p'))
    expect([counted(state.cache)['a'], events]).toEqual([[], ['AssignedPodDeleted']])
  })

  test('of a running pod, labels and requests matter, a status does not', () => {
    const running = pod('p', { nodeName: 'a' })
    added(running)
    events.length = 0
    updated(running, pod('p', { nodeName: 'a', status: { phase: 'Running' } }))
    expect(events).toEqual([])
    updated(running, pod('p', { nodeName: 'a', labels: { app: 'x' } }))
    expect(events).toEqual(['AssignedPodUpdated'])
  })

  test('of a node, a heartbeat does not matter', () => {
    const update = (object: Node) => onNode(state, { type: 'updated', object, previous: node('a'), revision: '5' })
    const beat = node('a')
    beat.metadata.resourceVersion = '9'
    beat.metadata.annotations = { at: 'now' }
    update(beat)
    expect(events).toEqual([])
    update(node('a', { unschedulable: true }))
    update(node('a', { allocatable: { cpu: '8' } }))
    update(node('a', { labels: { zone: 'a' } }))
    expect(events).toEqual(['NodeUpdated', 'NodeUpdated', 'NodeUpdated'])
    onNode(state, { type: 'deleted', object: node('a'), revision: '6' })
    expect([counted(state.cache), events.at(-1)]).toEqual([{}, 'NodeDeleted'])
  })
})
