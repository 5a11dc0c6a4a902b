import { afterEach, beforeEach, expect, test } from 'vitest'
import { storeFixture } from '../testing/store-fixture.ts'
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(async () => {
  fixture = storeFixture(() => [storageObjectInUseProtection()])
  await fixture.create('namespaces', { metadata: { name: 'default' } })
})
afterEach(() => fixture.storage.close())

const resources = { requests: { storage: '1Gi' } }
function claim(finalizers?: string[]) {
  return {
    metadata: { name: 'data', ...(finalizers ? { finalizers } : {}) },
    spec: { accessModes: ['ReadWriteOnce'], resources },
  }
}

test.each([
  ['a claim', undefined, ['kubernetes.io/pvc-protection']],
  ['a claim with a finalizer of its own', ['a.io/b'], ['a.io/b', 'kubernetes.io/pvc-protection']],
  ['a claim that asks for it', ['kubernetes.io/pvc-protection'], ['kubernetes.io/pvc-protection']],
])('%s is protected once', async (_what, given, expected) => {
  const created = await fixture.create('persistentvolumeclaims', claim(given))
  expect(created.metadata.finalizers).toEqual(expected)
})

test('a volume is protected, and nothing else', async () => {
  const spec = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/data' } }
  const volume = await fixture.create('persistentvolumes', { metadata: { name: 'v' }, spec })
  expect(volume.metadata.finalizers).toEqual(['kubernetes.io/pv-protection'])
  const other = await fixture.create('configmaps', { metadata: { name: 'c' } })
  expect(other.metadata.finalizers).toBeUndefined()
})
