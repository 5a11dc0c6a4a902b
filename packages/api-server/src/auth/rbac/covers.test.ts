import { expect, test } from 'vitest'
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'
import { compacted, describeRule, uncovered } from './covers.ts'

function rule(verbs: string, resources: string, group = '', ...resourceNames: string[]): PolicyRule {
  const names = resourceNames.length > 0 ? { resourceNames } : {}
  return { verbs: verbs.split(','), apiGroups: [group], resources: resources.split(','), ...names }
}

function paths(verbs: string, ...nonResourceURLs: string[]): PolicyRule {
  return { verbs: verbs.split(','), nonResourceURLs }
}

test.each<[wanted: PolicyRule, owned: PolicyRule[], missing: string[]]>([
  [rule('get', 'pods'), [rule('get,list', 'pods')], []],
  [rule('get,list', 'pods'), [rule('get', 'pods'), rule('list', 'pods,nodes')], []],
  [rule('get,list', 'pods'), [rule('get', 'pods')], ['{APIGroups:[""], Resources:["pods"], Verbs:["list"]}']],
  [rule('get', 'pods/log'), [rule('get', 'pods')], ['{APIGroups:[""], Resources:["pods/log"], Verbs:["get"]}']],
  [rule('get', 'pods/log'), [rule('get', '*/log')], []],
  [rule('get', 'pods/log'), [rule('*', '*', '*')], []],
  [rule('*', '*', '*'), [rule('get', '*', '*')], ['{APIGroups:["*"], Resources:["*"], Verbs:["*"]}']],
  [rule('get', 'secrets', '', 'a'), [rule('get', 'secrets')], []],
  [rule('get', 'secrets', '', 'a'), [rule('get', 'secrets', '', 'a', 'b')], []],
  [
    rule('get', 'secrets'),
    [rule('get', 'secrets', '', 'a')],
    ['{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'],
  ],
  [
    rule('get,update', 'secrets', '', 'a', 'b'),
    [rule('*', 'secrets', '', 'a')],
    ['{APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["get" "update"]}'],
  ],
  [paths('get', '/healthz/etcd'), [paths('get', '/healthz/*')], []],
  [paths('get', '/a'), [rule('*', '*', '*')], ['{NonResourceURLs:["/a"], Verbs:["get"]}']],
])('%j under %j', (wanted, owned, missing) => {
  expect(compacted(uncovered(owned, [wanted])).map(describeRule)).toEqual(missing)
})
