/**
 * The whole scheduler against a small API server: what it writes, in whose name, and because of what.
 */
import { setMaxListeners } from 'node:events'
import { FakeClock } from '@dinghy/shared/api/clock'
import { conflict, notFound, serviceUnavailable } from '@dinghy/shared/api/errors'
import {
  Events,
  Nodes,
  PersistentVolumeClaims,
  PersistentVolumes,
  Pods,
  Services,
  StatefulSets,
  StorageClasses,
} from '@dinghy/shared/api/resources'
import type { Event, Pod } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import type { DebugPage } from '@dinghy/shared/process/debug-server'
import { Health } from '@dinghy/shared/process/health'
import { createLogger } from '@dinghy/shared/process/logger'
import { Metrics } from '@dinghy/shared/process/metrics'
import { debugQueues } from '@dinghy/shared/reconcile/gate'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readConfiguration } from './configuration/configuration.ts'
import { Profiles } from './profiles.ts'
import { selectedNode } from './plugins/volume-binding.ts'
import { startScheduler, type StartOptions } from './start-scheduler.ts'
import { node, pod, type NodeTraits, type PodTraits } from './testing/objects.ts'

let server: TinyApiServer
let clock: FakeClock
let controller: AbortController
let running: Promise<void>
let metrics: Metrics
let pages: Map<string, DebugPage>

beforeEach(async () => {
  server = await TinyApiServer.start()
  clock = new FakeClock()
  controller = new AbortController()
  setMaxListeners(0, controller.signal) // as runMain does
  metrics = new Metrics()
  pages = new Map()
})

afterEach(async () => {
  controller.abort()
  await running
  await server.close()
})

/** Looks again and again, for long enough on a machine that is busy with something else. */
async function eventually(check: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(check, { timeout: 20_000 })
}

function start(more: Pick<StartOptions, 'profiles'> = {}): void {
  const client = new ApiClient({ server: server.url, userAgent: 'default-scheduler' })
  const log = createLogger({ name: 'scheduler', level: 'fatal', clock })
  const debug = { addPage: (path: string, page: DebugPage) => void pages.set(path, page) }
  const health = new Health()
  running = startScheduler({ client, clock, log, health, metrics, debug, random: () => 0, ...more }, controller.signal)
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
  await eventually(() => expect(debugQueues.has('default-scheduler')).toBe(true))
  const { resourceVersion } = addPod('p').metadata
  await eventually(() => expect(bound()).toEqual(['p → n1']))
  const [binding] = bindings()
  expect(binding?.headers['user-agent']).toMatch(/^default-scheduler/)
  expect(binding?.headers['x-dinghy-cause']).toBe(resourceVersion)
  expect(binding?.body).toMatchObject({ kind: 'Binding', metadata: { uid: 'uid-default-p' } })
  await eventually(() => expect(told()).toEqual(['Scheduled: Successfully assigned default/p to n1']))
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
  await eventually(() => expect(bound()).toHaveLength(2))
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
  await eventually(() =>
    expect(status('p')?.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: why },
    ]),
  )
  await eventually(() => expect(told()).toEqual([`FailedScheduling: ${why}`]))
  const { resourceVersion } = addNode('n2').metadata
  await eventually(() => expect(bound()).toEqual(['p → n2']))
  expect(bindings()[0]?.headers['x-dinghy-cause']).toBe(resourceVersion)
})

test('without any node', async () => {
  addPod('p')
  start()
  await eventually(() => expect(told()).toEqual(['FailedScheduling: no nodes available to schedule pods']))
})

test('other schedulers, gated pods and pods that are leaving are left alone', async () => {
  addNode('n1')
  addPod('theirs', { spec: { schedulerName: 'mine' } })
  addPod('gated', { spec: { schedulingGates: [{ name: 'wait' }] } })
  addPod('leaving', { deleting: true })
  addPod('ours', { priority: -1 })
  start()
  await eventually(() => expect(bound()).toEqual(['ours → n1']))
  await eventually(() => expect(told()).toContain('FailedScheduling: skip schedule deleting pod: default/leaving'))
})

test('a binding that fails is tried again after a pause, and its room is free meanwhile', async () => {
  addNode('n1')
  addPod('p', { requests: { cpu: '3' } })
  let failures = 1
  server.failNext = ({ path }) =>
    path.endsWith('/binding') && failures-- > 0 ? serviceUnavailable('not now') : undefined
  start()
  await eventually(() =>
    expect(debugQueues.get('default-scheduler')?.snapshot().delayed).toMatchObject([{ key: 'default/p' }]),
  )
  await clock.advance(1000)
  await eventually(() => expect(bound()).toEqual(['p → n1', 'p → n1']))
})

test('an important pod takes the place of another, and keeps its claim on it', async () => {
  addNode('n1')
  addPod('lesser', { requests: { cpu: '3' }, nodeName: 'n1' })
  start()
  addPod('important', { requests: { cpu: '3' }, priority: 100 })
  await eventually(() => expect(server.read(Pods, 'lesser', 'default')).toBeUndefined())
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
  await eventually(() => expect(bound()).toEqual(['important → n1']))
  const preempted = events().find(({ reason }) => reason === 'Preempted')
  expect(preempted).toMatchObject({
    message: 'Preempted by pod uid-default-important on node n1',
    involvedObject: { name: 'lesser' },
  })
  await eventually(() => expect(status('important')?.nominatedNodeName).toBe('n1'))
})

test('paused, it places nothing; stepped, one pod', async () => {
  addNode('n1')
  start()
  await eventually(() => expect(debugQueues.has('default-scheduler')).toBe(true))
  const gate = debugQueues.get('default-scheduler')
  gate?.pause()
  addPod('a')
  addPod('b')
  await eventually(() => expect(gate?.length).toBe(2))
  expect(bound()).toEqual([])
  expect(gate?.step()).toBe('default/a')
  await eventually(() => expect(bound()).toEqual(['a → n1']))
  gate?.resume()
  await eventually(() => expect(bound()).toEqual(['a → n1', 'b → n1']))
})

test('a pod that vanishes while it is being bound is forgotten, and its room is free', async () => {
  addNode('n1')
  addPod('gone', { requests: { cpu: '3' }, priority: 10 })
  addPod('next', { requests: { cpu: '3' } })
  server.failNext = ({ path }) => (path.endsWith('/gone/binding') ? notFound('', 'pods', 'gone') : undefined)
  start()
  await eventually(() => expect(bound()).toEqual(['gone → n1', 'next → n1']))
  expect(told().some((one) => one.includes('not found'))).toBe(false)
})

test('a binding that is refused is told in the status and by an event, and tried again', async () => {
  addNode('n1')
  addPod('p')
  let failures = 1
  server.failNext = ({ path }) =>
    path.endsWith('/binding') && failures-- > 0 ? conflict('', 'pods', 'p', 'the node is full') : undefined
  start()
  await eventually(() =>
    expect(status('p')?.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', reason: 'SchedulerError' },
    ]),
  )
  await eventually(() => expect(told()[0]).toMatch(/^FailedScheduling: .*the node is full/))
  await clock.advance(1000)
  await eventually(() => expect(bound()).toEqual(['p → n1', 'p → n1']))
  expect(await metrics.text()).toContain(
    'scheduler_schedule_attempts_total{result="error",profile="default-scheduler"} 1',
  )
})

test('a victim that has left by itself is no failure; one that cannot be deleted is tried again', async () => {
  addNode('n1')
  addPod('first', { requests: { cpu: '2' }, nodeName: 'n1' })
  addPod('second', { requests: { cpu: '2' }, nodeName: 'n1' })
  let refusals = 1
  server.failNext = ({ method, path }) => {
    if (method !== 'DELETE') return undefined
    if (path.endsWith('/first')) return notFound('', 'pods', 'first')
    return refusals-- > 0 ? serviceUnavailable('not now') : undefined
  }
  start()
  addPod('important', { requests: { cpu: '4' }, priority: 100 })
  await eventually(() => expect(refusals).toBeLessThanOrEqual(0))
  server.remove(Pods, 'first', 'default')
  await eventually(async () => {
    await clock.advance(1_000)
    expect(server.read(Pods, 'second', 'default')).toBeUndefined()
  })
  await eventually(() => expect(bound()).toEqual(['important → n1']))
})

test('nodes and pods that cannot be read do not keep others from being placed', async () => {
  server.put(Nodes, { ...fresh(node('no-status')), status: null } as never)
  server.put(Nodes, { ...fresh(node('no-spec')), spec: null } as never)
  addNode('no-number', { allocatable: { cpu: 'plenty' } })
  addNode('good')
  server.put(Pods, { ...fresh(pod('no-status', { priority: 50 })), status: null } as never)
  const { containers: _none, ...bare } = pod('placed', { nodeName: 'good' }).spec
  server.put(Pods, { ...fresh(pod('placed')), spec: bare } as never)
  server.put(Pods, {
    ...fresh(pod('waiting', { priority: 50 })),
    spec: { schedulerName: 'default-scheduler' },
  } as never)
  addPod('p', { requests: { cpu: '3' } })
  start()
  await eventually(() => expect(bound()).toContain('p → good'))
  expect(bound().some((one) => one.startsWith('no-status → '))).toBe(true)
})

describe('volumes', () => {
  const claim = {
    metadata: { name: 'data', namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'local', resources: { requests: { storage: '1Gi' } } },
    status: { phase: 'Pending' },
  }
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]
  const stored = () => server.read(PersistentVolumeClaims, 'data', 'default')

  beforeEach(() => {
    addNode('n1')
    server.put(PersistentVolumeClaims, claim)
    addPod('p', { spec: { volumes } })
  })
  function putClass(provisioner: string): void {
    server.put(StorageClasses, {
      metadata: { name: 'local' },
      provisioner,
      volumeBindingMode: 'WaitForFirstConsumer',
    })
  }
  function bindClaim(): void {
    const present = stored() ?? claim
    server.put(PersistentVolumeClaims, {
      ...present,
      spec: { ...present.spec, volumeName: 'pv' },
      status: { phase: 'Bound' },
    })
  }

  test('the claim is told the node, and the pod is bound when the claim is', async () => {
    putClass('example.com/disks')
    start()
    await eventually(() => expect(stored()?.metadata.annotations).toEqual({ [selectedNode]: 'n1' }))
    await clock.advance(1_000)
    expect(bound()).toEqual([])
    bindClaim()
    await eventually(async () => {
      await clock.advance(100)
      expect(bound()).toEqual(['p → n1'])
    })
  })

  test('a volume that fits is reserved for the claim', async () => {
    putClass('kubernetes.io/no-provisioner')
    server.put(PersistentVolumes, {
      metadata: { name: 'pv' },
      spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, storageClassName: 'local' },
      status: { phase: 'Available' },
    })
    start()
    await eventually(() => expect(server.read(PersistentVolumes, 'pv')?.spec.claimRef?.name).toBe('data'))
    bindClaim()
    await eventually(async () => {
      await clock.advance(100)
      expect(bound()).toEqual(['p → n1'])
    })
  })

  test('a claim that is never bound is given up after ten minutes, and the pod is tried again', async () => {
    putClass('example.com/disks')
    start()
    await eventually(() => expect(stored()?.metadata.annotations).toBeDefined())
    await clock.advance(10 * 60_000 + 1_000)
    await eventually(() => expect(status('p')?.conditions?.[0]?.reason).toBe('SchedulerError'))
    expect(bound()).toEqual([])
  })

  test('a claim that is deleted meanwhile ends the attempt', async () => {
    putClass('example.com/disks')
    start()
    await eventually(() => expect(stored()?.metadata.annotations).toBeDefined())
    server.remove(PersistentVolumeClaims, 'data', 'default')
    await eventually(async () => {
      await clock.advance(1_000)
      expect(told().join()).toContain('persistentvolumeclaim "data" not found')
    })
    expect(bound()).toEqual([])
  })
})

test('pods of one Service or controller are spread over the nodes', async () => {
  addNode('n1')
  addNode('n2')
  server.put(Services, { metadata: { name: 'web', namespace: 'default' }, spec: { selector: { app: 'web' } } })
  const selector = { matchLabels: { app: 'db' } }
  const set = { metadata: { name: 'db', namespace: 'default' }, spec: { selector, serviceName: 'db', template: {} } }
  const { metadata } = server.put(StatefulSets, { ...set, status: { replicas: 0 } })
  start()
  await eventually(() => expect(debugQueues.has('default-scheduler')).toBe(true))
  const ownerReferences = [
    { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: metadata.uid, controller: true },
  ]
  for (const name of ['web-0', 'web-1']) addPod(name, { labels: { app: 'web' } })
  await eventually(() => expect(bound()).toHaveLength(2))
  for (const name of ['db-0', 'db-1']) {
    const member = fresh(pod(name, { labels: { app: 'db' } }))
    server.put(Pods, { ...member, metadata: { ...member.metadata, ownerReferences } })
  }
  await eventually(() => expect(bound()).toHaveLength(4))
  const nodesOf = (app: string) =>
    bound()
      .filter((one) => one.startsWith(app))
      .map((one) => one.split(' → ')[1] ?? '')
      .sort()
  expect([nodesOf('web'), nodesOf('db')]).toEqual([
    ['n1', 'n2'],
    ['n1', 'n2'],
  ])
})

describe('/debug/explain-schedule', () => {
  function explained(query: string): unknown {
    return pages.get('/debug/explain-schedule')?.(new URLSearchParams(query), controller.signal)
  }

  test('asks every plugin about every node, the pod itself aside', async () => {
    addNode('big', { allocatable: { cpu: '4' } })
    addNode('small', { allocatable: { cpu: '1' }, unschedulable: true })
    addPod('there', { requests: { cpu: '3' }, nodeName: 'big' })
    addPod('done', { requests: { cpu: '3' }, nodeName: 'big', status: { phase: 'Succeeded' } })
    start()
    expect(await explained('name=there')).toMatchObject({
      nodeName: 'big',
      best: ['big'],
      nodes: [
        { node: 'big', refusals: [] },
        {
          node: 'small',
          refusals: [
            { plugin: 'NodeUnschedulable', reasons: ['node(s) were unschedulable'] },
            { plugin: 'NodeResourcesFit', reasons: ['Insufficient cpu'] },
          ],
        },
      ],
    })
  })

  test('of a pod that is not there', async () => {
    start()
    await expect(explained('name=nobody')).rejects.toThrow('pods "nobody" not found')
  })
})

test('a profile places its own pods, in its own name', async () => {
  const configuration = readConfiguration({
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    profiles: [{ schedulerName: 'packing', plugins: { filter: { disabled: [{ name: 'NodeUnschedulable' }] } } }],
  })
  addNode('closed', { unschedulable: true })
  addPod('mine', { spec: { schedulerName: 'packing' } })
  addPod('theirs')
  start({ profiles: new Profiles(configuration) })
  await eventually(() => expect(bindings().map(({ path }) => path)).toEqual([expect.stringContaining('/pods/mine/')]))
  await eventually(() => {
    const [event] = events()
    expect(event).toMatchObject({ reason: 'Scheduled', source: { component: 'packing' } })
  })
})
