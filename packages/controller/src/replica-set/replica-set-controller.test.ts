/**
 * The ReplicaSet's whole loop over a real connection: what it does must not depend on how quickly it hears of it.
 */

import { forbidden, serviceUnavailable } from '@dinghy/shared/api/errors'
import { Pods, ReplicaSets } from '@dinghy/shared/api/resources'
import type { Pod, ReplicaSet } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { at, makePod, makeReplicaSet, webTemplate } from '../testing/objects.ts'
import { LoopTest } from '../testing/loop.ts'
import { ReplicaSetController } from './replica-set-controller.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
})
afterEach(() => loop.end())

const owner = makeReplicaSet('web', { spec: { replicas: 3, template: webTemplate('v1') } })
function podNames() {
  return server.all(Pods).map(({ metadata }) => metadata.name)
}
function status() {
  return server.read(ReplicaSets, 'web', 'default')?.status
}
function scale(replicas: number, more: Partial<ReplicaSet['metadata']> = {}) {
  const { resourceVersion: _old, ...metadata } = { ...owner.metadata, ...more }
  server.put(ReplicaSets, { ...owner, metadata, spec: { ...owner.spec, replicas } })
}
function makeReady(pod: Pod) {
  return server.put(Pods, { ...pod, status: makePod('ready', { readyAt: 0 }).status })
}

test('makes its pods, and tells how they are', async () => {
  scale(3)
  loop.start(ReplicaSetController)
  await loop.until(() => podNames().length === 3 && status()?.replicas === 3)
  const [pod] = server.all(Pods)
  expect(pod?.metadata).toMatchObject({
    generateName: 'web-',
    labels: { app: 'web' },
    ownerReferences: [{ kind: 'ReplicaSet', name: 'web', uid: owner.metadata.uid, controller: true }],
  })
  server.all(Pods).forEach(makeReady)
  await loop.until(() => status()?.readyReplicas === 3 && status()?.availableReplicas === 3)
})

test('replaces what is deleted, what fails, and what no longer matches', async () => {
  scale(3)
  loop.start(ReplicaSetController)
  await loop.until(() => podNames().length === 3)
  const [deleted, failed, released] = server.all(Pods) as [Pod, Pod, Pod]
  server.remove(Pods, deleted.metadata.name, 'default')
  server.put(Pods, { ...failed, status: { phase: 'Failed' } })
  server.put(Pods, { ...released, metadata: { ...released.metadata, labels: {} } })
  await loop.until(() => podNames().length === 5)
  await loop.pass(2_000)
  expect(podNames()).toHaveLength(5)
})

test('adopts an orphan instead of making another', async () => {
  server.put(Pods, makePod('orphan', { metadata: { labels: { app: 'web' } } }))
  scale(1)
  loop.start(ReplicaSetController)
  await loop.until(() => status()?.replicas === 1)
  expect(podNames()).toEqual(['orphan'])
  expect(server.read(Pods, 'orphan', 'default')?.metadata.ownerReferences?.[0]?.uid).toBe(owner.metadata.uid)
})

test('never makes a pod twice, or deletes one too many, while its view of the pods is old', async () => {
  scale(0)
  loop.start(ReplicaSetController)
  await loop.until(() => server.watchers === 2)
  const blind = () => {
    server.failNext = ({ path, query }) =>
      path.endsWith('/pods') && query.has('watch') ? serviceUnavailable('no news of pods') : undefined
    server.breakWatches()
  }
  const insist = async (replicas: number) => {
    for (const turn of [1, 2, 3]) {
      scale(replicas, { annotations: { turn: String(turn) } })
      await loop.pass(2_000)
    }
  }

  blind()
  await insist(3)
  expect(podNames()).toHaveLength(3)
  server.failNext = undefined
  await loop.until(() => status()?.replicas === 3)

  blind()
  await insist(2)
  expect(podNames()).toHaveLength(2)
  server.failNext = undefined
  await loop.until(() => status()?.replicas === 2)
  expect(podNames()).toHaveLength(2)
})

test('tells of a failure, tries again, and forgets it', async () => {
  server.failNext = ({ method, path }) =>
    method === 'POST' && path.endsWith('/pods') ? forbidden('', 'pods', 'web', 'exceeded quota') : undefined
  scale(4)
  loop.start(ReplicaSetController)
  await loop.until(() => status()?.conditions?.[0]?.reason === 'FailedCreate')
  expect(status()?.conditions?.[0]?.message).toContain('exceeded quota')
  const attempts = () =>
    server.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/pods')).length
  // One by one: four pods at once would only fail four times.
  expect(attempts()).toBeLessThan(4)
  server.failNext = undefined
  await loop.until(() => podNames().length === 4 && status()?.conditions === undefined)
})

test('does nothing for a ReplicaSet that is being deleted', async () => {
  scale(3, { deletionTimestamp: at(0) })
  loop.start(ReplicaSetController)
  await loop.pass(1_000)
  expect(podNames()).toEqual([])
})
