import { expect, test } from 'vitest'
import type { FlowSchema } from '@dinghy/shared/api/types'
import { defaultFlowSchemas } from './defaults.ts'
import { byPrecedence, distinguisherOf, flowOf, type FlowRequest, matchesSchema, schemaOfUser } from './matching.ts'

const schemas = byPrecedence(
  Object.entries(defaultFlowSchemas).map(([name, spec]) => ({ metadata: { name }, spec }) as FlowSchema),
)
const authenticated = 'system:authenticated'

function request(username: string, groups: string[], more: Partial<FlowRequest> = {}): FlowRequest {
  return {
    user: { username, groups },
    verb: 'get',
    isResource: true,
    path: '/',
    group: '',
    version: 'v1',
    resource: 'pods',
    subresource: undefined,
    namespace: 'default',
    name: undefined,
    ...more,
  }
}
function node(more: Partial<FlowRequest>): FlowRequest {
  return request('system:node:a', ['system:nodes', authenticated], more)
}
function account(namespace: string, name: string, more: Partial<FlowRequest> = {}): FlowRequest {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, authenticated]
  return request(`system:serviceaccount:${namespace}:${name}`, groups, more)
}
const lease = { group: 'coordination.k8s.io', resource: 'leases' }
function page(path: string): Partial<FlowRequest> {
  return { isResource: false, path, namespace: undefined, resource: '' }
}

test.each<[string, FlowRequest, flow: string]>([
  ['exempt', request('admin', ['system:masters', authenticated]), ''],
  ['probes', request('system:anonymous', ['system:unauthenticated'], page('/healthz')), ''],
  [
    'global-default',
    request('system:anonymous', ['system:unauthenticated'], page('/healthz/etcd')),
    'system:anonymous',
  ],
  ['system-node-high', node({ ...lease, verb: 'update', namespace: 'kube-node-lease' }), 'system:node:a'],
  ['system-node-high', node({ resource: 'nodes', subresource: 'status', namespace: undefined }), 'system:node:a'],
  ['system-nodes', node({}), 'system:node:a'],
  [
    'system-leader-election',
    request('system:kube-scheduler', [authenticated], { ...lease, verb: 'update' }),
    'system:kube-scheduler',
  ],
  ['kube-scheduler', request('system:kube-scheduler', [authenticated]), 'default'],
  ['kube-controller-manager', request('system:kube-controller-manager', [authenticated], { namespace: undefined }), ''],
  [
    'endpoint-controller',
    account('kube-system', 'endpoint-controller', { resource: 'endpoints', verb: 'update' }),
    'system:serviceaccount:kube-system:endpoint-controller',
  ],
  ['kube-system-service-accounts', account('kube-system', 'coredns'), 'default'],
  ['service-accounts', account('default', 'robot'), 'system:serviceaccount:default:robot'],
  ['global-default', request('student', [authenticated]), 'student'],
])('%s', (name, wanted, flow) => {
  const found = schemas.find((schema) => {
    const ofUser = schemaOfUser(schema, wanted.user)
    return ofUser && matchesSchema(ofUser, wanted)
  })
  expect(found?.metadata.name).toBe(name)
  expect(found && distinguisherOf(flowOf(found, wanted))).toBe(flow)
})
