/**
 * The DaemonSet's whole loop over a real connection: nodes and labels come and go, pods fail, versions follow one
 * another.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { ControllerRevisions, DaemonSets, Nodes, Pods } from '@dinghy/shared/api/resources'
import type { DaemonSet, Pod } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { makeNode, metaOf, webTemplate } from '../testing/objects.ts'
import { DaemonSetController } from './daemon-set-controller.ts'
import { nodeOf } from './daemon-pod.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  for (const name of ['n1', 'n2']) server.put(Nodes, makeNode(name))
})
afterEach(() => loop.end())

const first: DaemonSet = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: metaOf('agent', { generation: 1 }),
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: webTemplate('v1'),
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
  },
  status: { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 },
}
function putSet(spec: Partial<DaemonSet['spec']> = {}): void {
  const present = server.read(DaemonSets, 'agent', 'default') ?? first
  server.put(DaemonSets, { ...present, spec: { ...present.spec, ...spec } })
}
function status() {
  return server.read(DaemonSets, 'agent', 'default')?.status
}
function podsOn(node: string): Pod[] {
  return server.all(Pods).filter((pod) => nodeOf(pod) === node)
}
function nodes(): string {
  return server
    .all(Pods)
    .map((pod) => nodeOf(pod) ?? '')
    .sort()
    .join(' ')
}
function makeReady(pod: Pod): void {
  loop.report(pod, { readyAt: 0, node: nodeOf(pod) ?? '' })
}
function images(): string {
  return server
    .all(Pods)
    .map(({ spec }) => spec.containers[0]?.image ?? '')
    .sort()
    .join(' ')
}
async function startAll(): Promise<void> {
  putSet()
  loop.start(DaemonSetController)
  await loop.until(() => nodes() === 'n1 n2')
  server.all(Pods).forEach(makeReady)
  await loop.until(() => status()?.numberAvailable === 2)
}

test('every node has one pod: also one that comes later, and none that has gone', async () => {
  await startAll()
  expect(status()).toMatchObject({ desiredNumberScheduled: 2, currentNumberScheduled: 2, updatedNumberScheduled: 2 })
  // Nothing else is on its way that would bring the set back.
  await loop.pass(3_000)
  server.put(Nodes, makeNode('n3'))
  await loop.until(() => nodes() === 'n1 n2 n3' && status()?.desiredNumberScheduled === 3)
  // Its pod was never scheduled there, so nobody else takes it away.
  server.remove(Nodes, 'n3')
  await loop.until(() => nodes() === 'n1 n2' && status()?.desiredNumberScheduled === 2)
})

test('a node selector chooses the nodes, by the labels that they have now', async () => {
  const template = webTemplate('v1')
  putSet({ template: { ...template, spec: { ...template.spec, nodeSelector: { disk: 'ssd' } } } })
  loop.start(DaemonSetController)
  await loop.until(() => status()?.observedGeneration === 1)
  expect(nodes()).toBe('')
  const { resourceVersion: _old, ...metadata } = server.read(Nodes, 'n2')?.metadata ?? metaOf('n2')
  server.put(Nodes, { ...makeNode('n2'), metadata: { ...metadata, labels: { disk: 'ssd' } } })
  await loop.until(() => nodes() === 'n2')
  server.put(Nodes, { ...makeNode('n2'), metadata })
  await loop.until(() => nodes() === '')
})

test('a new version goes from node to node, and waits until each is available', async () => {
  await startAll()
  putSet({ template: webTemplate('v2') })
  await loop.until(() => images() === 'web:v1 web:v2')
  await loop.pass(2_000)
  expect(images()).toBe('web:v1 web:v2')
  const starting = server.all(Pods).find(({ spec }) => spec.containers[0]?.image === 'web:v2')
  if (starting) makeReady(starting)
  await loop.until(() => images() === 'web:v2 web:v2')
  expect(server.all(ControllerRevisions).map(({ revision }) => revision)).toEqual([1, 2])
  putSet({ revisionHistoryLimit: 0 })
  await loop.until(() => server.all(ControllerRevisions).length === 1)
})

test('a pod that failed is replaced, the second time only after a pause', async () => {
  await startAll()
  const fail = async (): Promise<void> => {
    const [pod] = podsOn('n1')
    if (!pod) throw new Error('no pod on n1')
    loop.report(pod, { phase: 'Failed', node: 'n1' })
  }
  const uid = () => podsOn('n1')[0]?.metadata.uid
  const before = uid()
  await fail()
  await loop.until(() => uid() !== undefined && uid() !== before)
  expect(loop.events.some((event) => event.startsWith('FailedDaemonPod Found failed daemon pod'))).toBe(true)
  const second = uid()
  const failedAtMs = loop.clock.now()
  await fail()
  await loop.until(() => uid() !== second)
  expect(loop.clock.now() - failedAtMs).toBeGreaterThan(500)
})

test('a pod that has come to its end is replaced at once', async () => {
  await startAll()
  const [pod] = podsOn('n2')
  if (pod) loop.report(pod, { phase: 'Succeeded', node: 'n2' })
  await loop.until(() => podsOn('n2').length === 1 && podsOn('n2')[0]?.metadata.uid !== pod?.metadata.uid)
  await loop.until(() => loop.events.some((event) => event.startsWith('SucceededDaemonPod')))
})

test('what cannot be created is told and tried again, and the status is written all the same', async () => {
  server.failNext = ({ method, path }) =>
    method === 'POST' && path.endsWith('/pods') ? forbidden('', 'pods', 'agent', 'exceeded quota') : undefined
  putSet()
  loop.start(DaemonSetController)
  await loop.until(() => status()?.desiredNumberScheduled === 2)
  await loop.until(() => loop.events.some((event) => event.startsWith('FailedCreate')))
  server.failNext = undefined
  await loop.until(() => nodes() === 'n1 n2')
})

test('a selector that selects everything is refused', async () => {
  putSet({ selector: {} })
  loop.start(DaemonSetController)
  await loop.until(() => loop.events.some((event) => event.startsWith('SelectingAll')))
  expect(nodes()).toBe('')
})
