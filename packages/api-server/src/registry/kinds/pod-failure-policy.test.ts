import { expect, test } from 'vitest'
import { problemsOf } from '../../testing/kind-fixture.ts'

const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'busybox' }] } }
function job(more: object) {
  return { spec: { template, ...more } }
}

function indexed(more: object) {
  return job({ completionMode: 'Indexed', completions: 3, ...more })
}

function policy(rule: object) {
  return job({ podFailurePolicy: { rules: [rule] } })
}

const rule = 'spec.podFailurePolicy.rules[0]'

test.each<[object, string[]]>([
  [policy({ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }), []],
  [policy({ action: 'FailJob', onExitCodes: { operator: 'In', values: [1, 42] } }), []],
  [
    policy({ onPodConditions: [{ type: 'a b', status: 'Maybe' }] }),
    [
      `${rule}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]`,
      expect.stringContaining(`${rule}.onPodConditions[0].type: Invalid value: "a b": name part must consist of`),
      `${rule}.onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"`,
    ],
  ],
  [
    policy({ action: 'FailIndex' }),
    [
      `${rule}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`,
      `${rule}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`,
    ],
  ],
  [
    policy({ action: 'Count', onExitCodes: { operator: 'In', values: [3, 0, 3], containerName: 'd' } }),
    [
      `${rule}.onExitCodes.containerName: Invalid value: "d": must be one of the container or initContainer names in the pod template`,
      `${rule}.onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator`,
      `${rule}.onExitCodes.values[2]: Duplicate value: 3`,
      `${rule}.onExitCodes.values: Invalid value: [3,0,3]: must be ordered`,
    ],
  ],
  [
    policy({ action: 'Count', onExitCodes: { operator: 'Near', values: [] } }),
    [
      `${rule}.onExitCodes.operator: Unsupported value: "Near": supported values: "In", "NotIn"`,
      `${rule}.onExitCodes.values: Invalid value: []: at least one value is required`,
    ],
  ],
  [job({ managedBy: 'example.com/queue' }), []],
  [
    job({ managedBy: 'queue' }),
    ['spec.managedBy: Invalid value: "queue": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  [
    job({ maxFailedIndexes: 1 }),
    [
      'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
      'spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode',
    ],
  ],
  [
    indexed({ backoffLimitPerIndex: 1, maxFailedIndexes: 4, parallelism: 100001 }),
    [
      'spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed',
      'spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions',
    ],
  ],
  [
    indexed({ successPolicy: {} }),
    [
      'spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified',
    ],
  ],
  [
    indexed({ successPolicy: { rules: [{}, { succeededCount: 4 }] } }),
    [
      'spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified',
      'spec.successPolicy.rules[1].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of specified completions)',
    ],
  ],
  [
    { metadata: { name: 'x.y' }, ...indexed({}) },
    ['metadata.name: Invalid value: "x.y": will not able to create pod with invalid DNS label: x.y-2'],
  ],
])('Job %#', (sent, messages) => {
  expect(problemsOf('jobs', sent)).toEqual(messages)
})

test('a CronJob gives its jobs no selector', () => {
  const jobTemplate = { spec: { template, selector: { matchLabels: { a: 'b' } }, manualSelector: true } }
  expect(problemsOf('cronjobs', { spec: { schedule: '@daily', jobTemplate } })).toEqual([
    'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
    'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
  ])
})
