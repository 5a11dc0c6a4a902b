/**
 * The loop of PodDisruptionBudgets over a real connection: whose pods they are decides how many must stay.
 */

import { Deployments, PodDisruptionBudgets, Pods, ReplicaSets } from '@dinghy/shared/api/resources'
import type { PodDisruptionBudget } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { at, controlledBy, makeDeployment, makePod, makeReplicaSet, metaOf } from '../testing/objects.ts'
import { DisruptionController } from './disruption-controller.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  loop.start(DisruptionController)
})
afterEach(() => loop.end())

function putBudget(
  spec: Partial<PodDisruptionBudget['spec']>,
  status: Partial<PodDisruptionBudget['status']> = {},
): void {
  const counts = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }
  server.put(PodDisruptionBudgets, {
    metadata: metaOf('web'),
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    status: { ...counts, ...status },
  })
}
function status() {
  return server.read(PodDisruptionBudgets, 'web', 'default')?.status
}
const labels = { app: 'web' }

test('percentages are of what the Deployment above the ReplicaSets asks for, not of what there is', async () => {
  const deployment = server.put(Deployments, makeDeployment('web', { spec: { replicas: 4 } }))
  const metadata = { ownerReferences: controlledBy(deployment) }
  const replicaSet = server.put(ReplicaSets, makeReplicaSet('web-1', { metadata, spec: { replicas: 2 } }))
  for (const name of ['a', 'b', 'c']) {
    const owned = { labels, ownerReferences: controlledBy(replicaSet) }
    server.put(Pods, makePod(name, { readyAt: 0, metadata: owned }))
  }
  putBudget({ minAvailable: '50%' })
  await loop.until(() => status()?.expectedPods === 4)
  expect(status()).toMatchObject({ currentHealthy: 3, desiredHealthy: 2, disruptionsAllowed: 1 })
  server.remove(Pods, 'a', 'default')
  await loop.until(() => status()?.disruptionsAllowed === 0)
})

test('while a controller is missing nothing may be evicted, and the reason can be read', async () => {
  const gone = controlledBy(makeReplicaSet('gone'))
  server.put(Pods, makePod('a', { readyAt: 0, metadata: { labels, ownerReferences: gone } }))
  putBudget({ maxUnavailable: 1 })
  await loop.until(() => status()?.conditions?.[0]?.reason === 'SyncFailed')
  expect(status()?.disruptionsAllowed).toBe(0)
  await loop.until(() => loop.events.some((event) => event.startsWith('CalculateExpectedPodCountFailed')))
})

test('pods without a controller count for a number, and are told of for a percentage', async () => {
  server.put(Pods, makePod('a', { readyAt: 0, metadata: { labels } }))
  putBudget({ minAvailable: 0 })
  await loop.until(() => status()?.disruptionsAllowed === 1)
  putBudget({ minAvailable: '10%' })
  await loop.until(() => loop.events.some((event) => event.startsWith('UnmanagedPods')))
  expect(status()?.disruptionsAllowed).toBe(0)
})

test('an eviction that did not happen is told of, and its pod counts again', async () => {
  server.put(Pods, makePod('a', { readyAt: 0, metadata: { labels } }))
  putBudget({ minAvailable: 0 }, { disruptedPods: { a: at(0) } })
  await loop.until(() => status()?.observedGeneration === 0 && status()?.currentHealthy === 0)
  expect(status()?.disruptedPods).toEqual({ a: at(0) })
  await loop.clock.advance(121_000)
  await loop.until(() => status()?.currentHealthy === 1 && status()?.disruptedPods === undefined)
  await loop.until(() => loop.events.some((event) => event.startsWith('NotDeleted')))
})

test('a budget that selects no pods says so', async () => {
  putBudget({ minAvailable: 1 })
  await loop.until(() => loop.events.includes('NoPods No matching pods found'))
})
