import { afterAll, beforeAll, expect, test } from 'vitest'
import { serverFixture } from '../testing/server-fixture.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const apiGroup = 'rbac.authorization.k8s.io'
const readPods = [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }]

let fixture: Awaited<ReturnType<typeof serverFixture>>

beforeAll(async () => {
  fixture = await serverFixture({ authorizationModes: ['RBAC'] })
  await by('', 'POST', '/clusterroles', { metadata: { name: 'pods' }, rules: readPods }, 201)
  await by('', 'POST', '/clusterroles', role('binder', ['bind', 'get'], 'clusterroles'), 201)
  await by('', 'POST', '/clusterroles', role('escalator', ['escalate', 'create', 'update'], 'roles'), 201)
  // ann administers default; eve may write bindings, and holds nothing that she could bind.
  await bind('ann', 'admin')
  await by('', 'POST', '/clusterroles', role('writer', ['create', 'update', 'get'], 'rolebindings'), 201)
  await bind('eve', 'writer')
  await bind('bea', 'writer', 'binder')
  await bind('kim', 'escalator')
})
afterAll(() => fixture.close())

function role(name: string, verbs: string[], resource: string) {
  return { metadata: { name }, rules: [{ verbs, apiGroups: [apiGroup], resources: [resource] }] }
}

function binding(name: string, to: string, ...users: string[]) {
  const subjects = users.map((user) => ({ kind: 'User', name: user }))
  return { metadata: { name }, roleRef: { apiGroup, kind: 'ClusterRole', name: to }, subjects }
}

async function bind(user: string, ...roles: string[]) {
  for (const to of roles) await by('', 'POST', inDefault('rolebindings'), binding(`${user}-${to}`, to, user), 201)
}

function inDefault(plural: string) {
  return `/namespaces/default/${plural}`
}

/** The message of the answer; '' as a user is the administrator. */
async function by(user: string, method: string, path: string, body: object, code: number): Promise<string> {
  const headers: Record<string, string> = user ? { 'impersonate-user': user } : {}
  const answer = await fixture.ask(method, rbac + path, body, headers)
  expect(answer.code, answer.text).toBe(code)
  return String(answer.json['message'])
}

test('a role may hold what its author holds', async () => {
  await by('ann', 'POST', inDefault('roles'), { metadata: { name: 'fine' }, rules: readPods }, 201)
})

test('and nothing more', async () => {
  const rules = [
    { verbs: ['get', 'delete', 'patch'], apiGroups: [''], resources: ['nodes', 'pods'] },
    { verbs: ['use'], apiGroups: ['x.io'], resources: ['y'], resourceNames: ['z'] },
  ]
  const message = await by('ann', 'POST', inDefault('roles'), { metadata: { name: 'greedy' }, rules }, 403)
  expect(message).toBe(
    `roles.${apiGroup} "greedy" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:[""], Resources:["nodes"], Verbs:["get" "delete" "patch"]}
{APIGroups:["x.io"], Resources:["y"], ResourceNames:["z"], Verbs:["use"]}`,
  )
})

test('an update is looked at as a whole', async () => {
  await by('', 'POST', inDefault('roles'), role('given', ['get'], 'roles'), 201)
  const more = { ...role('given', ['bind'], 'roles') }
  await by('ann', 'PUT', `${inDefault('roles')}/given`, more, 403)
})

test('a binding needs the rules of its role, or the right to bind it', async () => {
  const message = await by('eve', 'POST', inDefault('rolebindings'), binding('eve-pods', 'pods', 'eve'), 403)
  expect(message).toContain(`rolebindings.${apiGroup} "eve-pods" is forbidden: user "eve"`)
  expect(message).toContain('{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}')
  await by('bea', 'POST', inDefault('rolebindings'), binding('bea-pods', 'pods', 'bea'), 201)
})

test('a role that does not exist cannot be bound by those who may not bind it', async () => {
  const message = await by('eve', 'POST', inDefault('rolebindings'), binding('x', 'gone', 'eve'), 404)
  expect(message).toBe(`clusterroles.${apiGroup} "gone" not found`)
  await by('', 'POST', inDefault('rolebindings'), binding('early', 'later', 'eve'), 201)
})

test('whoever may escalate needs nothing else', async () => {
  await by('kim', 'POST', inDefault('roles'), role('any', ['*'], '*'), 201)
})

test('aggregation is for those who may do everything', async () => {
  await by('', 'POST', '/clusterroles', role('cluster-writer', ['create'], 'clusterroles'), 201)
  await by('', 'POST', '/clusterrolebindings', binding('dan', 'cluster-writer', 'dan'), 201)
  const aggregated = { metadata: { name: 'all' }, aggregationRule: { clusterRoleSelectors: [{ matchLabels: {} }] } }
  expect(await by('dan', 'POST', '/clusterroles', aggregated, 403)).toBe(
    `clusterroles.${apiGroup} "all" is forbidden: must have cluster-admin privileges to use the aggregationRule`,
  )
})

test('a binding keeps its role', async () => {
  const path = `${inDefault('rolebindings')}/ann-admin`
  const message = await by('', 'PUT', path, binding('ann-admin', 'view', 'ann'), 422)
  expect(message).toContain('cannot change roleRef')
})
