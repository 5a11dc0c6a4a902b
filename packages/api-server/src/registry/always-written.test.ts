import { expect, test } from 'vitest'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { objectOf } from './resources.ts'
import { storeFixture } from '../testing/store-fixture.ts'

const labels = { app: 'web' }
const sent = {
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'nginx' }] } },
  },
} as unknown as KubernetesObject
const ref = { namespace: 'default', name: 'web' }

function replicaSets() {
  const fixture = storeFixture()
  return { ...fixture, replicaSet: fixture.definition('replicasets') }
}

test('a created object has a complete status', async () => {
  const { store, context, replicaSet } = replicaSets()
  const { object } = await store.create(replicaSet, 'default', structuredClone(sent), context)
  expect(object).toMatchObject({
    status: { replicas: 0 },
    spec: { template: { spec: { containers: [{ resources: {} }] } } },
  })
})

test('so has a StatefulSet, whose optional number of available replicas has no omitempty', async () => {
  const { store, context, definition } = storeFixture()
  const { object } = await store.create(definition('statefulsets'), 'default', structuredClone(sent), context)
  expect(object).toMatchObject({ status: { replicas: 0, availableReplicas: 0 } })
})

test('leaving out what is filled in is no change', async () => {
  const { store, context, replicaSet } = replicaSets()
  const created = await store.create(replicaSet, 'default', structuredClone(sent), context)
  const again = await store.update(replicaSet, ref, () => structuredClone(sent), context)
  expect(again.entry.revision).toBe(created.revision)
})

test('a status that is written without its zeros gets them', async () => {
  const { store, context, replicaSet } = replicaSets()
  await store.create(replicaSet, 'default', structuredClone(sent), context)
  const change = (current: KubernetesObject | undefined) =>
    ({ ...(current as object), status: { observedGeneration: 1 } }) as unknown as KubernetesObject
  const { entry } = await store.update(replicaSet, ref, change, context, { subresource: 'status' })
  expect(entry.object).toMatchObject({ status: { observedGeneration: 1, replicas: 0 } })
})

test('nobody can take the status away', async () => {
  const { store, context, replicaSet } = replicaSets()
  await store.create(replicaSet, 'default', structuredClone(sent), context)
  const change = (current: KubernetesObject | undefined) => {
    const { status: _, ...rest } = current as KubernetesObject & { status?: unknown }
    return rest
  }
  const { entry } = await store.update(replicaSet, ref, change, context, { subresource: 'status' })
  expect(entry.object).toMatchObject({ status: { replicas: 0 } })
})

test('an older version that is read has its own required fields', async () => {
  const { store, context, resources } = storeFixture()
  const v1 = resources.get('autoscaling', 'v1', 'horizontalpodautoscalers')
  const v2 = resources.get('autoscaling', 'v2', 'horizontalpodautoscalers')
  if (!v1 || !v2) throw new Error('autoscalers are not served')
  const autoscaler = {
    metadata: { name: 'web' },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'web' }, maxReplicas: 2 },
  }
  await store.create(v2, 'default', autoscaler as unknown as KubernetesObject, context)
  expect(objectOf(v1, store.get(v1, ref))).toMatchObject({ status: { currentReplicas: 0, desiredReplicas: 0 } })
})
