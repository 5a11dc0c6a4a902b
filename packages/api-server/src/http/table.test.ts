import type { KubernetesObject } from '@dinghy/shared/api/types'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { builtinDefinitions } from '../registry/definitions.ts'
import { toTable } from './table.ts'

const now = Date.parse('2025-01-01T01:00:00Z')
const definitions = new Map(builtinDefinitions(loadSchema()).map((d) => [`${d.group}/${d.plural}/${d.version}`, d]))

function definition(resource: string) {
  const found = definitions.get(resource)
  if (!found) throw new Error(`no ${resource}`)
  return found
}

function row(resource: string, object: object): Record<string, unknown> {
  const whole = {
    ...object,
    metadata: {
      name: 'x',
      creationTimestamp: '2025-01-01T00:00:00Z',
      ...('metadata' in object ? (object.metadata as object) : {}),
    },
  }
  const { columns } = definition(resource)
  const table = toTable({ columns }, { metadata: {}, items: [whole as unknown as KubernetesObject] }, { now })
  return Object.fromEntries(columns.map((column, i) => [column.name, table.rows[0]?.cells[i]]))
}

describe('cells', () => {
  const template = {
    spec: {
      containers: [
        { name: 'a', image: 'nginx' },
        { name: 'b', image: 'busybox' },
      ],
    },
  }

  test.each<[string, object, object]>([
    [
      'apps/deployments/v1',
      {
        spec: { replicas: 3, template, selector: { matchLabels: { app: 'x' } } },
        status: { readyReplicas: 1, updatedReplicas: 2 },
      },
      {
        Name: 'x',
        Ready: '1/3',
        'Up-to-date': 2,
        Available: 0,
        Age: '60m',
        Containers: 'a,b',
        Images: 'nginx,busybox',
        Selector: 'app=x',
      },
    ],
    [
      'apps/replicasets/v1',
      { spec: { replicas: 3, template }, status: { replicas: 2 } },
      { Desired: 3, Current: 2, Ready: 0, Selector: '<none>' },
    ],
    [
      'apps/daemonsets/v1',
      { spec: { template }, status: { desiredNumberScheduled: 2 } },
      { Desired: 2, 'Node Selector': '<none>' },
    ],
    [
      'batch/jobs/v1',
      { spec: { completions: 3, template }, status: { succeeded: 1, startTime: '2025-01-01T00:59:00Z' } },
      { Status: 'Running', Completions: '1/3', Duration: '60s' },
    ],
    [
      'batch/jobs/v1',
      {
        spec: { parallelism: 2, template },
        status: {
          startTime: '2025-01-01T00:00:00Z',
          completionTime: '2025-01-01T00:00:09Z',
          conditions: [{ type: 'Complete', status: 'True' }],
        },
      },
      { Status: 'Complete', Completions: '0/1 of 2', Duration: '9s' },
    ],
    [
      'batch/cronjobs/v1',
      { spec: { schedule: '* * * * *', suspend: false, jobTemplate: { spec: { template } } } },
      { Schedule: '* * * * *', Timezone: '<none>', Suspend: 'False', Active: 0, 'Last Schedule': '<none>' },
    ],
    [
      '/services/v1',
      {
        spec: {
          type: 'NodePort',
          clusterIP: '10.96.0.1',
          ports: [
            { port: 80, nodePort: 30080, protocol: 'TCP' },
            { port: 53, protocol: 'UDP' },
          ],
          selector: { app: 'x' },
        },
      },
      {
        Type: 'NodePort',
        'Cluster-IP': '10.96.0.1',
        'External-IP': '<none>',
        'Port(s)': '80:30080/TCP,53/UDP',
        Selector: 'app=x',
      },
    ],
    ['/services/v1', { spec: { type: 'LoadBalancer' } }, { 'External-IP': '<pending>', 'Port(s)': '<none>' }],
    [
      '/services/v1',
      { spec: { type: 'LoadBalancer' }, status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } },
      { 'External-IP': '1.2.3.4' },
    ],
    [
      '/services/v1',
      { spec: { type: 'ExternalName', externalName: 'a.example' } },
      { 'Cluster-IP': '<none>', 'External-IP': 'a.example' },
    ],
    [
      '/endpoints/v1',
      { subsets: [{ addresses: ['1', '2', '3', '4'].map((n) => ({ ip: `10.0.0.${n}` })), ports: [{ port: 80 }] }] },
      { Endpoints: '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...' },
    ],
    [
      'discovery.k8s.io/endpointslices/v1',
      { addressType: 'IPv4', ports: [{ port: 80 }], endpoints: [{ addresses: ['10.0.0.1'] }] },
      { AddressType: 'IPv4', Ports: '80', Endpoints: '10.0.0.1' },
    ],
    [
      'networking.k8s.io/ingresses/v1',
      { spec: { rules: [{ host: 'a' }, {}], tls: [{}] } },
      { Class: '<none>', Hosts: 'a', Address: '', Ports: '80, 443' },
    ],
    [
      '/nodes/v1',
      {
        metadata: { labels: { 'node-role.kubernetes.io/worker': '' } },
        spec: { unschedulable: true },
        status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
      },
      { Status: 'NotReady,SchedulingDisabled', Roles: 'worker', 'Internal-IP': '<none>' },
    ],
    [
      '/events/v1',
      {
        involvedObject: { kind: 'Pod', name: 'web' },
        lastTimestamp: '2025-01-01T00:59:30Z',
        type: 'Warning',
        reason: 'BackOff',
        message: 'oops\n',
        count: 3,
        source: { component: 'kubelet', host: 'node-1' },
      },
      { 'Last Seen': '30s', Object: 'pod/web', Message: 'oops', Count: 3, Source: 'kubelet, node-1' },
    ],
    ['/configmaps/v1', { data: { a: '1' }, binaryData: { b: '' } }, { Data: 2 }],
    [
      '/persistentvolumeclaims/v1',
      {
        spec: { volumeName: 'pv', storageClassName: 'fast' },
        status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteMany', 'ReadWriteOnce'] },
      },
      { Status: 'Bound', Capacity: '1Gi', 'Access Modes': 'RWO,RWX', StorageClass: 'fast', VolumeMode: '<unset>' },
    ],
    [
      'storage.k8s.io/storageclasses/v1',
      { metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } }, provisioner: 'p' },
      { Name: 'x (default)', ReclaimPolicy: 'Delete', AllowVolumeExpansion: false },
    ],
    [
      'autoscaling/horizontalpodautoscalers/v2',
      {
        spec: {
          scaleTargetRef: { kind: 'Deployment', name: 'web' },
          minReplicas: 1,
          maxReplicas: 5,
          metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 50 } } }],
        },
      },
      { Reference: 'Deployment/web', Targets: 'cpu: <unknown>/50%', MinPods: '1', MaxPods: 5 },
    ],
    [
      'policy/poddisruptionbudgets/v1',
      { spec: { minAvailable: '50%' } },
      { 'Min Available': '50%', 'Max Unavailable': 'N/A', 'Allowed Disruptions': 0 },
    ],
    [
      '/resourcequotas/v1',
      { status: { hard: { pods: '3', cpu: '2', 'limits.cpu': '4' }, used: { pods: '1' } } },
      { Request: 'cpu: 0/2, pods: 1/3', Limit: 'limits.cpu: 0/4' },
    ],
    [
      'rbac.authorization.k8s.io/rolebindings/v1',
      {
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'ServiceAccount', namespace: 'n', name: 's' },
        ],
      },
      { Role: 'Role/r', Users: 'u', Groups: '', ServiceAccounts: 'n/s' },
    ],
    ['rbac.authorization.k8s.io/roles/v1', {}, { Name: 'x', 'Created At': '2025-01-01T00:00:00Z' }],
    ['coordination.k8s.io/leases/v1', { spec: { holderIdentity: 'me' } }, { Holder: 'me' }],
  ])('%s', (resource, object, expected) => {
    expect(row(resource, object)).toMatchObject(expected)
  })

  test('no kind stumbles over an object that has only what it must have', () => {
    const spec = { template: {}, jobTemplate: {}, scaleTargetRef: {}, source: {}, priorityLevelConfiguration: {} }
    const bare = { metadata: { name: 'x' }, spec, status: {}, involvedObject: {}, roleRef: {} }
    for (const { columns, plural } of definitions.values()) {
      expect(columns.length, plural).toBeGreaterThan(1)
      const items = [bare as unknown as KubernetesObject]
      expect(() => toTable({ columns }, { metadata: {}, items }, { now }), plural).not.toThrow()
    }
  })
})

describe('the table', () => {
  const items = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: '1' } },
  ] as unknown as KubernetesObject[]
  const list = { metadata: { resourceVersion: '7' }, items }

  test('describes its columns and carries the list’s metadata', () => {
    const table = toTable(definition('/configmaps/v1'), list, { now })
    expect(table).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '7' } })
    expect(table.columnDefinitions?.[0]).toMatchObject({ name: 'Name', type: 'string', format: 'name', priority: 0 })
    expect(table.columnDefinitions?.[0]).not.toHaveProperty('cell')
  })

  test('rows carry as much of the object as is asked for', () => {
    const object = (includeObject: 'None' | 'Metadata' | 'Object') =>
      toTable(definition('/configmaps/v1'), list, { now, includeObject }).rows[0]?.object
    expect(object('None')).toBeUndefined()
    expect(object('Metadata')).toEqual({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { name: 'x' },
    })
    expect(object('Object')).toBe(items[0])
  })

  test('later events of a watch need no columns', () => {
    expect(toTable(definition('/configmaps/v1'), list, { now, withDefinitions: false })).not.toHaveProperty(
      'columnDefinitions',
    )
  })
})
