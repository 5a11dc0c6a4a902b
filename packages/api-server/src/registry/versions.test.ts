import { expect, test } from 'vitest'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { objectOf } from './resources.ts'
import { parseSelection } from './selection.ts'
import { storeFixture } from '../testing/store-fixture.ts'

test('an object that is written in one version is read, watched and changed in another', async () => {
  const { store, storage, resources, context } = storeFixture()
  const v1 = resources.get('autoscaling', 'v1', 'horizontalpodautoscalers')
  const v2 = resources.get('autoscaling', 'v2', 'horizontalpodautoscalers')
  if (!v1 || !v2) throw new Error('autoscalers are not served')
  const sent = {
    metadata: { name: 'web' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 3,
      targetCPUUtilizationPercentage: 50,
    },
  } as unknown as KubernetesObject
  await store.create(v1, 'default', sent, context)
  const ref = { namespace: 'default', name: 'web' }
  const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }
  expect(store.get(v2, ref).object).toMatchObject({
    apiVersion: 'autoscaling/v2',
    spec: { minReplicas: 1, metrics: [cpu] },
  })
  expect(objectOf(v1, store.get(v1, ref))).toMatchObject({
    apiVersion: 'autoscaling/v1',
    spec: { targetCPUUtilizationPercentage: 50 },
  })
  const raise = (current: KubernetesObject | undefined) => {
    expect(current?.apiVersion).toBe('autoscaling/v1')
    return {
      ...current,
      spec: { ...(current as unknown as { spec: object }).spec, targetCPUUtilizationPercentage: 70 },
    } as never
  }
  await store.update(v1, ref, raise, context)
  expect(store.get(v2, ref).object).toMatchObject({
    spec: { metrics: [{ resource: { target: { averageUtilization: 70 } } }] },
  })
  expect((await store.list(v1, { selection: parseSelection(v1, {}) })).entries).toHaveLength(1)
  expect(storage.count('/')).toBe(1)
  storage.close()
})
