import type { KubernetesObject, PersistentVolume } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { storeFixture } from '../../testing/store-fixture.ts'

test('the time of the last phase follows the phase, unless a writer says another one', async () => {
  const fixture = storeFixture()
  const { store, definition, context, clock } = fixture
  const volumes = definition('persistentvolumes')
  const write = async (status: Partial<PersistentVolume['status']>): Promise<unknown> => {
    await clock.advance(60_000)
    const change = (current: KubernetesObject) => ({ ...current, status }) as KubernetesObject
    const { entry } = await store.update(volumes, { name: 'v' }, change, context, { subresource: 'status' })
    return (entry.object as PersistentVolume).status.lastPhaseTransitionTime
  }
  const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } }
  expect(await fixture.create('persistentvolumes', { metadata: { name: 'v' }, spec })).toMatchObject({
    status: { phase: 'Pending', lastPhaseTransitionTime: '2025-01-01T00:00:00Z' },
  })
  expect(await write({ phase: 'Pending', message: 'x' })).toBe('2025-01-01T00:00:00Z')
  expect(await write({ phase: 'Available' })).toBe('2025-01-01T00:02:00Z')
  // A controller sends back what it has read.
  expect(await write({ phase: 'Bound', lastPhaseTransitionTime: '2025-01-01T00:02:00Z' })).toBe('2025-01-01T00:03:00Z')
  expect(await write({ phase: 'Released', lastPhaseTransitionTime: '2020-01-01T00:00:00Z' })).toBe(
    '2020-01-01T00:00:00Z',
  )
})
