/**
 * The story of a node that falls silent, from the last heartbeat to the evicted pod, and back.
 */

import { Events, Leases, Nodes, Pods } from '@dinghy/shared/api/resources'
import type { Node, Pod } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeNode, makePod } from '../testing/objects.ts'
import { LoopTest } from '../testing/loop.ts'
import { NodeLifecycleController } from './node-lifecycle-controller.ts'
import { TaintEvictionController } from './taint-eviction-controller.ts'

let loop: LoopTest
let server: TinyApiServer
let alive: Set<string>

const tolerations = [
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 },
]

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  alive = new Set(['node-1', 'node-2'])
  for (const name of alive) {
    server.put(Nodes, { ...makeNode(name), status: { conditions: [{ type: 'Ready', status: 'True' }] } })
    server.put(Pods, makePod(`pod-of-${name}`, { node: name, readyAt: 0, spec: { tolerations } }))
    heartbeat(name)
  }
  loop.start(NodeLifecycleController, TaintEvictionController)
})
afterEach(() => loop.end())

function heartbeat(name: string): void {
  const spec = { holderIdentity: name, renewTime: new Date(loop.clock.now()).toISOString() }
  server.put(Leases, { metadata: { name, namespace: 'kube-node-lease' }, spec })
}

/** Seconds go by, in which those who are alive renew their leases. */
async function live(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    for (const name of alive) heartbeat(name)
    await loop.pass(1_000)
  }
}

function node(name: string): Node {
  return server.read(Nodes, name) ?? makeNode('missing')
}
function pod(name: string): Pod | undefined {
  return server.read(Pods, `pod-of-${name}`, 'default')
}
function readyOf(one: Node | Pod | undefined) {
  return one?.status.conditions?.find(({ type }) => type === 'Ready')?.status
}
function taintsOf(name: string) {
  return (node(name).spec.taints ?? []).map(({ key, effect }) => `${key.split('/')[1]}:${effect}`)
}
function reasons() {
  return server.all(Events).map(({ reason, involvedObject }) => `${reason} ${involvedObject.name}`)
}

test('while heartbeats come nothing is written', async () => {
  await live(30)
  expect(server.requests.filter(({ method }) => method === 'PUT' || method === 'PATCH')).toEqual([])
  expect(reasons()).toEqual(['RegisteredNode node-1', 'RegisteredNode node-2'])
})

test('silence: Unknown, unreachable, not ready, and after its patience the pod is evicted', async () => {
  await live(4)
  alive.delete('node-2')
  await live(6)
  expect(readyOf(node('node-2'))).toBe('True')
  await live(6)
  expect(readyOf(node('node-2'))).toBe('Unknown')
  expect(taintsOf('node-2')).toEqual(['unreachable:NoSchedule', 'unreachable:NoExecute'])
  expect(readyOf(pod('node-2'))).toBe('False')
  await live(12)
  expect(pod('node-2')).toBeUndefined()
  expect([readyOf(node('node-1')), taintsOf('node-1'), readyOf(pod('node-1'))]).toEqual(['True', [], 'True'])
  expect(reasons()).toEqual(
    expect.arrayContaining(['NodeNotReady node-2', 'NodeNotReady pod-of-node-2', 'TaintManagerEviction pod-of-node-2']),
  )
})

test('each step answers to the one before; silence itself answers to nothing', async () => {
  await live(2)
  alive.delete('node-2')
  await live(30)
  const writes = server.requests.filter(({ method, path }) => method !== 'GET' && !path.includes('/events'))
  const steps = writes.map(({ method, path, headers }) => {
    const cause = headers['x-dinghy-cause'] === undefined ? 'uncaused' : 'caused'
    return `${cause} ${method} ${path.split('/').slice(3).join('/')}`
  })
  // A Set: a write that a stale cache asked for again is refused, and does not count.
  expect([...new Set(steps)]).toEqual([
    'uncaused PUT nodes/node-2/status',
    'caused PUT nodes/node-2',
    'caused PUT namespaces/default/pods/pod-of-node-2/status',
    'caused PATCH namespaces/default/pods/pod-of-node-2/status',
    'caused DELETE namespaces/default/pods/pod-of-node-2',
  ])
  expect(steps.filter((step) => step.includes('DELETE'))).toHaveLength(1)
})

test('a node that is back in time keeps its pods', async () => {
  await live(2)
  alive.delete('node-2')
  await live(14)
  expect(taintsOf('node-2')).toContain('unreachable:NoExecute')
  alive.add('node-2')
  server.put(Nodes, { ...node('node-2'), status: { conditions: [{ type: 'Ready', status: 'True' }] } })
  await live(20)
  expect(taintsOf('node-2')).toEqual([])
  expect(pod('node-2')).toBeDefined()
  expect(server.all(Events).map(({ message }) => message)).toContain('Cancelling deletion of Pod default/pod-of-node-2')
})

test('when all nodes fall silent, it is most likely us: nobody is evicted', async () => {
  await live(2)
  alive.clear()
  await live(40)
  for (const name of ['node-1', 'node-2']) {
    expect(taintsOf(name)).toEqual(['unreachable:NoSchedule'])
    expect(pod(name)).toBeDefined()
  }
})

test('kubectl cordon becomes a taint, and kubectl uncordon takes it away', async () => {
  await live(2)
  server.put(Nodes, { ...node('node-1'), spec: { unschedulable: true } })
  await live(1)
  expect(taintsOf('node-1')).toEqual(['unschedulable:NoSchedule'])
  const { unschedulable: _, ...spec } = node('node-1').spec
  server.put(Nodes, { ...node('node-1'), spec })
  await live(1)
  expect(taintsOf('node-1')).toEqual([])
})

test('a taint that does not say when it was added counts from when it was seen, whatever happens to the pod', async () => {
  await live(1)
  const limited = { key: 'maintenance', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 }
  const patient = makePod('patient', { node: 'node-1', readyAt: 0, spec: { tolerations: [limited] } })
  server.put(Pods, patient)
  // As kubectl taint writes it.
  server.put(Nodes, { ...node('node-1'), spec: { taints: [{ key: 'maintenance', effect: 'NoExecute' }] } })
  const present = () => server.read(Pods, 'patient', 'default')
  for (let second = 0; second < 8; second++) {
    await live(1)
    // A kubelet that writes the pod's status brings the controller back each time.
    const pod = present()
    if (pod) server.put(Pods, { ...pod, status: { ...pod.status, message: `second ${second}` } })
  }
  expect(present()).toBeDefined()
  await live(4)
  expect(present()).toBeUndefined()
})

test('an evicted pod says why: it is the target of a disruption', async () => {
  await live(1)
  server.put(Nodes, { ...node('node-1'), spec: { taints: [{ key: 'gpu', effect: 'NoExecute' }] } })
  await loop.until(() => pod('node-1') === undefined)
  const patch = server.requests.find(({ method, path }) => method === 'PATCH' && path.endsWith('pod-of-node-1/status'))
  expect(patch?.body).toMatchObject({
    status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' }] },
  })
})
