/**
 * Deployment and ReplicaSet loops together, over a real connection: a rollout from its beginning to its end.
 */

import { conflict, forbidden } from '@dinghy/shared/api/errors'
import { Deployments, Pods, ReplicaSets } from '@dinghy/shared/api/resources'
import type { Deployment, Pod, ReplicaSet } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isPodReady } from '../children/pod-state.ts'
import { at, makeDeployment, makePod, makeReplicaSet, webTemplate } from '../testing/objects.ts'
import { LoopTest } from '../testing/loop.ts'
import { ReplicaSetController } from '../replica-set/replica-set-controller.ts'
import { DeploymentController } from './deployment-controller.ts'
import { newReplicaSet } from './revision.ts'
import { boundsOf } from './sizes.ts'

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
  loop.start(ReplicaSetController, DeploymentController)
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
  const wanted = newReplicaSet(deployment, boundsOf(deployment), [], 4).metadata.name ?? ''
  server.put(ReplicaSets, makeReplicaSet(wanted, { spec: { replicas: 0, template: webTemplate('else') } }))
  loop.start(DeploymentController)
  roll('v1', 1)
  await loop.until(() => server.all(ReplicaSets).length === 2)
  expect(current().status.collisionCount).toBe(1)
})

test('begins nothing while paused', async () => {
  const { resourceVersion: _old, ...metadata } = deployment.metadata
  server.put(Deployments, { ...deployment, metadata, spec: { ...deployment.spec, paused: true } })
  loop.start(DeploymentController)
  await loop.until(() => progress() === 'DeploymentPaused')
  expect(server.all(ReplicaSets)).toEqual([])
})

test('gives up after the deadline, without anything happening', async () => {
  loop.start(DeploymentController)
  roll('v1', 1)
  await loop.until(() => progress() === 'NewReplicaSetCreated')
  await loop.clock.advance(602_000)
  await loop.until(() => progress() === 'ProgressDeadlineExceeded')
})

test('Recreate starts the new version only when every pod of the old one has gone', async () => {
  loop.start(ReplicaSetController, DeploymentController)
  const put = (version: string, generation: number): void => {
    const present = server.read(Deployments, 'web', 'default') ?? deployment
    const spec = { ...deployment.spec, replicas: 2, strategy: { type: 'Recreate' }, template: webTemplate(version) }
    server.put(Deployments, { ...present, metadata: { ...present.metadata, generation }, spec })
  }
  const images = (): string[] => server.all(Pods).flatMap(({ spec }) => spec.containers.map(({ image = '' }) => image))
  put('v1', 1)
  await loop.until(() => images().length === 2)
  const [leaving] = server.all(Pods)
  if (!leaving) throw new Error('no pod')
  // Its kubelet takes its time: the pod stays Terminating, whatever is asked for.
  const deletes = `/pods/${leaving.metadata.name}`
  server.failNext = ({ method, path }) => {
    const isOurs = method === 'DELETE' && path.endsWith(deletes)
    return isOurs ? conflict('', 'pods', leaving.metadata.name, 'still stopping') : undefined
  }
  server.put(Pods, { ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: at(1) } } as Pod)
  put('v2', 2)
  await loop.until(() => sizes().join() === '0' && server.all(Pods).length === 1)
  await loop.pass(2_000)
  expect(images()).toEqual(['web:v1'])
  server.remove(Pods, leaving.metadata.name, 'default')
  await loop.until(() => images().join() === 'web:v2,web:v2')
})

test('a change of replicas is followed, and told', async () => {
  loop.start(DeploymentController)
  roll('v1', 1)
  await loop.until(() => sizes().join() === '4')
  const present = current()
  server.put(Deployments, { ...present, spec: { ...present.spec, replicas: 6 } })
  await loop.until(() => sizes().join() === '6')
  await loop.until(() => loop.events.some((event) => /^ScalingReplicaSet Scaled up .* from 4 to 6$/.test(event)))
})

test('history beyond the limit is removed', async () => {
  loop.start(ReplicaSetController, DeploymentController)
  const spec = { ...deployment.spec, replicas: 0, revisionHistoryLimit: 1 }
  for (const [version, generation] of [
    ['v1', 1],
    ['v2', 2],
    ['v3', 3],
  ] as const) {
    const present = server.read(Deployments, 'web', 'default') ?? deployment
    const metadata = { ...present.metadata, generation }
    server.put(Deployments, { ...present, metadata, spec: { ...spec, template: webTemplate(version) } })
    await loop.until(() => current().metadata.annotations?.['deployment.kubernetes.io/revision'] === String(generation))
  }
  const revisions = () =>
    server.all(ReplicaSets).map(({ metadata }) => metadata.annotations?.['deployment.kubernetes.io/revision'])
  await loop.until(() => revisions().join() === '2,3')
})

test('a ReplicaSet that cannot be created is told, in the status as well, and tried again', async () => {
  server.failNext = ({ method, path }) =>
    method === 'POST' && path.endsWith('/replicasets') ? forbidden('', 'replicasets', 'web', 'not you') : undefined
  loop.start(DeploymentController)
  roll('v1', 1)
  await loop.until(() => progress() === 'ReplicaSetCreateError')
  await loop.until(() => loop.events.some((event) => event.startsWith('ReplicaSetCreateError')))
  server.failNext = undefined
  await loop.until(() => sizes().join() === '4')
})

test('an orphan of the right template is adopted, and becomes the new ReplicaSet', async () => {
  loop.start(DeploymentController)
  const orphan = makeReplicaSet('orphan', { metadata: { labels: { app: 'web' } }, spec: { replicas: 4 } })
  server.put(ReplicaSets, orphan)
  roll('v1', 1)
  await loop.until(() => server.read(ReplicaSets, 'orphan', 'default')?.metadata.ownerReferences?.[0]?.name === 'web')
  await loop.until(() => progress() !== undefined)
  expect(server.all(ReplicaSets)).toHaveLength(1)
})

test('a selector that selects everything is refused', async () => {
  const { resourceVersion: _old, ...metadata } = deployment.metadata
  server.put(Deployments, { ...deployment, metadata, spec: { ...deployment.spec, selector: {} } })
  loop.start(DeploymentController)
  await loop.until(() => current().status.observedGeneration === 1)
  await loop.until(() => loop.events.some((event) => event.startsWith('SelectingAll')))
  expect(server.all(ReplicaSets)).toEqual([])
})
