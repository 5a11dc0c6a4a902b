import { expect, test } from 'vitest'
import { problemsOf, problemsOfUpdate, type Loose } from '../../testing/kind-fixture.ts'
import { countIndexes } from './job-indexes.ts'

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
    indexed({
      successPolicy: { rules: [{ succeededIndexes: '0-1', succeededCount: 3 }, { succeededIndexes: '2,1' }] },
    }),
    [
      'spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)',
      'spec.successPolicy.rules[1].succeededIndexes: Invalid value: "2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1',
    ],
  ],
  [
    indexed({ completions: 100_001, parallelism: 10_001, backoffLimitPerIndex: 1 }),
    [
      'spec.maxFailedIndexes: Required value: must be specified when completions is above 100000',
      'spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index',
    ],
  ],
  [
    {
      spec: {
        template: { ...template, metadata: { labels: { app: 'x' } } },
        selector: { matchLabels: { app: 'x' } },
      },
    },
    [
      'spec.selector: Invalid value: {"matchLabels":{"app":"x","batch.kubernetes.io/controller-uid":"uid-1"}}: `selector` not auto-generated',
    ],
  ],
  [
    { metadata: { name: 'x.y' }, ...indexed({}) },
    ['metadata.name: Invalid value: "x.y": will not able to create pod with invalid DNS label: x.y-2'],
  ],
])('Job %#', (sent, messages) => {
  expect(problemsOf('jobs', sent)).toEqual(messages)
})

test('an exported Job that is sent again brings along what belongs to another one', () => {
  const labels = { 'job-name': 'x', 'controller-uid': 'uid-0' }
  const spec = {
    template: { ...template, metadata: { labels } },
    selector: { matchLabels: { 'controller-uid': 'uid-0' } },
  }
  const problems = problemsOf('jobs', { spec })
  expect(problems).toHaveLength(2)
  expect(problems[0]).toMatch(/^spec.template.metadata.labels\[controller-uid\]: Invalid value: .*: must be 'uid-1'$/)
  expect(problems[1]).toMatch(/^spec.selector: Invalid value: .*: `selector` not auto-generated$/)
  expect(problemsOf('jobs', { spec: { ...spec, manualSelector: true } })).toEqual([])
})

test.each([
  ['', 0],
  ['1,3-5,7', 5],
  ['9', 'too large index: "9"'],
  [
    '1-2-3',
    `the fragment "1-2-3" violates the requirement that an index interval can have at most two parts separated by '-'`,
  ],
  ['a', 'cannot convert string to integer for index: "a"'],
  ['3-3', 'non-increasing order, previous: 3, current: 3'],
])('indexes %s of nine', (text, expected) => {
  expect(countIndexes(text, 9)).toBe(expected)
})

test('an update of a Job leaves what makes it that Job', () => {
  const change = (fields: object) => (job: Loose) => Object.assign(job.spec, fields)
  const job = indexed({ parallelism: 3, successPolicy: { rules: [{ succeededCount: 1 }] } })
  expect(problemsOfUpdate('jobs', job, change({ completions: 5 }))).toEqual([
    'spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism',
  ])
  expect(problemsOfUpdate('jobs', job, change({ completions: 5, parallelism: 5 }))).toEqual([])
  const managed = problemsOfUpdate('jobs', job, change({ managedBy: 'example.com/x', successPolicy: undefined }))
  expect(managed.map((problem) => problem.replace(/ .*: /, ' … '))).toEqual([
    'spec.managedBy: … field is immutable',
    'spec.successPolicy: … field is immutable',
  ])
})

test('a CronJob gives its jobs no selector', () => {
  const jobTemplate = { spec: { template, selector: { matchLabels: { a: 'b' } }, manualSelector: true } }
  expect(problemsOf('cronjobs', { spec: { schedule: '@daily', jobTemplate } })).toEqual([
    'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
    'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
  ])
})
