import type { JobSpec } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { convertEvent } from './event.ts'
import { convertAutoscaler } from './horizontal-pod-autoscaler.ts'
import { created, definitionOf, problemsOf, problemsOfUpdate, type Loose } from '../../testing/kind-fixture.ts'

const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'busybox' }] } }
const selector = { matchLabels: { app: 'x' } }
const jobTemplate = { spec: { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } } }
const workload = { spec: { selector, template } }
const claim = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }
const volume = { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } } }
const service = { spec: { selector: { app: 'x' }, ports: [{ port: 80 }] } }
function path(more: object) {
  return {
    spec: {
      rules: [
        {
          http: {
            paths: [
              { path: '/', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } }, ...more },
            ],
          },
        },
      ],
    },
  }
}

describe('defaults', () => {
  test.each<[string, object, object]>([
    [
      'deployments',
      workload,
      {
        spec: {
          replicas: 1,
          revisionHistoryLimit: 10,
          progressDeadlineSeconds: 600,
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        },
      },
    ],
    [
      'deployments',
      { spec: { ...workload.spec, strategy: { type: 'Recreate' } } },
      { spec: { strategy: { type: 'Recreate' } } },
    ],
    ['replicasets', workload, { spec: { replicas: 1 } }],
    [
      'replicationcontrollers',
      { spec: { template } },
      { spec: { replicas: 1, selector: { app: 'x' } }, metadata: { labels: { app: 'x' } } },
    ],
    [
      'statefulsets',
      workload,
      {
        spec: {
          replicas: 1,
          podManagementPolicy: 'OrderedReady',
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain' },
        },
      },
    ],
    ['daemonsets', workload, { spec: { updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } } } }],
    [
      'jobs',
      jobTemplate,
      {
        spec: {
          completions: 1,
          parallelism: 1,
          backoffLimit: 6,
          completionMode: 'NonIndexed',
          suspend: false,
          selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'uid-1' } },
          template: { metadata: { labels: { 'job-name': 'x' } } },
        },
      },
    ],
    [
      'cronjobs',
      { spec: { schedule: '* * * * *', jobTemplate } },
      {
        spec: { concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
      },
    ],
    [
      'services',
      service,
      {
        spec: {
          type: 'ClusterIP',
          sessionAffinity: 'None',
          internalTrafficPolicy: 'Cluster',
          ipFamilies: ['IPv4'],
          ports: [{ protocol: 'TCP', targetPort: 80 }],
        },
      },
    ],
    [
      'services',
      { spec: { ...service.spec, type: 'LoadBalancer', sessionAffinity: 'ClientIP' } },
      {
        spec: {
          externalTrafficPolicy: 'Cluster',
          allocateLoadBalancerNodePorts: true,
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
        },
      },
    ],
    [
      'networkpolicies',
      { spec: { egress: [{ ports: [{ port: 53 }] }] } },
      { spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], egress: [{ ports: [{ protocol: 'TCP' }] }] } },
    ],
    ['secrets', { data: { a: 'eA==' }, stringData: { b: 'y' } }, { type: 'Opaque', data: { a: 'eA==', b: 'eQ==' } }],
    [
      'namespaces',
      {},
      {
        metadata: { labels: { 'kubernetes.io/metadata.name': 'x' } },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      },
    ],
    ['nodes', { status: { capacity: { cpu: '2' } } }, { status: { allocatable: { cpu: '2' } } }],
    ['persistentvolumeclaims', claim, { spec: { volumeMode: 'Filesystem' }, status: { phase: 'Pending' } }],
    [
      'persistentvolumes',
      volume,
      { spec: { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem', hostPath: { type: '' } } },
    ],
    ['storageclasses', { provisioner: 'p' }, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }],
    [
      'horizontalpodautoscalers.v2',
      { spec: { scaleTargetRef: { kind: 'D', name: 'd' }, maxReplicas: 3 } },
      { spec: { minReplicas: 1, metrics: [{ resource: { name: 'cpu', target: { averageUtilization: 80 } } }] } },
    ],
    [
      'limitranges',
      { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
      { spec: { limits: [{ default: { cpu: '1' }, defaultRequest: { cpu: '1' } }] } },
    ],
    [
      'rolebindings',
      { roleRef: { kind: 'Role', name: 'r' }, subjects: [{ kind: 'User', name: 'u' }] },
      { roleRef: { apiGroup: 'rbac.authorization.k8s.io' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io' }] },
    ],
  ])('%s', (resource, sent, expected) => {
    expect(created(resource, sent)).toMatchObject(expected)
    expect(problemsOf(resource, sent)).toEqual([])
  })

  test('a secret’s stringData is never stored', () => {
    expect(created('secrets', { stringData: { a: 'b' } })).not.toHaveProperty('stringData')
  })

  test('a job inside a CronJob gets its own defaults only when it is made', () => {
    const { spec } = created('cronjobs', { spec: { schedule: '@daily', jobTemplate } }) as {
      spec: { jobTemplate?: { spec: object } }
    }
    expect(Object.keys(spec.jobTemplate?.spec ?? {})).toEqual(['template'])
  })
})

describe('what is refused', () => {
  test.each<[string, object, string]>([
    ['deployments', { spec: { template } }, 'spec.selector: Required value'],
    [
      'deployments',
      { spec: { template } },
      'spec.template.metadata.labels: Invalid value: map[string]string{"app":"x"}: `selector` does not match template `labels`',
    ],
    [
      'deployments',
      { spec: { selector: {}, template } },
      'spec.selector: Invalid value: {}: empty selector is invalid for deployment',
    ],
    [
      'deployments',
      { spec: { selector: { matchLabels: { a: 'b' } }, template } },
      'spec.template.metadata.labels: Invalid value: map[string]string{"app":"x"}: `selector` does not match template `labels`',
    ],
    [
      'deployments',
      { spec: { ...workload.spec, replicas: -1 } },
      'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      'deployments',
      { spec: { ...workload.spec, strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 0 } } } },
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
    ],
    [
      'deployments',
      { spec: { ...workload.spec, strategy: { type: 'Recreate', rollingUpdate: {} } } },
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ],
    [
      'deployments',
      { spec: { ...workload.spec, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } } },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      'deployments',
      { spec: { ...workload.spec, minReadySeconds: 700 } },
      'spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds',
    ],
    [
      'jobs',
      { spec: { template } },
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
    [
      'jobs',
      { spec: { ...jobTemplate.spec, completionMode: 'Indexed', parallelism: 1 } },
      'spec.completions: Required value: when completion mode is Indexed',
    ],
    [
      'cronjobs',
      { spec: { schedule: '* * *', jobTemplate } },
      'spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]',
    ],
    ['cronjobs', { spec: { schedule: '61 * * * *', jobTemplate } }, 'end of range (61) above maximum (59): 61'],
    [
      'cronjobs',
      { spec: { schedule: 'TZ=UTC * * * * *', jobTemplate } },
      'cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ],
    [
      'cronjobs',
      { spec: { schedule: '@daily', timeZone: 'Mars/Base', jobTemplate } },
      'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base',
    ],
    [
      'cronjobs',
      { spec: { schedule: '@daily', timeZone: 'Local', jobTemplate } },
      'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
    ],
    [
      'cronjobs',
      { metadata: { name: 'x'.repeat(53) }, spec: { schedule: '@daily', jobTemplate } },
      'must be no more than 52 characters',
    ],
    ['controllerrevisions', { revision: 1 }, 'data: Required value: data is mandatory'],
    ['services', { spec: {} }, 'spec.ports: Required value'],
    ['services', { spec: { ports: [{ port: 80 }, { port: 81 }] } }, 'spec.ports[0].name: Required value'],
    [
      'services',
      { spec: { ports: [{ port: 80, nodePort: 30000 }] } },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    ['services', { spec: { type: 'ExternalName' } }, 'spec.externalName: Required value'],
    [
      'services',
      { spec: { type: 'NodePort', clusterIP: 'None', ports: [{ port: 80 }] } },
      "may not be set to 'None' for NodePort services",
    ],
    [
      'services',
      { spec: { ports: [{ port: 80, targetPort: 'not_a_port' }] } },
      'spec.ports[0].targetPort: Invalid value: "not_a_port"',
    ],
    [
      'services',
      { metadata: { name: '1st' }, ...service },
      'metadata.name: Invalid value: "1st": a DNS-1035 label must consist of',
    ],
    ['endpoints', { subsets: [{}] }, 'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`'],
    [
      'endpointslices',
      { addressType: 'IPv4', endpoints: [{ addresses: ['::1'] }] },
      'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
    ],
    ['ingresses', { spec: {} }, 'either `defaultBackend` or `rules` must be specified'],
    [
      'ingresses',
      path({ pathType: undefined }),
      'spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified',
    ],
    [
      'ingresses',
      path({ path: 'x' }),
      'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
    ],
    ['ingresses', path({ backend: { service: { name: 's' } } }), 'port name or number is required'],
    ['ingresses', { spec: { rules: [{ host: '1.2.3.4' }] } }, 'must be a DNS name, not an IP address'],
    ['configmaps', { data: { 'a b': 'x' } }, 'data[a b]: Invalid value: "a b": a valid config key must consist of'],
    [
      'configmaps',
      { data: { a: 'x' }, binaryData: { a: 'eA==' } },
      'data[a]: Invalid value: "a": duplicate of key present in binaryData',
    ],
    ['configmaps', { data: { a: 'x'.repeat(1048577) } }, 'Too long: may not be more than 1048576 bytes'],
    ['secrets', { type: 'kubernetes.io/tls', data: {} }, 'data[tls.crt]: Required value'],
    [
      'secrets',
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': 'x' } },
      'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>"',
    ],
    [
      'nodes',
      { spec: { taints: [{ key: 'a', effect: 'Sometimes' }] } },
      'metadata.taints[0].effect: Unsupported value: "Sometimes": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
    ['namespaces', { metadata: { name: 'a.b' } }, 'metadata.name: Invalid value: "a.b": must not contain dots'],
    ['persistentvolumeclaims', { spec: {} }, 'spec.accessModes: Required value: at least 1 access mode is required'],
    ['persistentvolumeclaims', { spec: { accessModes: ['ReadWriteOnce'] } }, 'spec.resources[storage]: Required value'],
    [
      'persistentvolumes',
      { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] } },
      'spec: Required value: must specify a volume type',
    ],
    [
      'persistentvolumes',
      { spec: { ...volume.spec, hostPath: undefined, local: { path: '/x' } } },
      'spec.nodeAffinity: Required value: Local volume requires node affinity',
    ],
    [
      'horizontalpodautoscalers.v2',
      { spec: { scaleTargetRef: { kind: 'D', name: 'd' }, minReplicas: 5, maxReplicas: 3 } },
      'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`',
    ],
    [
      'poddisruptionbudgets',
      { spec: { minAvailable: 1, maxUnavailable: 1 } },
      'minAvailable and maxUnavailable cannot be both set',
    ],
    ['poddisruptionbudgets', { spec: { minAvailable: '150%' } }, 'must not be greater than 100%'],
    [
      'resourcequotas',
      { spec: { hard: { cups: '3' } } },
      'spec.hard[cups]: Invalid value: "cups": must be a standard resource for quota',
    ],
    [
      'resourcequotas',
      { spec: { hard: { pods: '1.5' } } },
      'spec.hard[pods]: Invalid value: "1500m": must be an integer',
    ],
    [
      'limitranges',
      { spec: { limits: [{ type: 'Container' }, { type: 'Container' }] } },
      'spec.limits[1].type: Duplicate value: "Container"',
    ],
    [
      'limitranges',
      { spec: { limits: [{ type: 'PersistentVolumeClaim' }] } },
      'spec.limits[0].limits: Required value: either minimum or maximum storage value is required',
    ],
    ['storageclasses', { provisioner: 'a b' }, 'provisioner: Invalid value: "a b"'],
    [
      'services',
      { spec: { ports: [{ port: 80 }], ipFamilies: ['IPv6'] } },
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ],
    [
      'services',
      { spec: { ports: [{ port: 80 }], ipFamilyPolicy: 'RequireDualStack' } },
      'this cluster is not configured for dual-stack services',
    ],
    [
      'services',
      { spec: { ports: [{ port: 80 }], loadBalancerSourceRanges: ['10.0.0.0/8'] } },
      "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      'services',
      { spec: { type: 'LoadBalancer', ports: [{ port: 80 }], loadBalancerSourceRanges: [' 10.0.0.0/8', '10.0.0.0'] } },
      'spec.LoadBalancerSourceRanges[1]: Invalid value: "10.0.0.0": must be a valid CIDR value',
    ],
    [
      'services',
      { spec: { type: 'ExternalName', externalName: 'a.example.com.', ipFamilies: ['IPv4'] } },
      'spec.ipFamilies: Forbidden: may not be set for ExternalName services',
    ],
    ['services', { spec: { ports: [{ port: 80, appProtocol: 'a b' }] } }, 'spec.ports[0].appProtocol: Invalid value'],
    [
      'services',
      { spec: { ports: [{ port: 80 }], trafficDistribution: 'X' } },
      'spec.trafficDistribution: Unsupported value: "X": supported values: "PreferClose"',
    ],
    ['jobs', { spec: { successPolicy: { rules: [{ succeededCount: 1 }] } } }, 'requires indexed completion mode'],
    [
      'jobs',
      { spec: { podFailurePolicy: { rules: [{ action: 'Shrug', onExitCodes: { operator: 'In', values: [1] } }] } } },
      'spec.podFailurePolicy.rules[0].action: Unsupported value: "Shrug"',
    ],
    [
      'limitranges',
      { spec: { limits: [{ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }] } },
      'min value 2 is greater than max value 1',
    ],
    [
      'priorityclasses',
      { value: 2000000000 },
      'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
    ],
    [
      'roles',
      { rules: [{ apiGroups: [''], resources: ['pods'], verbs: [] }] },
      'rules[0].verbs: Required value: verbs must contain at least one value',
    ],
    [
      'clusterroles',
      { rules: [{ verbs: ['get'] }] },
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
    ],
    [
      'rolebindings',
      { roleRef: { kind: 'Thing', name: 'r' } },
      'roleRef.kind: Unsupported value: "Thing": supported values: "ClusterRole", "Role"',
    ],
    [
      'clusterrolebindings',
      { roleRef: { kind: 'ClusterRole', name: 'r' }, subjects: [{ kind: 'ServiceAccount', name: 's' }] },
      'subjects[0].namespace: Required value',
    ],
    [
      'leases',
      { spec: { leaseDurationSeconds: 0 } },
      'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
    ],
    [
      'events.v1',
      { involvedObject: { namespace: 'other' } },
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ],
  ])('%s: %#', (resource, sent, message) => {
    expect(problemsOf(resource, sent).join('\n')).toContain(message)
  })

  test('a StatefulSet may mount its claims', () => {
    const mounts = [{ name: 'data', mountPath: '/data' }]
    const spec = { ...template.spec, containers: [{ name: 'c', image: 'a', volumeMounts: mounts }] }
    const volumeClaimTemplates = [{ metadata: { name: 'data' }, ...claim }]
    expect(
      problemsOf('statefulsets', { spec: { selector, template: { ...template, spec }, volumeClaimTemplates } }),
    ).toEqual([])
  })
})

describe('what may not change', () => {
  const set = (object: Loose, field: string, value: unknown) => Object.assign(object.spec, { [field]: value })

  test.each<[string, object, (object: Loose) => void, string]>([
    ['deployments', workload, (o) => set(o, 'selector', { matchLabels: { a: 'b' } }), 'field is immutable'],
    [
      'statefulsets',
      workload,
      (o) => set(o, 'serviceName', 'other'),
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ],
    ['jobs', jobTemplate, (o) => set(o, 'template', template), 'spec.template: Invalid value'],
    ['jobs', jobTemplate, (o) => set(o, 'completions', 5), 'spec.completions: Invalid value: 5: field is immutable'],
    [
      'services',
      { spec: { ...service.spec, clusterIP: '10.0.0.1' } },
      (o) => set(o, 'clusterIP', '10.0.0.2'),
      'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
    ],
    [
      'configmaps',
      { immutable: true, data: { a: '1' } },
      (o) => Object.assign(o, { data: {} }),
      'data: Forbidden: field is immutable when `immutable` is set',
    ],
    [
      'configmaps',
      { immutable: true },
      (o) => Object.assign(o, { immutable: false }),
      'immutable: Forbidden: field is immutable when `immutable` is set',
    ],
    ['secrets', {}, (o) => Object.assign(o, { type: 'other' }), 'type: Invalid value: "other": field is immutable'],
    [
      'nodes',
      { spec: { podCIDR: '10.0.0.0/24' } },
      (o) => set(o, 'podCIDR', '10.0.1.0/24'),
      'node updates may not change podCIDR except from "" to valid',
    ],
    [
      'persistentvolumeclaims',
      claim,
      (o) => set(o, 'accessModes', ['ReadWriteMany']),
      'spec is immutable after creation except resources.requests',
    ],
    [
      'persistentvolumeclaims',
      claim,
      (o) => set(o, 'resources', { requests: { storage: '2Gi' } }),
      'spec is immutable after creation except resources.requests',
    ],
    [
      'persistentvolumes',
      volume,
      (o) => set(o, 'hostPath', { path: '/y' }),
      'spec.persistentvolumesource is immutable after creation',
    ],
    [
      'storageclasses',
      { provisioner: 'p' },
      (o) => Object.assign(o, { provisioner: 'q' }),
      'provisioner: Forbidden: updates to provisioner are forbidden.',
    ],
    [
      'priorityclasses',
      { value: 1 },
      (o) => Object.assign(o, { value: 2 }),
      'value: Forbidden: may not be changed in an update.',
    ],
    [
      'rolebindings',
      { roleRef: { kind: 'Role', name: 'r' } },
      (o) => Object.assign(o, { roleRef: { kind: 'Role', name: 'other' } }),
      'cannot change roleRef',
    ],
    [
      'endpointslices',
      { addressType: 'IPv4' },
      (o) => Object.assign(o, { addressType: 'IPv6' }),
      'addressType: Invalid value: "IPv6": field is immutable',
    ],
  ])('%s: %#', (resource, sent, change, message) => {
    expect(problemsOfUpdate(resource, sent, change).join('\n')).toContain(message)
  })

  test.each<[string, object, (object: Loose) => void]>([
    ['statefulsets', workload, (o) => set(o, 'replicas', 5)],
    ['persistentvolumeclaims', claim, (o) => set(o, 'volumeName', 'pv')],
    ['services', service, (o) => set(o, 'type', 'ExternalName')],
    [
      'jobs',
      { spec: { ...jobTemplate.spec, suspend: true } },
      (o) => Object.assign((o as unknown as { spec: JobSpec }).spec.template.spec ?? {}, { nodeSelector: { a: 'b' } }),
    ],
  ])('while this may: %s', (resource, sent, change) => {
    expect(problemsOfUpdate(resource, sent, change)).toEqual([])
  })
})

describe('generation', () => {
  const part = (resource: string, object: object) => definitionOf(resource).strategy.generationOf?.(object as Loose)

  test('a deployment’s counts annotations, a pod’s forgets its node', () => {
    const deployment = { metadata: { annotations: { a: '1' } }, spec: {} }
    expect(part('deployments', deployment)).not.toEqual(part('deployments', { ...deployment, metadata: {} }))
    expect(part('pods', { spec: { nodeName: 'n' } })).toEqual(part('pods', { spec: {} }))
    expect(part('configmaps', {})).toBeUndefined()
  })
})

describe('two versions of one thing', () => {
  test('events read as either group’s', () => {
    const event = created('events.v1', {
      involvedObject: { kind: 'Pod', namespace: 'default' },
      message: 'm',
      count: 2,
      reason: 'R',
    })
    const renamed = convertEvent(event, 'events.k8s.io/v1')
    expect(renamed).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      regarding: { kind: 'Pod' },
      note: 'm',
      deprecatedCount: 2,
      reason: 'R',
    })
    expect(renamed).not.toHaveProperty('message')
    expect(convertEvent(renamed, 'v1')).toEqual(event)
  })

  test('an autoscaler survives the trip through autoscaling/v1', () => {
    const metrics = [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
    ]
    const sent = {
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'd' },
        maxReplicas: 3,
        metrics,
        behavior: { scaleDown: { selectPolicy: 'Min' } },
      },
    }
    const autoscaler = created('horizontalpodautoscalers.v2', sent)
    const old = convertAutoscaler(autoscaler, 'autoscaling/v1')
    expect(old).toMatchObject({
      apiVersion: 'autoscaling/v1',
      spec: { targetCPUUtilizationPercentage: 50, maxReplicas: 3 },
    })
    expect(old).not.toHaveProperty('spec.metrics')
    expect(convertAutoscaler(old, 'autoscaling/v2')).toMatchObject({
      spec: autoscaler.spec,
      metadata: autoscaler.metadata,
    })
  })
})
