/**
 * The whole scheduler against a small API server: what it writes, in whose name, and because of what.
 */
import { setMaxListeners } from 'node:events'
import { FakeClock } from '@dinghy/shared/api/clock'
import { serviceUnavailable } from '@dinghy/shared/api/errors'
import { Events, Nodes, Pods } from '@dinghy/shared/api/resources'
import type { Event, Pod } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { Health } from '@dinghy/shared/process/health'
import { createLogger } from '@dinghy/shared/process/logger'
import { Metrics } from '@dinghy/shared/process/metrics'
import { debugQueues } from '@dinghy/shared/reconcile/gate'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startScheduler } from './start-scheduler.ts'
import { node, pod, type NodeTraits, type PodTraits } from './testing/objects.ts'

let server: TinyApiServer
let clock: FakeClock
let controller: AbortController
let running: Promise<void>
let metrics: Metrics

beforeEach(async () => {
  server = await TinyApiServer.start()
  clock = new FakeClock()
  controller = new AbortController()
  setMaxListeners(0, controller.signal) // as runMain does
  metrics = new Metrics()
})

afterEach(async () => {
  controller.abort()
  await running
  await server.close()
})

function start(): void {
  const client = new ApiClient({ server: server.url, userAgent: 'default-scheduler' })
  const log = createLogger({ name: 'scheduler', level: 'fatal', clock })
  running = startScheduler({ client, clock, log, health: new Health(), metrics, random: () => 0 }, controller.signal)
}

function addNode(name: string, traits?: NodeTraits) {
  return server.put(Nodes, fresh(node(name, traits)))
}
function addPod(name: string, traits?: PodTraits) {
  return server.put(Pods, fresh(pod(name, traits)))
}

/** Without the resourceVersion of the fixture, which is not this server's. */
function fresh<T extends { metadata: { resourceVersion?: string } }>(object: T): T {
  const { resourceVersion: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

interface BindingBody {
  metadata: { name: string; uid: string }
  target: { kind: string; name: string }
}

function bindings() {
  return server.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/binding'))
}
/** "pod → node", in the order of the requests. */
function bound() {
  return bindings().map(({ body }) => `${(body as BindingBody).metadata.name} → ${(body as BindingBody).target.name}`)
}
function events(): Event[] {
  return server.all(Events)
}
function told() {
  return events().map(({ reason, message }) => `${reason}: ${message}`)
}
function status(name: string): Pod['status'] | undefined {
  return server.read(Pods, name, 'default')?.status
}

test('gives a pod the node, says so, and says because of what', async () => {
  addNode('n1')
  start()
  await vi.waitFor(() => expect(debugQueues.has('default-scheduler')).toBe(true))
  const { resourceVersion } = addPod('p').metadata
  await vi.waitFor(() => expect(bound()).toEqual(['p → n1']))
  const [binding] = bindings()
  expect(binding?.headers['user-agent']).toMatch(/^default-scheduler/)
  expect(binding?.headers['x-dinghy-cause']).toBe(resourceVersion)
  expect(binding?.body).toMatchObject({ kind: 'Binding', metadata: { uid: 'uid-default-p' } })
  await vi.waitFor(() => expect(told()).toEqual(['Scheduled: Successfully assigned default/p to n1']))
  expect(await metrics.text()).toContain(
    'scheduler_schedule_attempts_total{result="scheduled",profile="default-scheduler"} 1',
  )
})

test('a pod that is being bound is counted: the next one goes elsewhere', async () => {
  addNode('n1')
  addNode('n2')
  addPod('a', { requests: { cpu: '3' } })
  addPod('b', { requests: { cpu: '3' } })
  start()
  await vi.waitFor(() => expect(bound()).toHaveLength(2))
  expect(
    bound()
      .map((one) => one.split(' → ')[1] ?? '')
      .sort(),
  ).toEqual(['n1', 'n2'])
})

test('a pod that fits nowhere is told why, and gets the node that comes later', async () => {
  addNode('n1', { allocatable: { cpu: '1' } })
  addPod('p', { requests: { cpu: '2' } })
  start()
  const why =
    '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.'
  await vi.waitFor(() =>
    expect(status('p')?.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: why },
    ]),
  )
  await vi.waitFor(() => expect(told()).toEqual([`FailedScheduling: ${why}`]))
  const { resourceVersion } = addNode('n2').metadata
  await vi.waitFor(() => expect(bound()).toEqual(['p → n2']))
  expect(bindings()[0]?.headers['x-dinghy-cause']).toBe(resourceVersion)
})

test('without any node', async () => {
  addPod('p')
  start()
  await vi.waitFor(() => expect(told()).toEqual(['FailedScheduling: no nodes available to schedule pods']))
})

test('other schedulers, gated pods and pods that are leaving are left alone', async () => {
  addNode('n1')
  addPod('theirs', { spec: { schedulerName: 'mine' } })
  addPod('gated', { spec: { schedulingGates: [{ name: 'wait' }] } })
  addPod('leaving', { deleting: true })
  addPod('ours', { priority: -1 })
  start()
  await vi.waitFor(() => expect(bound()).toEqual(['ours → n1']))
  await vi.waitFor(() => expect(told()).toContain('FailedScheduling: skip schedule deleting pod: default/leaving'))
})

test('a binding that fails is tried again after a pause, and its room is free meanwhile', async () => {
  addNode('n1')
  addPod('p', { requests: { cpu: '3' } })
  let failures = 1
  server.failNext = ({ path }) =>
    path.endsWith('/binding') && failures-- > 0 ? serviceUnavailable('not now') : undefined
  start()
  await vi.waitFor(() =>
    expect(debugQueues.get('default-scheduler')?.snapshot().delayed).toMatchObject([{ key: 'default/p' }]),
  )
  await clock.advance(1000)
  await vi.waitFor(() => expect(bound()).toEqual(['p → n1', 'p → n1']))
})

test('an important pod takes the place of another, and keeps its claim on it', async () => {
  addNode('n1')
  addPod('lesser', { requests: { cpu: '3' }, nodeName: 'n1' })
  start()
  addPod('important', { requests: { cpu: '3' }, priority: 100 })
  await vi.waitFor(() => expect(server.read(Pods, 'lesser', 'default')).toBeUndefined())
  const removal = server.requests
    .filter(({ path }) => path.includes('/lesser'))
    .map(({ method, body }) => ({ method, body }))
  expect(removal).toMatchObject([
    {
      method: 'PATCH',
      body: { status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] } },
    },
    { method: 'DELETE' },
  ])
  await vi.waitFor(() => expect(bound()).toEqual(['important → n1']))
  const preempted = events().find(({ reason }) => reason === 'Preempted')
  expect(preempted).toMatchObject({
    message: 'Preempted by pod uid-default-important on node n1',
    involvedObject: { name: 'lesser' },
  })
  await vi.waitFor(() => expect(status('important')?.nominatedNodeName).toBe('n1'))
})

test('paused, it places nothing; stepped, one pod', async () => {
  addNode('n1')
  start()
  await vi.waitFor(() => expect(debugQueues.has('default-scheduler')).toBe(true))
  const gate = debugQueues.get('default-scheduler')
  gate?.pause()
  addPod('a')
  addPod('b')
  await vi.waitFor(() => expect(gate?.length).toBe(2))
  expect(bound()).toEqual([])
  expect(gate?.step()).toBe('default/a')
  await vi.waitFor(() => expect(bound()).toEqual(['a → n1']))
  gate?.resume()
  await vi.waitFor(() => expect(bound()).toEqual(['a → n1', 'b → n1']))
})
