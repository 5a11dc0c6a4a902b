/**
 * What admin, edit and view may do in a namespace, as Kubernetes documents it
 * (kubernetes.io/docs/reference/access-authn-authz/rbac, "User-facing roles"), verb by verb, against the decisions of
 * the authorizer with the roles that a cluster begins with.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { bootstrapCluster } from '../../bootstrap.ts'
import { storeFixture } from '../../testing/store-fixture.ts'
import type { Authorizer } from '../authorize.ts'
import { rbacAuthorizer } from './rbac-authorizer.ts'
import { RbacIndex } from './rbac-index.ts'

const read = 'get list watch'
const write = 'create delete deletecollection patch update'
const all = `${read} ${write}`
const allVerbs = [...all.split(' '), 'impersonate', 'bind', 'escalate']

/** Resource; what view, edit and admin may do. */
const matrix: [resource: string, view: string, edit: string, admin: string][] = [
  ['pods', read, all, all],
  ['pods/log', read, read, read],
  ['pods.metrics.k8s.io', read, read, read],
  ['pods/status', read, read, read],
  ['pods/exec', '', all, all],
  ['pods/attach', '', all, all],
  ['pods/portforward', '', all, all],
  ['pods/proxy', '', all, all],
  ['pods/eviction', '', 'create', 'create'],
  ['pods/binding', '', '', ''],
  ['services', read, all, all],
  ['services/proxy', '', all, all],
  ['configmaps', read, all, all],
  ['secrets', '', all, all],
  ['persistentvolumeclaims', read, all, all],
  ['serviceaccounts', read, `${all} impersonate`, `${all} impersonate`],
  ['serviceaccounts/token', '', 'create', 'create'],
  ['replicationcontrollers', read, all, all],
  ['replicationcontrollers/scale', read, all, all],
  ['endpoints', read, read, read],
  ['endpointslices.discovery.k8s.io', read, read, read],
  ['events', read, all, all],
  ['limitranges', read, read, read],
  ['resourcequotas', read, read, read],
  ['namespaces', read, read, read],
  ['deployments.apps', read, all, all],
  ['deployments.apps/scale', read, all, all],
  ['deployments.apps/status', read, read, read],
  ['statefulsets.apps', read, all, all],
  ['daemonsets.apps', read, all, all],
  ['replicasets.apps', read, all, all],
  ['controllerrevisions.apps', read, read, read],
  ['jobs.batch', read, all, all],
  ['cronjobs.batch', read, all, all],
  ['horizontalpodautoscalers.autoscaling', read, all, all],
  ['ingresses.networking.k8s.io', read, all, all],
  ['networkpolicies.networking.k8s.io', read, all, all],
  ['poddisruptionbudgets.policy', read, all, all],
  ['leases.coordination.k8s.io', '', all, all],
  ['roles.rbac.authorization.k8s.io', '', '', all],
  ['rolebindings.rbac.authorization.k8s.io', '', '', all],
  ['localsubjectaccessreviews.authorization.k8s.io', '', '', 'create'],
  ['subjectaccessreviews.authorization.k8s.io', '', '', ''],
  ['nodes', '', '', ''],
  ['persistentvolumes', '', '', ''],
  ['storageclasses.storage.k8s.io', '', '', ''],
  ['clusterroles.rbac.authorization.k8s.io', '', '', ''],
  ['clusterrolebindings.rbac.authorization.k8s.io', '', '', ''],
  ['certificatesigningrequests.certificates.k8s.io', '', '', ''],
  ['customresourcedefinitions.apiextensions.k8s.io', '', '', ''],
  ['widgets.example.com', '', '', ''],
]

const fixture = storeFixture()
let authorizer: Authorizer

beforeAll(async () => {
  await bootstrapCluster(fixture)
  const apiGroup = 'rbac.authorization.k8s.io'
  for (const name of ['view', 'edit', 'admin']) {
    const roleRef = { apiGroup, kind: 'ClusterRole', name }
    await fixture.create('rolebindings', { metadata: { name }, roleRef, subjects: [{ kind: 'User', apiGroup, name }] })
  }
  authorizer = rbacAuthorizer(new RbacIndex(fixture.storage))
})
afterAll(() => fixture.storage.close())

function allowedTo(user: string, what: string, namespace: string): string[] {
  const [kind = '', subresource] = what.split('/')
  const [resource = '', ...group] = kind.split('.')
  const base = { user: { username: user, groups: ['system:authenticated'] }, version: 'v1', name: undefined }
  const asked = { ...base, group: group.join('.'), resource, subresource, namespace, path: undefined }
  return allVerbs.filter((verb) => authorizer({ ...asked, verb }).allowed)
}

test.each(matrix)('%s', (resource, view, edit, admin) => {
  const wanted = (verbs: string) => allVerbs.filter((verb) => verbs.split(' ').includes(verb))
  expect(allowedTo('view', resource, 'default')).toEqual(wanted(view))
  expect(allowedTo('edit', resource, 'default')).toEqual(wanted(edit))
  expect(allowedTo('admin', resource, 'default')).toEqual(wanted(admin))
})

test('in other namespaces none of them may do anything', () => {
  for (const [resource] of matrix) {
    for (const user of ['view', 'edit', 'admin']) expect(allowedTo(user, resource, 'other')).toEqual([])
  }
})
