import { afterEach, beforeEach, expect, test } from 'vitest'
import { ClusterRoles } from '@dinghy/shared/api/resources'
import { LoopTest } from '../testing/loop.ts'
import { ClusterRoleAggregationController } from './cluster-role-aggregation-controller.ts'

let loop: LoopTest
beforeEach(async () => {
  loop = await LoopTest.create()
})
afterEach(() => loop.end())

const view = 'rbac.authorization.k8s.io/aggregate-to-view'

function put(name: string, labels: Record<string, string>, ...resources: string[]) {
  const rules = [{ verbs: ['get'], apiGroups: ['example.com'], resources }]
  loop.server.put(ClusterRoles, { metadata: { name, labels }, rules })
}

function resourcesOf(name: string): string[] {
  return (loop.server.read(ClusterRoles, name)?.rules ?? []).flatMap(({ resources }) => resources ?? [])
}

test('an aggregated role follows the roles that it selects', async () => {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { [view]: 'true' } }] }
  loop.server.put(ClusterRoles, { metadata: { name: 'view' }, aggregationRule })
  put('b', { [view]: 'true' }, 'boats')
  put('other', {}, 'others')
  loop.start(ClusterRoleAggregationController)
  await loop.until(() => resourcesOf('view').join() === 'boats')
  put('a', { [view]: 'true' }, 'anchors')
  await loop.until(() => resourcesOf('view').join() === 'anchors,boats')
  put('b', {}, 'boats')
  await loop.until(() => resourcesOf('view').join() === 'anchors')
  loop.server.remove(ClusterRoles, 'a')
  await loop.until(() => resourcesOf('view').length === 0)
  expect(resourcesOf('other')).toEqual(['others'])
})

test('what somebody writes into its rules is overwritten', async () => {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { [view]: 'true' } }] }
  put('a', { [view]: 'true' }, 'anchors')
  loop.server.put(ClusterRoles, { metadata: { name: 'view' }, aggregationRule })
  loop.start(ClusterRoleAggregationController)
  await loop.until(() => resourcesOf('view').join() === 'anchors')
  const rules = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]
  loop.server.put(ClusterRoles, { metadata: { name: 'view' }, aggregationRule, rules })
  await loop.until(() => resourcesOf('view').join() === 'anchors')
})
