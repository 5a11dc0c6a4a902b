import { expect, test } from 'vitest'
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'
import type { AccessAttributes } from '../authorize.ts'
import { ruleAllows } from './policy-rule.ts'

const readPods: PolicyRule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] }
const scales: PolicyRule = { verbs: ['update'], apiGroups: ['*'], resources: ['*/scale'] }
const oneSecret: PolicyRule = { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['tls'] }
const everything: PolicyRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }
const health: PolicyRule = { verbs: ['get'], nonResourceURLs: ['/healthz', '/healthz/*', '/openapi*'] }
const anyPath: PolicyRule = { verbs: ['*'], nonResourceURLs: ['*'] }

function ask(text: string): AccessAttributes {
  const [verb = '', what = '', name] = text.split(' ')
  const base = { user: { username: 'u', groups: [] }, verb, version: 'v1', namespace: 'default', name }
  if (what.startsWith('/')) return { ...base, group: '', resource: '', subresource: undefined, path: what }
  const [kind = '', subresource] = what.split('/')
  const [resource = '', ...group] = kind.split('.')
  return { ...base, group: group.join('.'), resource, subresource, path: undefined }
}

test.each<[rule: PolicyRule, request: string, allowed: boolean]>([
  [readPods, 'get pods web', true],
  [readPods, 'list pods', true],
  [readPods, 'watch pods', false],
  [readPods, 'get pods/log web', true],
  [readPods, 'get pods/exec web', false],
  [readPods, 'get pods.metrics.k8s.io', false],
  [readPods, 'get /pods', false],
  [scales, 'update deployments.apps/scale web', true],
  [scales, 'update deployments.apps web', false],
  [scales, 'update deployments.apps/status web', false],
  [oneSecret, 'get secrets tls', true],
  [oneSecret, 'get secrets other', false],
  [oneSecret, 'get secrets', false],
  [everything, 'patch widgets.example.com/status x', true],
  [everything, 'get /metrics', false],
  [health, 'get /healthz', true],
  [health, 'get /healthz/etcd', true],
  [health, 'get /healthzz', false],
  [health, 'get /openapi/v3', true],
  [health, 'post /healthz', false],
  [anyPath, 'delete /anything', true],
  [anyPath, 'get pods', false],
  [{ verbs: ['get'] }, 'get pods', false],
])('%j: %s is %s', (rule, request, allowed) => {
  expect(ruleAllows(rule, ask(request))).toBe(allowed)
})
