import { afterEach, expect, test } from 'vitest'
import { storeFixture } from '../testing/store-fixture.ts'
import type { AccessAttributes } from '../auth/authorize.ts'
import { ownerReferencesPermission } from './owner-references-permission.ts'

const fixtures: { storage: { close(): void } }[] = []
afterEach(() => fixtures.splice(0).forEach(({ storage }) => storage.close()))

/** A store whose users may do what is listed: "delete pods", "update deployments/finalizers". */
async function storeFor(...allowed: string[]) {
  const asked = ({ verb, resource, subresource }: AccessAttributes) =>
    `${verb} ${resource}${subresource ? `/${subresource}` : ''}`
  const authorizer = (attributes: AccessAttributes) => ({ allowed: allowed.includes(asked(attributes)), reason: '' })
  const fixture = storeFixture(() => [{ name: 'later', validate: (request) => plugin.validate?.(request) }])
  const plugin = ownerReferencesPermission(authorizer, fixture.resources)
  fixtures.push(fixture)
  await fixture.create('namespaces', { metadata: { name: 'default' } })
  return { ...fixture, allowed }
}

function owned(blockOwnerDeletion?: boolean, kind = 'ReplicaSet') {
  const block = blockOwnerDeletion === undefined ? {} : { blockOwnerDeletion }
  return { metadata: { name: 'c', ownerReferences: [{ apiVersion: 'apps/v1', kind, name: 'o', uid: 'u', ...block }] } }
}

test('an object without owners is no concern', async () => {
  const fixture = await storeFor()
  await fixture.create('configmaps', { metadata: { name: 'c' } })
})

test('an owner may be named by who may delete the object', async () => {
  await (await storeFor('delete configmaps')).create('configmaps', owned())
  await expect((await storeFor()).create('configmaps', owned())).rejects.toThrow(
    `configmaps "c" is forbidden: cannot set an ownerRef on a resource you can't delete: , <nil>`,
  )
})

test('and kept from going by who may update its finalizers', async () => {
  await (await storeFor('delete configmaps', 'update replicasets/finalizers')).create('configmaps', owned(true))
  await expect((await storeFor('delete configmaps')).create('configmaps', owned(true))).rejects.toThrow(
    `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>`,
  )
  await expect((await storeFor('delete configmaps')).create('configmaps', owned(true, 'Nothing'))).rejects.toThrow(
    'cannot find RESTMapping for APIVersion apps/v1 Kind Nothing',
  )
})

test('what stays as it is is not asked for again', async () => {
  const fixture = await storeFor('delete configmaps', 'update replicasets/finalizers')
  const { store, definition, context, allowed } = fixture
  await fixture.create('configmaps', owned(true))
  allowed.length = 0
  const change = (current: object | undefined) => ({ ...current, data: { a: 'b' } }) as never
  await store.update(definition('configmaps'), { namespace: 'default', name: 'c' }, change, context)
})
