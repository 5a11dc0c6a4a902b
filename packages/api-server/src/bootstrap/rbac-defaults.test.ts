import { expect, test } from 'vitest'
import { aggregatedRules } from '@dinghy/shared/api/cluster-role-aggregation'
import { ClusterRoleBindings, ClusterRoles, Roles } from '@dinghy/shared/api/resources'
import { bootstrapCluster } from '../bootstrap.ts'
import { namespacedPolicy } from '../auth/rbac/bootstrap-policy.ts'
import { storeFixture } from '../testing/store-fixture.ts'
import { ensureRbacDefaults } from './rbac-defaults.ts'

async function started() {
  const fixture = storeFixture()
  const start = async () => {
    await bootstrapCluster(fixture)
    await ensureRbacDefaults(fixture.store, namespacedPolicy())
  }
  await start()
  return { ...fixture, start }
}

test('the first start stores all of them, a later one writes nothing', async () => {
  const { reader, storage, start } = await started()
  expect(reader.list(ClusterRoles).length).toBeGreaterThan(60)
  expect(reader.get(ClusterRoles, undefined, 'cluster-admin')).toMatchObject({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { uid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string, creationTimestamp: '2025-01-01T00:00:00Z' },
  })
  expect(reader.get(Roles, 'kube-public', 'system:controller:bootstrap-signer')).toBeDefined()
  const { revision } = storage
  await start()
  expect(storage.revision).toBe(revision)
})

test('admin, edit and view begin as the aggregation controller would make them', async () => {
  const { reader } = await started()
  const all = reader.list(ClusterRoles)
  const aggregated = all.filter(({ aggregationRule }) => aggregationRule)
  expect(aggregated.map(({ metadata }) => metadata.name)).toEqual(['admin', 'edit', 'view'])
  for (const role of aggregated) expect(role.rules).toEqual(aggregatedRules(role, all))
})

test('every binding leads to a role that exists', async () => {
  const { reader } = await started()
  const missing = reader.list(ClusterRoleBindings).filter(({ roleRef }) => !reader.get(ClusterRoles, '', roleRef.name))
  expect(missing).toEqual([])
})

test('what was taken away or turned aside comes back at the next start', async () => {
  const { reader, store, definition, context, start } = await started()
  const [roles, bindings] = [definition('clusterroles'), definition('clusterrolebindings')]
  await store.delete(roles, { name: 'view' }, {}, context)
  await store.update(roles, { name: 'system:node' }, (role) => ({ ...role, rules: [] }) as never, context)
  await store.delete(bindings, { name: 'system:discovery' }, {}, context)
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }
  const turned = { metadata: { name: 'system:discovery' }, roleRef, subjects: [] }
  await store.create(bindings, undefined, turned as never, context)
  await start()
  expect(reader.get(ClusterRoles, undefined, 'view')?.aggregationRule).toBeDefined()
  expect(reader.get(ClusterRoles, undefined, 'system:node')?.rules).not.toEqual([])
  expect(reader.get(ClusterRoleBindings, undefined, 'system:discovery')?.roleRef.name).toBe('system:discovery')
})
