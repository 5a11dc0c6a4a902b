/**
 * Deployment and ReplicaSet loops together, over a real connection: a rollout from its beginning to its end.
 */

import { Deployments, Pods, ReplicaSets } from '@dinghy/shared/api/resources'
import type { Deployment, Pod, ReplicaSet } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isPodReady } from '../children/pod-state.ts'
import { makeDeployment, makePod, makeReplicaSet, webTemplate } from '../testing/objects.ts'
import { LoopTest } from '../testing/loop.ts'
import { startReplicaSetController } from '../replica-set/replica-set-controller.ts'
import { startDeploymentController } from './deployment-controller.ts'
import { newReplicaSet } from './revision.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
})
afterEach(() => loop.end())

const rollingUpdate = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } }
const deployment = makeDeployment('web', { spec: { replicas: 4, strategy: rollingUpdate } })
function current() {
  return server.read(Deployments, 'web', 'default') as Deployment
}
function progress() {
  return current().status.conditions?.find(({ type }) => type === 'Progressing')?.reason
}
function sizes() {
  return server.all(ReplicaSets).map(({ spec }) => spec.replicas ?? 0)
}

function roll(version: string, generation: number): void {
  const { resourceVersion: _old, ...metadata } = { ...deployment.metadata, ...current()?.metadata, generation }
  const spec = { ...deployment.spec, template: webTemplate(version) }
  server.put(Deployments, { ...deployment, metadata, spec, status: current()?.status ?? {} })
}

const ready = makePod('ready', { readyAt: 0 }).status
function makeReady(pod: Pod) {
  if (!isPodReady(pod)) server.put(Pods, { ...pod, status: ready })
}
function isDone(generation: number) {
  const { updatedReplicas, replicas, availableReplicas, observedGeneration } = current().status
  return updatedReplicas === 4 && replicas === 4 && availableReplicas === 4 && observedGeneration === generation
}

test('a rollout keeps its bounds all the way, and a rollback comes back to the old ReplicaSet', async () => {
  loop.start(startReplicaSetController, startDeploymentController)
  roll('v1', 1)
  await loop.until(() => server.all(Pods).length === 4)
  server.all(Pods).forEach(makeReady)
  await loop.until(() => isDone(1) && progress() === 'NewReplicaSetAvailable')
  const [first] = server.all(ReplicaSets) as [ReplicaSet]

  for (const [version, generation] of [
    ['v2', 2],
    ['v1', 3],
  ] as const) {
    roll(version, generation)
    await loop.until(() => {
      const pods = server.all(Pods)
      expect(sizes().reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(5)
      expect(pods.filter(isPodReady).length).toBeGreaterThanOrEqual(3)
      const starting = pods.find((pod) => !isPodReady(pod))
      if (starting) makeReady(starting)
      return isDone(generation) && progress() === 'NewReplicaSetAvailable'
    })
  }

  expect(server.all(ReplicaSets)).toHaveLength(2)
  const again = server.read(ReplicaSets, first.metadata.name, 'default')
  expect(again?.spec.replicas).toBe(4)
  expect(again?.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3')
  expect(current().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3')
})

test("finds another name when a stranger's ReplicaSet has the one it wanted", async () => {
  const wanted = newReplicaSet(deployment, [], 4).metadata.name ?? ''
  server.put(ReplicaSets, makeReplicaSet(wanted, { spec: { replicas: 0, template: webTemplate('else') } }))
  loop.start(startDeploymentController)
  roll('v1', 1)
  await loop.until(() => server.all(ReplicaSets).length === 2)
  expect(current().status.collisionCount).toBe(1)
})

test('begins nothing while paused', async () => {
  const { resourceVersion: _old, ...metadata } = deployment.metadata
  server.put(Deployments, { ...deployment, metadata, spec: { ...deployment.spec, paused: true } })
  loop.start(startDeploymentController)
  await loop.until(() => progress() === 'DeploymentPaused')
  expect(server.all(ReplicaSets)).toEqual([])
})

test('gives up after the deadline, without anything happening', async () => {
  loop.start(startDeploymentController)
  roll('v1', 1)
  await loop.until(() => progress() === 'NewReplicaSetCreated')
  await loop.clock.advance(602_000)
  await loop.until(() => progress() === 'ProgressDeadlineExceeded')
})
