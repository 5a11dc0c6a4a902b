/**
 * Claims, binder, provisioner and protection together, over a real connection: each knows only the store.
 */

import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Nodes, PersistentVolumeClaims, PersistentVolumes, Pods, StorageClasses } from '@dinghy/shared/api/resources'
import type { ObjectMeta } from '@dinghy/shared/api/types'
import { defined } from '@dinghy/testing/defined'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { at, makeNode } from '../testing/objects.ts'
import { LoopTest } from '../testing/loop.ts'
import { PersistentVolumeBinder } from './binder.ts'
import { ClaimProtectionController } from './claim-protection.ts'
import { DefaultStorageClassController } from './default-storage-class.ts'
import { EphemeralVolumeController } from './ephemeral-volumes.ts'
import { annotations, finalizers } from './names.ts'
import { HostPathProvisioner } from './provisioner.ts'
import { HostPathReclaimer } from './reclaimer.ts'
import { makeClaim, makeClass, makeVolume, podUsing } from '../testing/volumes.ts'
import { VolumePhaseController } from './volume-phases.ts'
import { VolumeProtectionController } from './volume-protection.ts'

let loop: LoopTest
let server: TinyApiServer
let root: string

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  root = await mkdtemp(join(tmpdir(), 'volume-loops-'))
})
afterEach(async () => {
  await loop.end()
  await rm(root, { recursive: true })
})

const parties = [
  EphemeralVolumeController,
  PersistentVolumeBinder,
  VolumePhaseController,
  HostPathProvisioner,
  HostPathReclaimer,
  DefaultStorageClassController,
  ClaimProtectionController,
  VolumeProtectionController,
]
function startAll() {
  loop.flags = { volumeRoot: root }
  loop.start(...parties)
}

function claim() {
  return server.read(PersistentVolumeClaims, 'data', 'default')
}
function volume() {
  return server.read(PersistentVolumes, 'pvc-claim-1')
}
function put(metadata: Partial<ObjectMeta> = {}, spec = {}) {
  server.put(PersistentVolumeClaims, makeClaim(spec, metadata))
}
/** As the api-server would: what has finalizers is marked. */
function markDeleted() {
  const present = defined(claim())
  const metadata = { ...present.metadata, deletionTimestamp: at(9) }
  server.put(PersistentVolumeClaims, { ...present, metadata })
}
const chosen = { annotations: { [annotations.selectedNode]: 'n1' } }

test('a claim gets a class, a directory and a volume once its node is known, and loses them with itself', async () => {
  server.put(Nodes, makeNode('n1'))
  const { storageClassName: _none, ...spec } = makeClaim().spec
  server.put(PersistentVolumeClaims, { ...makeClaim(), spec })
  startAll()
  await loop.until(() => claim()?.spec.storageClassName === 'standard')
  await loop.pass(1_000)
  expect(server.all(PersistentVolumes)).toEqual([])

  const waiting = defined(claim())
  server.put(PersistentVolumeClaims, { ...waiting, metadata: { ...waiting.metadata, ...chosen } })
  await loop.until(() => claim()?.status.phase === 'Bound' && volume()?.status.phase === 'Bound')
  expect(claim()?.spec.volumeName).toBe('pvc-claim-1')
  expect(claim()?.metadata.annotations?.[annotations.storageProvisioner]).toBe('dinghy.io/host-path')
  expect(await readdir(root)).toEqual(['pvc-claim-1'])

  await loop.until(() => claim()?.metadata.finalizers?.includes(finalizers.claimProtection) === true)
  markDeleted()
  await loop.until(() => claim() === undefined && volume() === undefined)
  expect(await readdir(root)).toEqual([])
})

test('a claim in use stays until its last pod has gone', async () => {
  server.put(StorageClasses, makeClass('standard', { volumeBindingMode: 'Immediate' }))
  server.put(Pods, podUsing('data', 'n1'))
  put({ finalizers: [finalizers.claimProtection] })
  startAll()
  await loop.until(() => claim()?.status.phase === 'Bound')
  markDeleted()
  await loop.pass(2_000)
  expect([claim()?.metadata.finalizers, existsSync(join(root, 'pvc-claim-1'))]).toEqual([
    [finalizers.claimProtection],
    true,
  ])
  server.remove(Pods, 'user', 'default')
  await loop.until(() => claim() === undefined && volume() === undefined)
  expect(await readdir(root)).toEqual([])
})

test('a volume deleted before its claim waits for it, and still takes its directory along', async () => {
  server.put(StorageClasses, makeClass('standard', { volumeBindingMode: 'Immediate' }))
  put()
  startAll()
  await loop.until(() => volume()?.status.phase === 'Bound' && volume()?.metadata.finalizers?.length === 2)
  const present = defined(volume())
  const metadata = { ...present.metadata, deletionTimestamp: at(9) }
  server.put(PersistentVolumes, { ...present, metadata })
  await loop.pass(2_000)
  expect([volume()?.metadata.finalizers?.length, await readdir(root)]).toEqual([2, ['pvc-claim-1']])
  server.remove(PersistentVolumeClaims, 'data', 'default')
  await loop.until(() => volume() === undefined)
  expect(await readdir(root)).toEqual([])
})

test('what is to be kept is kept', async () => {
  server.put(StorageClasses, makeClass('standard', { volumeBindingMode: 'Immediate', reclaimPolicy: 'Retain' }))
  put()
  startAll()
  await loop.until(() => volume()?.status.phase === 'Bound')
  server.remove(PersistentVolumeClaims, 'data', 'default')
  await loop.until(() => volume()?.status.phase === 'Released')
  await loop.pass(2_000)
  expect([volume()?.status.phase, await readdir(root)]).toEqual(['Released', ['pvc-claim-1']])
})

test('a volume that claims to be ours cannot have anything else removed', async () => {
  const precious = join(root, 'precious')
  await mkdir(precious)
  const claimRef = { namespace: 'default', name: 'data', uid: 'long-gone' }
  const spec = { claimRef, persistentVolumeReclaimPolicy: 'Delete', hostPath: { path: precious } }
  const by = { [annotations.provisionedBy]: 'dinghy.io/host-path' }
  server.put(PersistentVolumes, makeVolume('forged', spec, { annotations: by }, 'Released'))
  startAll()
  await loop.until(() => server.requests.some(({ body }) => JSON.stringify(body ?? '').includes('VolumeFailedDelete')))
  await loop.pass(1_000)
  expect([existsSync(precious), server.read(PersistentVolumes, 'forged')?.status.phase]).toEqual([true, 'Released'])
})

test('a node that has gone is taken back from the claim, so that the scheduler chooses again', async () => {
  server.put(StorageClasses, makeClass('standard'))
  put(chosen)
  startAll()
  await loop.until(() => claim()?.metadata.annotations?.[annotations.selectedNode] === undefined)
  expect(await readdir(root)).toEqual([])
})

test('a volume made by hand that nobody can delete is Failed, and says why', async () => {
  const claimRef = { namespace: 'default', name: 'data', uid: 'long-gone' }
  server.put(PersistentVolumes, makeVolume('nfs', { claimRef, persistentVolumeReclaimPolicy: 'Delete' }, {}, 'Bound'))
  startAll()
  const status = () => server.read(PersistentVolumes, 'nfs')?.status
  await loop.until(() => status()?.phase === 'Failed')
  expect(status()?.message).toContain('no deletable volume plugin matched')
})

test('a volume keeps the reason that others gave, and loses the message of the phase before', async () => {
  const failed = makeVolume('mine', { storageClassName: '' }, {}, 'Failed')
  const status = { phase: 'Failed', reason: 'theirs', message: 'it did not work', lastPhaseTransitionTime: at(0) }
  server.put(PersistentVolumes, { ...failed, status })
  startAll()
  const present = () => server.read(PersistentVolumes, 'mine')?.status
  await loop.until(() => present()?.phase === 'Available')
  expect(present()).toEqual({ phase: 'Available', reason: 'theirs', lastPhaseTransitionTime: at(0) })
})

test('a claim takes a volume that was made by hand, the smallest that fits, and frees none that a user reserved', async () => {
  server.put(PersistentVolumes, makeVolume('large', { storageClassName: 'hand', capacity: { storage: '9Gi' } }))
  server.put(PersistentVolumes, makeVolume('small', { storageClassName: 'hand', capacity: { storage: '2Gi' } }))
  const claimRef = { namespace: 'default', name: 'other' }
  server.put(PersistentVolumes, makeVolume('reserved', { storageClassName: 'hand', claimRef }))
  put({}, { storageClassName: 'hand' })
  startAll()
  await loop.until(() => claim()?.status.phase === 'Bound')
  expect(claim()).toMatchObject({ spec: { volumeName: 'small' }, status: { capacity: { storage: '2Gi' } } })
  expect(server.read(PersistentVolumes, 'small')?.spec.claimRef?.uid).toBe('claim-1')
  expect(server.read(PersistentVolumes, 'reserved')?.spec.claimRef).toEqual(claimRef)
})

test('a claim without anything that fits says what it waits for, and takes what comes later', async () => {
  put({}, { storageClassName: 'hand' })
  startAll()
  await loop.until(() => loop.events.some((event) => event.startsWith('ProvisioningFailed')))
  server.put(StorageClasses, makeClass('hand', { provisioner: 'kubernetes.io/no-provisioner' }))
  await loop.until(() => loop.events.some((event) => event.startsWith('WaitForFirstConsumer')))
  server.put(Pods, podUsing('data'))
  await loop.until(() => loop.events.some((event) => event.startsWith('WaitForPodScheduled')))
  const claimRef = { namespace: 'default', name: 'data' }
  server.put(PersistentVolumes, makeVolume('late', { storageClassName: 'hand', claimRef }))
  await loop.until(() => claim()?.spec.volumeName === 'late' && claim()?.status.phase === 'Bound')
})

test('a claim whose volume was removed is Lost, and gets no other', async () => {
  server.put(PersistentVolumes, makeVolume('one', { storageClassName: 'hand' }))
  put({}, { storageClassName: 'hand' })
  startAll()
  await loop.until(() => claim()?.status.phase === 'Bound')
  server.put(PersistentVolumes, makeVolume('two', { storageClassName: 'hand' }))
  server.remove(PersistentVolumes, 'one')
  await loop.until(() => claim()?.status.phase === 'Lost')
  await loop.until(() => loop.events.some((event) => event.startsWith('ClaimLost')))
  expect(server.read(PersistentVolumes, 'two')?.spec.claimRef).toBeUndefined()
})

test('a volume whose claim took another one is free again', async () => {
  server.put(PersistentVolumes, makeVolume('chosen', { storageClassName: 'hand' }))
  put({}, { storageClassName: 'hand', volumeName: 'chosen' })
  const claimRef = { namespace: 'default', name: 'data', uid: 'claim-1' }
  const ours = { annotations: { [annotations.boundByController]: 'yes' } }
  server.put(PersistentVolumes, makeVolume('left-over', { storageClassName: 'hand', claimRef }, ours, 'Bound'))
  startAll()
  const leftOver = () => server.read(PersistentVolumes, 'left-over')
  await loop.until(() => leftOver()?.spec.claimRef === undefined && leftOver()?.status.phase === 'Available')
  expect(claim()?.spec.volumeName).toBe('chosen')
})

test('a pod gets the claims that it brings along, and is told of one that is not its own', async () => {
  const volumeClaimTemplate = { metadata: { labels: { app: 'user' } }, spec: makeClaim().spec }
  const volumes = ['scratch', 'taken'].map((name) => ({ name, ephemeral: { volumeClaimTemplate } }))
  put({ name: 'user-taken' })
  startAll()
  server.put(Pods, { ...podUsing('none'), spec: { ...podUsing('none').spec, volumes } })
  await loop.until(() => server.read(PersistentVolumeClaims, 'user-scratch', 'default') !== undefined)
  const made = server.read(PersistentVolumeClaims, 'user-scratch', 'default')
  expect(made?.metadata).toMatchObject({ labels: { app: 'user' }, ownerReferences: [{ kind: 'Pod', name: 'user' }] })
  await loop.until(() => loop.events.some((event) => event.startsWith('EphemeralVolumeConflict')))
})
