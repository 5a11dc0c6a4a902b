import { expect, test } from 'vitest'
import { clusterPolicy, namespacedPolicy } from './bootstrap-policy.ts'
import type { BootstrapRole } from './bootstrap-policy.ts'
import { reconcileBinding, reconcileRole } from './reconcile.ts'

const role: BootstrapRole = { name: 'r', rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }] }
const group = 'rbac.authorization.k8s.io'
const binding = {
  name: 'b',
  roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'r' },
  subjects: [{ kind: 'Group', apiGroup: group, name: 'g' }],
}

function made<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('nothing was made')
  return value
}

test('what is not there is made with its marks, and then is complete', () => {
  const first = made(reconcileRole(role, undefined))
  expect(first.metadata).toEqual({
    name: 'r',
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  })
  expect(reconcileRole(role, first)).toBeUndefined()
  expect(reconcileBinding(binding, made(reconcileBinding(binding, undefined).write))).toEqual({})
})

test('every role and binding of the cluster is complete once it is made', () => {
  const [cluster, namespaced] = [clusterPolicy(), namespacedPolicy()]
  for (const each of [...cluster.roles, ...namespaced.roles]) {
    expect(reconcileRole(each, made(reconcileRole(each, undefined)))).toBeUndefined()
  }
  for (const each of [...cluster.bindings, ...namespaced.bindings]) {
    expect(reconcileBinding(each, made(reconcileBinding(each, undefined).write))).toEqual({})
  }
})

test('rules that are missing come back, rules that were added stay', () => {
  const own = { verbs: ['delete'], apiGroups: [''], resources: ['pods'] }
  const first = made(reconcileRole(role, undefined))
  const changed = { ...first, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }, own] }
  expect(reconcileRole(role, changed)?.rules).toEqual([
    ...changed.rules,
    { verbs: ['list'], apiGroups: [''], resources: ['pods'] },
  ])
})

test('labels that are missing come back, values that somebody chose stay', () => {
  const first = made(reconcileRole(role, undefined))
  const changed = { ...first, metadata: { ...first.metadata, labels: { own: 'x' } } }
  expect(reconcileRole(role, changed)?.metadata.labels).toEqual({
    own: 'x',
    'kubernetes.io/bootstrapping': 'rbac-defaults',
  })
})

test('autoupdate "false" leaves an object alone', () => {
  const first = made(reconcileRole(role, undefined))
  const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' }
  expect(reconcileRole(role, { ...first, metadata: { ...first.metadata, annotations }, rules: [] })).toBeUndefined()
})

test('what an aggregated role has become is no concern of ours, its selectors are', () => {
  const aggregated = { name: 'a', rules: [], aggregates: 'to-a' }
  const first = made(reconcileRole(aggregated, undefined))
  expect(reconcileRole(aggregated, { ...first, rules: role.rules })).toBeUndefined()
  const own = { clusterRoleSelectors: [{ matchLabels: { own: 'x' } }] }
  expect(reconcileRole(aggregated, { ...first, aggregationRule: own })?.aggregationRule?.clusterRoleSelectors).toEqual([
    { matchLabels: { own: 'x' } },
    { matchLabels: { 'to-a': 'true' } },
  ])
})

test('subjects that are missing come back; a binding to another role is made anew', () => {
  const first = made(reconcileBinding(binding, undefined).write)
  const ann = { kind: 'User', apiGroup: group, name: 'ann' }
  expect(reconcileBinding(binding, { ...first, subjects: [ann] }).write?.subjects).toEqual([ann, ...binding.subjects])
  const other = { ...first, roleRef: { ...first.roleRef, name: 'other' }, subjects: [ann] }
  expect(reconcileBinding(binding, other)).toMatchObject({ replace: true, write: { roleRef: binding.roleRef } })
})

test('those of kubeadm are made once and then left alone', () => {
  const first = made(reconcileBinding({ ...binding, isKubeadms: true }, undefined).write)
  expect(first.metadata).toEqual({ name: 'b' })
  expect(reconcileBinding({ ...binding, isKubeadms: true }, { ...first, subjects: [] })).toEqual({})
})
