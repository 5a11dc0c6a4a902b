/**
 * The FlowSchemas and PriorityLevelConfigurations that every cluster has: the two that cannot be otherwise, and those
 * that upstream suggests. Follows k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap.
 */

import type {
  FlowSchemaSpec,
  PolicyRulesWithSubjects,
  PriorityLevelConfigurationSpec,
  Subject,
} from 'kubernetes-types/flowcontrol/v1.js'

export const defaultPriorityLevels: Record<string, PriorityLevelConfigurationSpec> = {
  exempt: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  'catch-all': {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
  },
  system: limited(30, 33, [64, 6]),
  'node-high': limited(40, 25, [64, 6]),
  'leader-election': limited(10, 0, [16, 4]),
  'workload-high': limited(40, 50, [128, 6]),
  'workload-low': limited(100, 90, [128, 6]),
  'global-default': limited(20, 50, [128, 6]),
}

function limited(
  nominalConcurrencyShares: number,
  lendablePercent: number,
  [queues, handSize]: [number, number],
): PriorityLevelConfigurationSpec {
  const queuing = { queues, handSize, queueLengthLimit: 50 }
  return {
    type: 'Limited',
    limited: { nominalConcurrencyShares, lendablePercent, limitResponse: { type: 'Queue', queuing } },
  }
}

const manager = 'system:kube-controller-manager'
const scheduler = 'system:kube-scheduler'
const everybody = groups('system:unauthenticated', 'system:authenticated')
const systemAccounts = accounts('*')

export const defaultFlowSchemas: Record<string, FlowSchemaSpec> = {
  exempt: schema(1, 'exempt', undefined, anything(groups('system:masters'))),
  probes: schema(2, 'exempt', undefined, {
    subjects: everybody,
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
  }),
  'system-leader-election': schema(
    100,
    'leader-election',
    'ByUser',
    only(
      [...users(manager, scheduler), ...systemAccounts],
      ['get', 'create', 'update'],
      'coordination.k8s.io',
      'leases',
    ),
  ),
  'endpoint-controller': schema(
    150,
    'workload-high',
    'ByUser',
    only(
      [...users(manager), ...accounts('endpoint-controller', 'endpointslicemirroring-controller')],
      ['get', 'create', 'update'],
      '',
      'endpoints',
    ),
  ),
  'workload-leader-election': schema(
    200,
    'leader-election',
    'ByUser',
    only(systemAccounts, ['get', 'create', 'update'], 'coordination.k8s.io', 'leases'),
  ),
  'system-node-high': schema(400, 'node-high', 'ByUser', {
    subjects: groups('system:nodes'),
    resourceRules: [
      { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true, namespaces: ['*'] },
      { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] },
    ],
  }),
  'system-nodes': schema(500, 'system', 'ByUser', anything(groups('system:nodes'))),
  'kube-controller-manager': schema(800, 'workload-high', 'ByNamespace', anything(users(manager))),
  'kube-scheduler': schema(800, 'workload-high', 'ByNamespace', anything(users(scheduler))),
  'kube-system-service-accounts': schema(900, 'workload-high', 'ByNamespace', anything(systemAccounts)),
  'service-accounts': schema(9000, 'workload-low', 'ByUser', anything(groups('system:serviceaccounts'))),
  'global-default': schema(9900, 'global-default', 'ByUser', anything(everybody)),
  'catch-all': schema(10000, 'catch-all', 'ByUser', anything(everybody)),
}

function schema(
  matchingPrecedence: number,
  level: string,
  distinguisher: 'ByUser' | 'ByNamespace' | undefined,
  ...rules: PolicyRulesWithSubjects[]
): FlowSchemaSpec {
  return {
    matchingPrecedence,
    priorityLevelConfiguration: { name: level },
    ...(distinguisher ? { distinguisherMethod: { type: distinguisher } } : {}),
    rules,
  }
}

function anything(subjects: Subject[]): PolicyRulesWithSubjects {
  return {
    subjects,
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  }
}

function only(subjects: Subject[], verbs: string[], group: string, resource: string): PolicyRulesWithSubjects {
  return { subjects, resourceRules: [{ verbs, apiGroups: [group], resources: [resource], namespaces: ['*'] }] }
}

function groups(...names: string[]): Subject[] {
  return names.map((name) => ({ kind: 'Group', group: { name } }))
}

function users(...names: string[]): Subject[] {
  return names.map((name) => ({ kind: 'User', user: { name } }))
}

function accounts(...names: string[]): Subject[] {
  return names.map((name) => ({ kind: 'ServiceAccount', serviceAccount: { name, namespace: 'kube-system' } }))
}
