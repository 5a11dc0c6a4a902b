import { describe, expect, test } from 'vitest'
import { warningsOf, warningsOfUpdate } from '../../../testing/kind-fixture.ts'

const hard = 'requiredDuringSchedulingIgnoredDuringExecution'
const soft = 'preferredDuringSchedulingIgnoredDuringExecution'

function pod(container: object, spec: object = {}): { spec: object } {
  return { spec: { containers: [{ name: 'c', image: 'a', ...container }], ...spec } }
}

function withSpec(spec: object): { spec: object } {
  return pod({}, spec)
}

function ports(...list: object[]): { ports: object[] } {
  return { ports: list.map((port) => ({ containerPort: 80, ...port })) }
}

describe('a pod', () => {
  test.each<[object, ...string[]]>([
    [{ metadata: { name: 'x' }, ...pod({}) }],
    [
      { metadata: { name: 'a.b' }, ...pod({}) },
      "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
    ],
    [
      withSpec({ nodeSelector: { 'beta.kubernetes.io/os': 'linux', 'node-role.kubernetes.io/master': '' } }),
      'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
      'spec.nodeSelector[node-role.kubernetes.io/master]: use "node-role.kubernetes.io/control-plane" instead',
    ],
    [
      withSpec({
        affinity: {
          nodeAffinity: {
            [hard]: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'beta.kubernetes.io/arch', operator: 'Exists' }] }],
            },
            [soft]: [{ weight: 1, preference: { matchExpressions: [{ key: 'a', operator: 'In', values: ['a b'] }] } }],
          },
        },
      }),
      `spec.affinity.nodeAffinity.${hard}.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead`,
      `spec.affinity.nodeAffinity.${soft}[0].preference.matchExpressions[0].values[0]: a b is invalid, a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    ],
    [
      withSpec({
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: 'failure-domain.beta.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' },
        ],
      }),
      'spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
      'spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod',
    ],
    [
      withSpec({
        affinity: {
          podAffinity: { [hard]: [{ topologyKey: 'a' }] },
          podAntiAffinity: { [soft]: [{ weight: 1, podAffinityTerm: { topologyKey: 'a' } }] },
        },
      }),
      `spec.affinity.podAffinity.${hard}[0].labelSelector: a null labelSelector results in matching no pod`,
      `spec.affinity.podAntiAffinity.${soft}[0].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod`,
    ],
    [
      {
        metadata: {
          annotations: {
            'scheduler.alpha.kubernetes.io/critical-pod': '',
            'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
            'container.seccomp.security.alpha.kubernetes.io/c': 'unconfined',
            'container.apparmor.security.beta.kubernetes.io/c': 'unconfined',
          },
        },
        ...pod({}),
      },
      'metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead',
      'metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead',
      'metadata.annotations[container.seccomp.security.alpha.kubernetes.io/c]: non-functional in v1.27+; use the "seccompProfile" field instead',
    ],
    [
      withSpec({
        volumes: [
          { name: 'v', gitRepo: { repository: 'r' } },
          { name: 'w', storageos: { volumeName: 'v' } },
        ],
      }),
      'spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+',
      'spec.volumes[1].storageOS: deprecated in v1.22, non-functional in v1.25+',
    ],
    [
      withSpec({
        volumes: [
          { name: 'v', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
          { name: 'w', projected: { sources: [{ secret: { name: 's', items: [{ key: 'k', path: 'token' }] } }] } },
        ],
      }),
      'spec.volumes[1].projected.sources.secrets[0]: has duplicated path with ServiceAccountToken "token"',
    ],
    [
      withSpec({
        hostAliases: [{ ip: '1.1.1.1' }, { ip: '1.1.1.1' }],
        imagePullSecrets: [{ name: 'a' }, { name: 'a' }, {}],
      }),
      'spec.hostAliases[1].ip: duplicate ip "1.1.1.1"',
      'spec.imagePullSecrets[1].name: duplicate name "a"',
      'spec.imagePullSecrets[2].name: invalid empty name ""',
    ],
    [
      pod({ resources: { limits: { memory: '1500m' }, requests: { 'ephemeral-storage': '100m' } } }),
      'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer',
      'spec.containers[0].resources.requests[memory]: fractional byte value "1500m" is invalid, must be an integer',
      'spec.containers[0].resources.requests[ephemeral-storage]: fractional byte value "100m" is invalid, must be an integer',
    ],
    [
      pod({
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '$(A)2' },
          { name: 'A', value: '$(A)' },
          { name: 'A', value: '3' },
        ],
      }),
      'spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply',
      'spec.containers[0].env[3]: hides previous definition of "A", which may be dropped when using apply',
    ],
    [
      pod(ports({ hostIP: '1.1.1.1' }, {}, { hostPort: 1 })),
      'spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.1.1.1}',
      'spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]',
      'spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[0]',
      'spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[1]',
    ],
    [
      pod(ports({ hostPort: 1 }), {
        initContainers: [{ name: 'i', image: 'a', ...ports({ hostPort: 1, hostIP: '1.1.1.1' }, { protocol: 'UDP' }) }],
      }),
      'spec.containers[0].ports[0]: dangerously ambiguous port definition with spec.initContainers[0].ports[0]',
    ],
    [
      withSpec({ terminationGracePeriodSeconds: -1 }),
      'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
    ],
  ])('%#', (sent, ...warnings) => {
    expect(warningsOf('pods', sent)).toEqual(warnings)
  })
})

describe('a workload', () => {
  const template = { metadata: { labels: { a: 'b' } }, ...withSpec({ terminationGracePeriodSeconds: -1 }) }
  const words = 'terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1'
  const selector = { matchLabels: { a: 'b' } }
  const claim = { metadata: { name: 'c' }, spec: { resources: { requests: { storage: '1500m' } } } }

  test.each<[string, object, ...string[]]>([
    ['deployments', { template, selector }, `spec.template.spec.${words}`],
    ['replicasets', { template, selector }, `spec.template.spec.${words}`],
    ['replicationcontrollers', { template }, `spec.template.spec.${words}`],
    ['daemonsets', { template, selector }, `spec.template.spec.${words}`],
    [
      'statefulsets',
      { template, selector, revisionHistoryLimit: -1, volumeClaimTemplates: [claim] },
      `spec.template.spec.${words}`,
      'spec.volumeClaimTemplates[0].resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
      'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
    ],
    [
      'jobs',
      { template, completionMode: 'Indexed', completions: 100_001, parallelism: 10_001 },
      'spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail',
      `spec.template.spec.${words}`,
    ],
    ['cronjobs', { jobTemplate: { spec: { template } } }, `spec.jobTemplate.spec.template.spec.${words}`],
  ])('%s', (resource, spec, ...warnings) => {
    expect(warningsOf(resource, { spec })).toEqual(warnings)
  })

  test('is told of its name when it is new, and of its template when that has changed', () => {
    const sent = { metadata: { name: 'a.b', generation: 1 }, spec: { template, selector } }
    const ofTemplate = `spec.template.spec.${words}`
    expect(warningsOf('deployments', sent)).toEqual([
      'metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]',
      ofTemplate,
    ])
    expect(warningsOfUpdate('deployments', sent, () => undefined)).toEqual([])
    expect(warningsOfUpdate('deployments', sent, ({ metadata }) => void (metadata.generation = 2))).toEqual([
      ofTemplate,
    ])
  })

  test('its old AppArmor annotations are told of, too', () => {
    const key = 'container.apparmor.security.beta.kubernetes.io/c'
    const sent = { template: { metadata: { annotations: { [key]: 'unconfined' } }, ...pod({}) } }
    expect(warningsOf('podtemplates', sent)).toEqual([
      `template.metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`,
    ])
  })
})
