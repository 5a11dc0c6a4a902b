/**
 * The StatefulSet's whole loop over a real connection: names, order, volumes, and one version after the other.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { ControllerRevisions, PersistentVolumeClaims, Pods, StatefulSets } from '@dinghy/shared/api/resources'
import type { Pod, StatefulSet } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { at, makePod, metaOf, webTemplate } from '../testing/objects.ts'
import { StatefulSetController } from './stateful-set-controller.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
})
afterEach(() => loop.end())

const claimTemplate = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }
const first: StatefulSet = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: metaOf('web', { generation: 1 }),
  spec: {
    replicas: 3,
    serviceName: 'web',
    selector: { matchLabels: { app: 'web' } },
    template: webTemplate('v1'),
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    volumeClaimTemplates: [claimTemplate],
  },
  status: { replicas: 0 },
}
/** Creates the set, or changes its spec. */
function putSet(spec: Partial<StatefulSet['spec']> = {}, metadata: Partial<StatefulSet['metadata']> = {}): void {
  const present = server.read(StatefulSets, 'web', 'default') ?? first
  const generation = (present.metadata.generation ?? 0) + 1
  server.put(StatefulSets, {
    ...present,
    metadata: { ...present.metadata, generation, ...metadata },
    spec: { ...present.spec, ...spec },
  })
}
function status() {
  return server.read(StatefulSets, 'web', 'default')?.status
}
function pod(name: string): Pod | undefined {
  return server.read(Pods, name, 'default')
}
function names(): string {
  return server
    .all(Pods)
    .map(({ metadata }) => metadata.name)
    .sort()
    .join(' ')
}
function imageOf(name: string): string | undefined {
  return pod(name)?.spec.containers[0]?.image
}
function makeReady(name: string): void {
  const present = pod(name)
  if (present) loop.report(present, { readyAt: 0 })
}
/** All replicas start, one after the other. */
async function startAll(count = 3): Promise<void> {
  putSet({ replicas: count })
  loop.start(StatefulSetController)
  for (let ordinal = 0; ordinal < count; ordinal++) {
    await loop.until(() => pod(`web-${ordinal}`) !== undefined)
    makeReady(`web-${ordinal}`)
  }
  await loop.until(() => status()?.readyReplicas === count)
}

test('starts its pods in order, each with its own name and claim, and each after the one before is ready', async () => {
  putSet()
  loop.start(StatefulSetController)
  await loop.until(() => names() === 'web-0')
  await loop.pass(2_000)
  expect(names()).toBe('web-0')
  makeReady('web-0')
  await loop.until(() => names() === 'web-0 web-1')
  makeReady('web-1')
  await loop.until(() => names() === 'web-0 web-1 web-2')
  makeReady('web-2')
  await loop.until(() => status()?.readyReplicas === 3)

  expect(pod('web-1')).toMatchObject({
    metadata: { labels: { 'statefulset.kubernetes.io/pod-name': 'web-1', 'apps.kubernetes.io/pod-index': '1' } },
    spec: { hostname: 'web-1', subdomain: 'web', volumes: [{ persistentVolumeClaim: { claimName: 'data-web-1' } }] },
  })
  const claims = server.all(PersistentVolumeClaims).map(({ metadata }) => metadata.name)
  expect(claims).toEqual(['data-web-0', 'data-web-1', 'data-web-2'])
  expect(status()).toMatchObject({ replicas: 3, currentReplicas: 3, updatedReplicas: 3, availableReplicas: 3 })
})

test('scales down in reverse, and keeps the claims', async () => {
  await startAll()
  const deleted: string[] = []
  server.failNext = ({ method, path }) => {
    if (method === 'DELETE') deleted.push(path.split('/').at(-1) ?? '')
    return undefined
  }
  putSet({ replicas: 1 })
  await loop.until(() => names() === 'web-0' && status()?.replicas === 1)
  expect(deleted).toEqual(['web-2', 'web-1'])
  expect(server.all(PersistentVolumeClaims)).toHaveLength(3)
})

test('updates from the top down to the partition, one pod at a time, and then the rest', async () => {
  await startAll()
  const before = status()?.currentRevision
  putSet({ template: webTemplate('v2'), updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } })
  await loop.until(() => imageOf('web-2') === 'web:v2')
  makeReady('web-2')
  await loop.until(() => status()?.updatedReplicas === 1 && status()?.readyReplicas === 3)
  await loop.pass(2_000)
  expect([imageOf('web-0'), imageOf('web-1')]).toEqual(['web:v1', 'web:v1'])
  expect(status()?.currentRevision).toBe(before)

  putSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } })
  await loop.until(() => imageOf('web-1') === 'web:v2')
  await loop.pass(1_000)
  // web-1 is not ready yet.
  expect(imageOf('web-0')).toBe('web:v1')
  makeReady('web-1')
  await loop.until(() => imageOf('web-0') === 'web:v2')
  makeReady('web-0')
  await loop.until(() => status()?.updatedReplicas === 3 && status()?.currentRevision === status()?.updateRevision)
  expect(status()?.currentRevision).not.toBe(before)
  expect(server.all(ControllerRevisions).map(({ revision }) => revision)).toEqual([1, 2])
})

test('a pod below the partition that is lost comes back in the old version', async () => {
  await startAll(2)
  putSet({ template: webTemplate('v2'), updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } })
  await loop.until(() => imageOf('web-1') === 'web:v2')
  makeReady('web-1')
  server.remove(Pods, 'web-0', 'default')
  await loop.until(() => pod('web-0') !== undefined)
  expect(imageOf('web-0')).toBe('web:v1')
})

test('with OnDelete a new version waits until pods are deleted by hand', async () => {
  await startAll(2)
  putSet({ template: webTemplate('v2'), updateStrategy: { type: 'OnDelete' } })
  await loop.until(
    () => status()?.observedGeneration === server.read(StatefulSets, 'web', 'default')?.metadata.generation,
  )
  await loop.pass(1_000)
  expect([imageOf('web-0'), imageOf('web-1')]).toEqual(['web:v1', 'web:v1'])
  server.remove(Pods, 'web-1', 'default')
  await loop.until(() => imageOf('web-1') === 'web:v2')
})

test('a pod that ended comes back under its name, and the events say so', async () => {
  await startAll(1)
  const [before, uid] = [pod('web-0'), pod('web-0')?.metadata.uid]
  if (before) loop.report(before, { phase: 'Failed' })
  await loop.until(() => pod('web-0') !== undefined && pod('web-0')?.metadata.uid !== uid)
  await loop.until(() => loop.events.includes('SuccessfulDelete delete Pod web-0 in StatefulSet web successful'))
  expect(loop.events).toContain('RecreatingFailedPod StatefulSet default/web is recreating failed Pod web-0')
})

test('Parallel starts and stops all pods at once', async () => {
  putSet({ podManagementPolicy: 'Parallel' })
  loop.start(StatefulSetController)
  await loop.until(() => names() === 'web-0 web-1 web-2')
  putSet({ replicas: 0 })
  await loop.until(() => names() === '')
})

test('a pod waits for the end of a claim that is being deleted', async () => {
  server.put(PersistentVolumeClaims, {
    ...claimTemplate,
    metadata: { name: 'data-web-0', namespace: 'default', deletionTimestamp: at(0), finalizers: ['held'] },
    status: { phase: 'Bound' },
  } as never)
  putSet()
  loop.start(StatefulSetController)
  await loop.until(() => status()?.updateRevision !== undefined)
  await loop.pass(1_000)
  expect(names()).toBe('')
  server.remove(PersistentVolumeClaims, 'data-web-0', 'default')
  await loop.until(() => names() === 'web-0')
})

test('what cannot be created is told, and tried again', async () => {
  let forbiddenPath = '/persistentvolumeclaims'
  server.failNext = ({ method, path }) =>
    method === 'POST' && path.endsWith(forbiddenPath) ? forbidden('', 'things', 'web', 'exceeded quota') : undefined
  putSet()
  loop.start(StatefulSetController)
  await loop.until(() =>
    loop.events.some((event) => event.startsWith('FailedCreate create Claim data-web-0 Pod web-0')),
  )
  // The status is written all the same.
  await loop.until(() => status()?.observedGeneration !== undefined)
  forbiddenPath = '/pods'
  await loop.until(() => loop.events.some((event) => event.startsWith('FailedCreate create Pod web-0')))
  server.failNext = undefined
  await loop.until(() => names() === 'web-0')
})

test('what cannot be deleted is told, and tried again', async () => {
  await startAll(1)
  server.failNext = ({ method }) => (method === 'DELETE' ? forbidden('', 'pods', 'web-0', 'not you') : undefined)
  putSet({ replicas: 0 })
  await loop.until(() => loop.events.some((event) => event.startsWith('FailedDelete delete Pod web-0')))
  server.failNext = undefined
  await loop.until(() => names() === '')
})

test('the retention policy is written down as owners of the claims', async () => {
  await startAll(2)
  const ownerOf = (name: string) =>
    server.read(PersistentVolumeClaims, name, 'default')?.metadata.ownerReferences?.map(({ kind }) => kind)
  putSet({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' } })
  await loop.until(() => ownerOf('data-web-0')?.join() === 'StatefulSet')
  putSet({ replicas: 1 })
  await loop.until(() => ownerOf('data-web-1')?.join() === 'Pod')
  expect(ownerOf('data-web-0')).toEqual(['StatefulSet'])
})

test('adopts a pod that has a name of its own kind, and gives it the labels of its ordinal', async () => {
  server.put(Pods, makePod('web-0', { readyAt: 0, metadata: { labels: { app: 'web' } } }))
  server.put(Pods, makePod('web-x', { readyAt: 0, metadata: { labels: { app: 'web' } } }))
  putSet({ replicas: 1 })
  loop.start(StatefulSetController)
  await loop.until(() => pod('web-0')?.metadata.labels?.['apps.kubernetes.io/pod-index'] === '0')
  expect(pod('web-0')?.metadata.ownerReferences?.[0]?.name).toBe('web')
  expect(pod('web-x')?.metadata.ownerReferences).toBeUndefined()
})

test('old revisions beyond the limit are removed', async () => {
  await startAll(1)
  putSet({ revisionHistoryLimit: 1 })
  for (const version of ['v2', 'v3', 'v4']) {
    putSet({ template: webTemplate(version) })
    await loop.until(() => imageOf('web-0') === `web:${version}`)
    makeReady('web-0')
    await loop.until(() => status()?.currentRevision === status()?.updateRevision)
  }
  await loop.until(() => server.all(ControllerRevisions).length === 2)
  expect(server.all(ControllerRevisions).map(({ revision }) => revision)).toEqual([3, 4])
})

test('does nothing while it is being deleted', async () => {
  putSet({}, { deletionTimestamp: at(0) })
  loop.start(StatefulSetController)
  await loop.pass(1_000)
  expect(names()).toBe('')
})
