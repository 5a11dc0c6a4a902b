import type { KubernetesObject } from '@dinghy/shared/api/types'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { defaultTolerationSeconds } from '../admission/default-toleration-seconds.ts'
import { FieldSet } from '../patch/field-set.ts'
import { pod, storeFixture } from '../testing/store-fixture.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(async () => {
  fixture = storeFixture(() => [defaultTolerationSeconds(10)])
  await fixture.create('namespaces', { metadata: { name: 'default' } })
})
afterEach(() => fixture.storage.close())

function owned({ metadata }: KubernetesObject): string[] {
  return (metadata.managedFields ?? []).flatMap(({ fieldsV1 }) => FieldSet.fromFieldsV1(fieldsV1).paths())
}

test('an author owns the defaults, and not what admission put in', async () => {
  const made = await fixture.create('pods', pod('web'))
  expect(made).toHaveProperty('spec.tolerations')
  expect(owned(made)).toContain('.spec.restartPolicy')
  expect(owned(made).join()).not.toContain('tolerations')

  const { store, definition, context } = fixture
  const label = (current: KubernetesObject) => ({
    ...current,
    metadata: { ...current.metadata, labels: { a: 'b' } },
  })
  const { entry } = await store.update(definition('pods'), { namespace: 'default', name: 'web' }, label, context)
  expect(owned(entry.object)).toContain('.metadata.labels.a')
  expect(owned(entry.object).join()).not.toContain('tolerations')
})

test('nor what the kind’s own rules put in', async () => {
  const service = await fixture.create('services', {
    metadata: { name: 'web' },
    spec: { clusterIP: '10.96.0.9', ports: [{ port: 80 }] },
  })
  expect(service).toHaveProperty('spec.clusterIPs', ['10.96.0.9'])
  expect(owned(service)).toContain('.spec.clusterIP')
  expect(owned(service).join()).not.toContain('clusterIPs')
})
