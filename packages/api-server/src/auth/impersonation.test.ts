import { expect, test } from 'vitest'
import type { AccessAttributes } from './authorize.ts'
import { impersonate } from './impersonation.ts'

const boss = { username: 'boss', groups: ['admins'] }

/** Goes on as the headers say, and tells what was asked for. */
function going(headers: [name: string, value: string][], refused?: string) {
  const asked: string[] = []
  const user = impersonate(boss, headers.flat(), (attributes) => {
    asked.push(shown(attributes))
    return { allowed: !refused || !shown(attributes).includes(refused), reason: '' }
  })
  return { user, asked }
}

function shown({ verb, group, resource, subresource, namespace, name }: AccessAttributes): string {
  return [`${verb} ${resource}${subresource ? `/${subresource}` : ''}${group ? `.${group}` : ''}`, namespace, name]
    .filter(Boolean)
    .join(' ')
}

test('without the headers a user stays who it is', () => {
  expect(going([['User-Agent', 'impersonate-user']])).toEqual({ user: boss, asked: [] })
})

test('a user, groups, a uid and extras, each of which is asked for', () => {
  const { user, asked } = going([
    ['Impersonate-User', 'ann'],
    ['Impersonate-Group', 'devs'],
    ['impersonate-group', 'a,b'],
    ['Impersonate-Uid', '42'],
    ['Impersonate-Extra-Scopes', 'view'],
    ['Impersonate-Extra-Scopes', 'edit'],
    ['Impersonate-Extra-acme.com%2Fproject', 'x'],
  ])
  expect(user).toEqual({
    username: 'ann',
    uid: '42',
    groups: ['devs', 'a,b', 'system:authenticated'],
    extra: { scopes: ['view', 'edit'], 'acme.com/project': ['x'] },
  })
  expect(asked).toEqual([
    'impersonate users ann',
    'impersonate groups devs',
    'impersonate groups a,b',
    'impersonate userextras/scopes.authentication.k8s.io view',
    'impersonate userextras/scopes.authentication.k8s.io edit',
    'impersonate userextras/acme.com/project.authentication.k8s.io x',
    'impersonate uids.authentication.k8s.io 42',
  ])
})

test('a service account is asked for in its namespace and has its groups', () => {
  const { user, asked } = going([['Impersonate-User', 'system:serviceaccount:shop:robot']])
  expect(user.groups).toEqual(['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'])
  expect(asked).toEqual(['impersonate serviceaccounts shop robot'])
})

test.each([
  ['ann', ['system:authenticated'], ['system:authenticated']],
  ['ann', ['system:unauthenticated'], ['system:unauthenticated']],
  ['system:anonymous', [], ['system:unauthenticated']],
])('%s in %j is in %j', (name, groups, all) => {
  const headers = groups.map((group): [string, string] => ['Impersonate-Group', group])
  expect(going([['Impersonate-User', name], ...headers]).user.groups).toEqual(all)
})

test('whoever may not is refused', () => {
  const headers: [string, string][] = [
    ['Impersonate-User', 'ann'],
    ['Impersonate-Group', 'system:masters'],
  ]
  expect(() => going(headers, 'users')).toThrow(
    'users "ann" is forbidden: User "boss" cannot impersonate resource "users" in API group "" at the cluster scope',
  )
  expect(() => going(headers, 'groups')).toThrow('groups "system:masters" is forbidden: User "boss" cannot impersonate')
})

test('groups need a user', () => {
  expect(() => going([['Impersonate-Group', 'devs']])).toThrow('requested [devs] without impersonating a user')
})
