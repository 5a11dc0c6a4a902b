import { afterEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { SqliteStorage } from '../../storage/sqlite.ts'
import type { AccessAttributes, Authorizer } from '../authorize.ts'
import { allowSuperusers, union } from '../authorize.ts'
import { rbacAuthorizer, rulesFor } from './rbac-authorizer.ts'
import { RbacIndex } from './rbac-index.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()))
})

const group = 'rbac.authorization.k8s.io'

function fixture() {
  const storage = new SqliteStorage({ path: ':memory:', clock: new FakeClock('2025-01-01T00:00:00Z') })
  const stop = new AbortController()
  const index = new RbacIndex(storage)
  const following = index.follow(stop.signal)
  ends.push(async () => {
    stop.abort()
    await following
    storage.close()
  })
  const write = async (plural: string, place: string, content: object, deleted = false) => {
    const [name = '', namespace] = place.split('/').reverse()
    const metadata = { name, ...(namespace ? { namespace } : {}), uid: '', creationTimestamp: '' }
    const key = `/${group}/${plural}/${place}`
    const expected = storage.get(key)?.revision ?? 0
    await storage.write([{ key, expected, object: { metadata, ...content } as never, deleted, actor: 'test' }])
    await new Promise((resolve) => setImmediate(resolve)) // the index is told a moment later
  }
  return { index, authorizer: rbacAuthorizer(index), write }
}

function ask(authorizer: Authorizer, who: string, text: string) {
  const [username = '', ...groups] = who.split(' ')
  const [verb = '', resource = '', namespace] = text.split(' ')
  const attributes: AccessAttributes = {
    user: { username, groups },
    verb,
    group: '',
    version: 'v1',
    resource: resource.startsWith('/') ? '' : resource,
    subresource: undefined,
    namespace,
    name: undefined,
    path: resource.startsWith('/') ? resource : undefined,
  }
  return authorizer(attributes)
}

const readPods = { rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }] }
function bind(kind: string, name: string, ...subjects: object[]) {
  return { roleRef: { apiGroup: group, kind, name }, subjects }
}

test('a role bound everywhere, by user and by group', async () => {
  const { authorizer, write } = fixture()
  await write('clusterroles', 'reader', readPods)
  await write('clusterrolebindings', 'readers', bind('ClusterRole', 'reader', { kind: 'Group', name: 'devs' }))
  expect(ask(authorizer, 'ann devs', 'list pods default')).toEqual({
    allowed: true,
    reason: 'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to Group "devs"',
  })
  expect(ask(authorizer, 'ann', 'list pods default')).toEqual({ allowed: false, reason: '' })
  expect(ask(authorizer, 'ann devs', 'create pods default').allowed).toBe(false)
})

test('a role bound in one namespace holds there only', async () => {
  const { authorizer, write } = fixture()
  await write('roles', 'a/reader', readPods)
  await write('rolebindings', 'a/ann', bind('Role', 'reader', { kind: 'User', name: 'ann' }))
  expect(ask(authorizer, 'ann', 'get pods a')).toEqual({
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "ann/a" of Role "reader" to User "ann"',
  })
  expect(ask(authorizer, 'ann', 'get pods b').allowed).toBe(false)
  expect(ask(authorizer, 'ann', 'get pods').allowed).toBe(false)
})

test('a service account is named by its user name, its namespace being that of the binding if none is given', async () => {
  const { authorizer, write } = fixture()
  await write('clusterroles', 'reader', readPods)
  await write('rolebindings', 'a/sa', bind('ClusterRole', 'reader', { kind: 'ServiceAccount', name: 'robot' }))
  expect(ask(authorizer, 'system:serviceaccount:a:robot', 'get pods a').reason).toBe(
    'RBAC: allowed by RoleBinding "sa/a" of ClusterRole "reader" to ServiceAccount "robot/a"',
  )
  expect(ask(authorizer, 'system:serviceaccount:b:robot', 'get pods a').allowed).toBe(false)
})

test('roles that do not exist are named, and what is missing may come later', async () => {
  const { authorizer, write } = fixture()
  const ann = { kind: 'User', name: 'ann' }
  await write('clusterrolebindings', 'x', bind('ClusterRole', 'gone', ann))
  await write('rolebindings', 'a/y', bind('Role', 'lost', ann))
  expect(ask(authorizer, 'ann', 'get pods').reason).toBe('RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found')
  expect(ask(authorizer, 'ann', 'get pods a').reason).toBe(
    'RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "lost" not found]',
  )
  await write('roles', 'a/lost', readPods)
  expect(ask(authorizer, 'ann', 'get pods a').allowed).toBe(true)
})

test('what is taken away is gone at once', async () => {
  const { authorizer, write } = fixture()
  const ann = { kind: 'User', name: 'ann' }
  await write('clusterroles', 'reader', readPods)
  await write('clusterrolebindings', 'x', bind('ClusterRole', 'reader', ann))
  expect(ask(authorizer, 'ann', 'get pods').allowed).toBe(true)
  await write('clusterroles', 'reader', { rules: [] })
  expect(ask(authorizer, 'ann', 'get pods').allowed).toBe(false)
  await write('clusterroles', 'reader', readPods)
  await write('clusterrolebindings', 'x', bind('ClusterRole', 'reader', { kind: 'User', name: 'bob' }))
  expect(ask(authorizer, 'ann', 'get pods').allowed).toBe(false)
  expect(ask(authorizer, 'bob', 'get pods').allowed).toBe(true)
  await write('clusterrolebindings', 'x', bind('ClusterRole', 'reader', { kind: 'User', name: 'bob' }), true)
  expect(ask(authorizer, 'bob', 'get pods').allowed).toBe(false)
})

test('paths are a matter of cluster roles bound everywhere', async () => {
  const { authorizer, write } = fixture()
  const rules = [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }]
  await write('clusterroles', 'metrics', { rules })
  await write('clusterrolebindings', 'x', bind('ClusterRole', 'metrics', { kind: 'User', name: 'ann' }))
  expect(ask(authorizer, 'ann', 'get /metrics').allowed).toBe(true)
  expect(ask(authorizer, 'bob', 'get /metrics').allowed).toBe(false)
})

test('superusers need no role', () => {
  const { authorizer } = fixture()
  const both = union([allowSuperusers, authorizer])
  expect(ask(both, 'root system:masters', 'delete nodes').allowed).toBe(true)
  expect(ask(both, 'root', 'delete nodes')).toEqual({ allowed: false, reason: '' })
})

test('the rules of a user are those of everywhere and of the namespace', async () => {
  const { index, write } = fixture()
  const ann = { kind: 'User', name: 'ann' }
  await write('clusterroles', 'reader', readPods)
  await write('clusterrolebindings', 'x', bind('ClusterRole', 'reader', ann))
  await write('rolebindings', 'a/y', bind('Role', 'lost', ann))
  const user = { username: 'ann', groups: [] }
  expect(rulesFor(index, user, 'a')).toEqual({
    rules: readPods.rules,
    problem: 'role.rbac.authorization.k8s.io "lost" not found',
  })
  expect(rulesFor(index, user, 'b').problem).toBe('')
})
