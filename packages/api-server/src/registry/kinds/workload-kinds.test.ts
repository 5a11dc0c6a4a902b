import { describe, expect, test } from 'vitest'
import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'
import { created, definitionOf, problemsOf, warningsOf } from '../../testing/kind-fixture.ts'

const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
const selector = { matchLabels: { a: 'b' } }
function workload(more: object) {
  return { spec: { selector, template, ...more } }
}
function cron(more: object, name = 'x') {
  return { metadata: { name }, spec: { schedule: '* * * * *', jobTemplate: { spec: { template: jobPod } }, ...more } }
}
const jobPod = { spec: { ...template.spec, restartPolicy: 'Never' } }

describe('what is refused', () => {
  test.each<[string, object, string[]]>([
    [
      'deployments',
      workload({ strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }),
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'deployments',
      workload({ strategy: { type: 'BlueGreen' } }),
      ['spec.strategy: Unsupported value: {"type":"BlueGreen"}: supported values: "Recreate", "RollingUpdate"'],
    ],
    [
      'deployments',
      workload({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }),
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      'daemonsets',
      workload({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '101%', maxUnavailable: 0 } } }),
      ['spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: "101%": must not be greater than 100%'],
    ],
    [
      'daemonsets',
      workload({ updateStrategy: { type: 'Never' } }),
      ['spec.updateStrategy: Unsupported value: {"type":"Never"}: supported values: "RollingUpdate", "OnDelete"'],
    ],
    [
      'replicationcontrollers',
      { spec: { template: { spec: template.spec }, selector: {} } },
      ['spec.selector: Required value'],
    ],
    // Nobody could run it; that is found out with its pods.
    ['statefulsets', workload({ template: { ...template, spec: { containers: [] } } }), []],
    [
      'statefulsets',
      workload({
        template: { ...template, spec: { ...template.spec, restartPolicy: 'Never', activeDeadlineSeconds: 1 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Maybe', whenScaled: 'Delete' },
      }),
      [
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Maybe": supported values: "Retain", "Delete"',
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported',
      ],
    ],
    ['cronjobs', cron({}), []],
    [
      'cronjobs',
      cron({}, 'x'.repeat(53)),
      [`metadata.name: Invalid value: "${'x'.repeat(53)}": must be no more than 52 characters`],
    ],
    ['cronjobs', cron({ timeZone: '../etc' }), ['spec.timeZone: Invalid value: "../etc": unknown time zone ../etc']],
    [
      'cronjobs',
      cron({ schedule: 'TZ=UTC * * * * *', timeZone: 'UTC' }),
      [
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      ],
    ],
    [
      'cronjobs',
      cron({ schedule: 'TZ=UTC * * * * *' }),
      [
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      ],
    ],
    [
      'nodes',
      {
        spec: {
          podCIDR: 'x',
          taints: [{ key: 'a', effect: 'NoSchedule' }, { key: 'a', effect: 'NoSchedule', value: 'b c' }, { key: 'd' }],
        },
        status: { capacity: { cpu: '-1' } },
      },
      [
        expect.stringContaining('metadata.taints[1].value: Invalid value: "b c": a valid label must be'),
        'metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule","value":"b c"}: taints must be unique by key and effect pair',
        'metadata.taints[2].effect: Required value',
        'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
        'status.allocatable.cpu: Invalid value: "-1": must be greater than or equal to 0',
        'spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      ],
    ],
    [
      'namespaces',
      { spec: { finalizers: ['example.com/a', 'mine'] } },
      ['spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'],
    ],
    [
      'limitranges',
      {
        spec: {
          limits: [
            { type: 'Volume' },
            { type: 'Pod', default: { cpu: '1' } },
            { type: 'Container', maxLimitRequestRatio: { a: '1' } },
          ],
        },
      },
      [
        'spec.limits[0].type: Invalid value: "Volume": must be a standard limit type or fully qualified',
        "spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod'",
        'spec.limits[2].maxLimitRequestRatio[a]: Invalid value: "a": must be a standard resource type or fully qualified',
        'spec.limits[2].maxLimitRequestRatio[a]: Invalid value: "a": must be a standard resource for containers',
      ],
    ],
    [
      'resourcequotas',
      { spec: { hard: { pods: '1500m', cows: '1' } } },
      [
        'spec.hard[pods]: Invalid value: "1500m": must be an integer',
        'spec.hard[cows]: Invalid value: "cows": must be a standard resource type or fully qualified',
        'spec.hard[cows]: Invalid value: "cows": must be a standard resource for quota',
      ],
    ],
  ])('%s: %#', (resource, sent, messages) => {
    expect(problemsOf(resource, sent)).toEqual(messages)
  })
})

describe('statuses', () => {
  const parts = ['updatedReplicas', 'readyReplicas', 'availableReplicas']
  const beyond = parts.map((part) => `status.${part}: Invalid value: 2: cannot be greater than status.replicas`)
  test.each<[string, object, object, string[]]>([
    ['deployments', {}, { replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 }, []],
    ['deployments', {}, { replicas: 1, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 }, beyond],
    [
      'deployments',
      { collisionCount: 2 },
      { replicas: 1, availableReplicas: 1, unavailableReplicas: -1, collisionCount: 1 },
      [
        'status.unavailableReplicas: Invalid value: -1: must be greater than or equal to 0',
        'status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas',
        'status.collisionCount: Invalid value: 1: cannot be decremented',
      ],
    ],
    [
      'statefulsets',
      {},
      { replicas: 1, availableReplicas: 1 },
      ['status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas'],
    ],
    [
      'replicasets',
      {},
      { replicas: 1, fullyLabeledReplicas: 2 },
      ['status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas'],
    ],
    [
      'replicationcontrollers',
      {},
      { replicas: 0, observedGeneration: -1 },
      ['status.observedGeneration: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'daemonsets',
      { collisionCount: 1 },
      { numberReady: -1 },
      [
        'status.numberReady: Invalid value: -1: must be greater than or equal to 0',
        'status.collisionCount: Invalid value: 0: cannot be decremented',
      ],
    ],
    [
      'nodes',
      {},
      { addresses: [1, 2].map(() => ({ type: 'Hostname', address: 'a' })) },
      ['status.addresses[1]: Duplicate value: {"type":"Hostname","address":"a"}'],
    ],
    [
      'namespaces',
      {},
      { phase: 'Terminating' },
      ['status.Phase: Invalid value: "Terminating": may only be \'Active\' if `deletionTimestamp` is empty'],
    ],
    [
      'resourcequotas',
      {},
      { hard: { pods: '1' }, used: { pods: '-1' } },
      ['status.used[pods]: Invalid value: "-1": must be greater than or equal to 0'],
    ],
  ])('%s: %#', (resource, before, status, messages) => {
    const previous = created(resource, { spec: {} })
    Object.assign(previous, { status: before })
    const next = { ...structuredClone(previous), status }
    const errors = definitionOf(resource).strategy.validateStatusUpdate?.(next, previous) ?? []
    expect(errors.map(fieldErrorMessage)).toEqual(messages)
  })
})

test.each<[string, object, string[]]>([
  ['nodes', { spec: { externalID: 'a' } }, ['spec.externalID: this field is deprecated, and is unused by Kubernetes']],
  [
    'runtimeclasses',
    { handler: 'h', scheduling: { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } } },
    ['scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead'],
  ],
  [
    'serviceaccounts',
    { metadata: { name: 'x', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } } },
    [
      'metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets',
    ],
  ],
  ['cronjobs', cron({}), []],
])('warnings of %s: %#', (resource, sent, messages) => {
  expect(warningsOf(resource, sent)).toEqual(messages)
})

test('the one pod range of a node is the first of the several', () => {
  expect(created('nodes', { spec: { podCIDR: '10.0.0.0/24' } }).spec).toMatchObject({ podCIDRs: ['10.0.0.0/24'] })
  expect(created('nodes', { spec: { podCIDRs: ['10.0.1.0/24'] } }).spec).toMatchObject({ podCIDR: '10.0.1.0/24' })
})
