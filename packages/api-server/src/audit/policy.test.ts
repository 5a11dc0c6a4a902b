import { describe, expect, test } from 'vitest'
import { type AuditPolicy, evaluatePolicy, readPolicy } from './policy.ts'

type Asked = Parameters<typeof evaluatePolicy>[1]

function asks(changes: Partial<Asked>): Asked {
  const user = { username: 'jane', groups: ['dev', 'system:authenticated'] }
  const nothing = { group: '', version: 'v1', resource: 'pods', subresource: undefined, name: undefined }
  return { user, verb: 'get', namespace: 'shop', path: undefined, ...nothing, ...changes }
}

function url(path: string): Asked {
  return asks({ path, resource: '', namespace: undefined })
}

describe('the first rule that matches decides', () => {
  test.each<[string, Partial<AuditPolicy['rules'][number]>, Asked, boolean]>([
    ['a rule without conditions', {}, asks({}), true],
    ['its user', { users: ['jane'] }, asks({}), true],
    ['another user', { users: ['bob'] }, asks({}), false],
    ['nobody, where a user is asked for', { users: ['bob'] }, asks({ user: undefined }), false],
    ['one of its groups', { userGroups: ['ops', 'dev'] }, asks({}), true],
    ['none of its groups', { userGroups: ['ops'] }, asks({}), false],
    ['its verb', { verbs: ['get', 'list'] }, asks({}), true],
    ['another verb', { verbs: ['list'] }, asks({}), false],
    ['its namespace', { namespaces: ['shop'] }, asks({}), true],
    ['no namespace', { namespaces: [''] }, asks({ namespace: undefined, resource: 'nodes' }), true],
    ['another namespace', { namespaces: ['kube-system'] }, asks({}), false],
    ['a path, where a namespace is asked for', { namespaces: [''] }, url('/api'), false],
    ['all of a group', { resources: [{ group: '' }] }, asks({}), true],
    ['another group', { resources: [{ group: 'apps' }] }, asks({}), false],
    ['its resource', { resources: [{ resources: ['pods'] }] }, asks({}), true],
    ['its resource, but a subresource', { resources: [{ resources: ['pods'] }] }, asks({ subresource: 'log' }), false],
    ['its subresource', { resources: [{ resources: ['pods/log'] }] }, asks({ subresource: 'log' }), true],
    ['all subresources of it', { resources: [{ resources: ['pods/*'] }] }, asks({ subresource: 'log' }), true],
    ['that subresource of all', { resources: [{ resources: ['*/log'] }] }, asks({ subresource: 'log' }), true],
    ['everything', { resources: [{ resources: ['*'] }] }, asks({ subresource: 'log' }), true],
    ['its name', { resources: [{ resources: ['pods'], resourceNames: ['a'] }] }, asks({ name: 'a' }), true],
    ['another name', { resources: [{ resources: ['pods'], resourceNames: ['a'] }] }, asks({ name: 'b' }), false],
    ['its path', { nonResourceURLs: ['/healthz'] }, url('/healthz'), true],
    ['below its path', { nonResourceURLs: ['/healthz*'] }, url('/healthz/etcd'), true],
    ['another path', { nonResourceURLs: ['/healthz'] }, url('/healthz/etcd'), false],
    ['a resource, where a path is asked for', { nonResourceURLs: ['*'] }, asks({}), false],
  ])('%s', (_what, rule, asked, isMatch) => {
    const policy: AuditPolicy = { rules: [{ level: 'Request', ...rule }] }
    expect(evaluatePolicy(policy, asked).level).toBe(isMatch ? 'Request' : 'None')
  })

  test('stages are left out that the policy or the rule leaves out, and managed fields as the rule says', () => {
    const rules: AuditPolicy['rules'] = [
      { level: 'None', verbs: ['watch'] },
      { level: 'Metadata', omitStages: ['ResponseStarted'], omitManagedFields: false },
    ]
    const policy: AuditPolicy = { rules, omitStages: ['RequestReceived'], omitManagedFields: true }
    expect(evaluatePolicy(policy, asks({ verb: 'watch' })).level).toBe('None')
    expect(evaluatePolicy(policy, asks({}))).toEqual({
      level: 'Metadata',
      omitStages: ['RequestReceived', 'ResponseStarted'],
      omitManagedFields: false,
    })
  })
})

const header = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy' }

test.each<[string, unknown, string]>([
  ['nothing', null, 'not an audit.k8s.io/v1 Policy'],
  ['another kind', { ...header, kind: 'Pod' }, 'is a audit.k8s.io/v1 Pod'],
  ['no rules', { ...header, rules: [] }, 'has no rules'],
  ['a level that is none', { ...header, rules: [{ level: 'All' }] }, 'rules[0].level: Unsupported value: "All"'],
  ['no level', { ...header, rules: [{}] }, 'rules[0].level: Unsupported value'],
  ['a stage that is none', { ...header, rules: [{ level: 'None' }], omitStages: ['End'] }, 'omitStages: Unsupported'],
  [
    'resources and paths in one rule',
    { ...header, rules: [{ level: 'None', namespaces: ['a'], nonResourceURLs: ['/x'] }] },
    'rules[0]: rules cannot apply to both',
  ],
])('%s is refused', (_what, policy, message) => expect(() => readPolicy(policy)).toThrow(message))

test('a policy that is right is read as it is', () => {
  const policy = { ...header, omitStages: ['RequestReceived'], rules: [{ level: 'Metadata', users: ['jane'] }] }
  expect(readPolicy(policy)).toBe(policy)
})
