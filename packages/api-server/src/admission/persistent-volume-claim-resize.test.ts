import type { KubernetesObject, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { storeFixture } from '../testing/store-fixture.ts'
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(async () => {
  fixture = storeFixture((reader) => [persistentVolumeClaimResize(reader)])
  await fixture.create('namespaces', { metadata: { name: 'default' } })
  await fixture.create('storageclasses', { metadata: { name: 'fixed' }, provisioner: 'p' })
  await fixture.create('storageclasses', {
    metadata: { name: 'elastic' },
    provisioner: 'p',
    allowVolumeExpansion: true,
  })
})
afterEach(() => fixture.storage.close())

const ref = { namespace: 'default', name: 'data' }

async function change(subresource: string | undefined, edit: (claim: PersistentVolumeClaim) => void): Promise<void> {
  const definition = fixture.definition('persistentvolumeclaims')
  const apply = (current: KubernetesObject | undefined) => {
    const next = structuredClone(current) as PersistentVolumeClaim
    edit(next)
    return next
  }
  await fixture.store.update(definition, ref, apply, fixture.context, { subresource })
}

function bind() {
  return change('status', (claim) => (claim.status = { phase: 'Bound', capacity: { storage: '1Gi' } }))
}

function ask(storage: string) {
  return change(undefined, (claim) => (claim.spec.resources = { requests: { storage } }))
}

function create(storageClassName: string) {
  return fixture.create('persistentvolumeclaims', {
    metadata: { name: 'data' },
    spec: { storageClassName, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  })
}

test('a bound claim of a class that allows it may grow', async () => {
  await create('elastic')
  await bind()
  await ask('2Gi')
})

test('before it is bound, it may not', async () => {
  await create('elastic')
  await expect(ask('2Gi')).rejects.toThrow(
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
  )
})

test.each(['fixed', 'unknown', ''])('nor of class "%s"', async (storageClass) => {
  await create(storageClass)
  await bind()
  await ask('1024Mi')
  await expect(ask('2Gi')).rejects.toThrow(
    'persistentvolumeclaims "data" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
  )
})
