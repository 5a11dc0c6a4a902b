import { describe, expect, test } from 'vitest'
import { defaultConfiguration, readConfiguration } from './configuration.ts'

const typed = { apiVersion: 'kubescheduler.config.k8s.io/v1', kind: 'KubeSchedulerConfiguration' }
function withArgs(name: string, args: unknown) {
  return { profiles: [{ pluginConfig: [{ name, args }] }] }
}

function withExtender(fields: object) {
  return { extenders: [{ urlPrefix: 'http://127.0.0.1:1', ...fields }] }
}

describe('what is read', () => {
  test('an empty configuration is the default', () => {
    expect(readConfiguration(typed)).toEqual(defaultConfiguration)
  })

  test('profiles, with their plugins and arguments', () => {
    const { profiles } = readConfiguration({
      ...typed,
      profiles: [
        { plugins: { score: { disabled: [{ name: '*' }], enabled: [{ name: 'ImageLocality', weight: 3 }] } } },
      ],
    })
    const score = { disabled: ['*'], enabled: [{ name: 'ImageLocality', weight: 3 }] }
    expect(profiles).toEqual([{ schedulerName: 'default-scheduler', plugins: { score }, args: {} }])
  })

  test.each<[string, unknown, unknown]>([
    ['InterPodAffinity', {}, { hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: false }],
    ['NodeResourcesBalancedAllocation', { resources: [{ name: 'x' }] }, { resources: [{ name: 'x', weight: 1 }] }],
    [
      'NodeResourcesFit',
      {
        apiVersion: 'v1',
        kind: 'NodeResourcesFitArgs',
        ignoredResourceGroups: ['a.b'],
        scoringStrategy: { type: 'MostAllocated' },
      },
      { ignoredResources: [], ignoredResourceGroups: ['a.b'], strategy: 'MostAllocated', shape: [] },
    ],
    ['PodTopologySpread', { defaultingType: 'List' }, { defaultConstraints: [] }],
    ['PodTopologySpread', {}, {}],
    ['VolumeBinding', { bindTimeoutSeconds: 5 }, { bindTimeoutMs: 5_000 }],
    ['NodeAffinity', {}, {}],
  ])('arguments of %s', (name, args, read) => {
    expect(readConfiguration({ ...typed, ...withArgs(name, args) }).profiles[0]?.args).toEqual({ [name]: read })
  })

  test('backoff in seconds, and an extender', () => {
    const read = readConfiguration({
      ...typed,
      podInitialBackoffSeconds: 2,
      podMaxBackoffSeconds: 4,
      extenders: [
        { urlPrefix: 'https://127.0.0.1:1/x/', filterVerb: 'f', httpTimeout: '1s', tlsConfig: { caData: 'YQ==' } },
      ],
    })
    expect(read).toMatchObject({ firstBackoffMs: 2_000, longestBackoffMs: 4_000 })
    expect(read.extenders).toEqual([
      {
        urlPrefix: 'https://127.0.0.1:1/x',
        filterVerb: 'f',
        prioritizeVerb: '',
        bindVerb: '',
        weight: 0,
        timeoutMs: 1_000,
        nodeCacheCapable: false,
        ignorable: false,
        managedResources: [],
        tls: { insecure: false, ca: { pem: 'a' } },
      },
    ])
  })
})

test.each<[string, unknown, string]>([
  ['no document', undefined, 'apiVersion: expected kubescheduler.config.k8s.io/v1'],
  ['a list', [], 'the document: must be an object'],
  ['another kind', { ...typed, kind: 'Pod' }, 'kind: expected KubeSchedulerConfiguration'],
  ['a field that nobody knows', { profils: [] }, 'strict decoding error: unknown field "profils"'],
  ['one deeper', { profiles: [{ plugin: {} }] }, 'strict decoding error: unknown field "profiles[0].plugin"'],
  ['what flags decide', { leaderElection: {} }, 'leaderElection: the flag --leader-elect decides it'],
  ['what there is not', { percentageOfNodesToScore: 50 }, 'percentageOfNodesToScore: all nodes are looked at here'],
  ['a backoff of nothing', { podInitialBackoffSeconds: 0 }, 'podInitialBackoffSeconds: must be greater than 0'],
  [
    'a backoff that shrinks',
    { podInitialBackoffSeconds: 20 },
    'podMaxBackoffSeconds: must be greater than or equal to',
  ],
  ['a text for a number', { podMaxBackoffSeconds: '1' }, 'podMaxBackoffSeconds: must be an integer'],
  [
    'two of a name',
    { profiles: [{ schedulerName: 'a' }, { schedulerName: 'a' }] },
    'profiles[1].schedulerName: Duplicate value: "a"',
  ],
  ['two without a name', { profiles: [{}, {}] }, 'profiles[0].schedulerName: Required value'],
  [
    'a weight of nothing',
    { profiles: [{ plugins: { score: { enabled: [{ name: 'x', weight: 0 }] } } }] },
    'profiles[0].plugins.score.enabled[0].weight: must be at least 1',
  ],
  ['arguments of nobody', withArgs('toString', {}), 'no arguments are known of "toString"'],
  [
    'arguments twice',
    { profiles: [{ pluginConfig: [{ name: 'NodeAffinity' }, { name: 'NodeAffinity' }] }] },
    'pluginConfig[1].name: Duplicate value',
  ],
  [
    'too hard',
    withArgs('InterPodAffinity', { hardPodAffinityWeight: 101 }),
    'args.hardPodAffinityWeight: must be between 0 and 100',
  ],
  [
    'no such strategy',
    withArgs('NodeResourcesFit', { scoringStrategy: { type: 'Any' } }),
    'scoringStrategy.type: Unsupported value: "Any"',
  ],
  [
    'a ratio without a shape',
    withArgs('NodeResourcesFit', { scoringStrategy: { type: 'RequestedToCapacityRatio' } }),
    'shape: Required value',
  ],
  [
    'a shape that turns back',
    withArgs('NodeResourcesFit', {
      scoringStrategy: { requestedToCapacityRatio: { shape: [{ utilization: 9 }, { utilization: 5 }] } },
    }),
    'shape[1].utilization: utilization values must be sorted',
  ],
  [
    'defaults that nobody asked for',
    withArgs('PodTopologySpread', { defaultConstraints: [{}] }),
    'defaultingType: when .defaultConstraints are specified',
  ],
  [
    'defaults with a selector',
    withArgs('PodTopologySpread', { defaultingType: 'List', defaultConstraints: [{ labelSelector: {} }] }),
    'defaultConstraints[0].labelSelector: constraint must not define a selector',
  ],
  ['an extender nowhere', { extenders: [{}] }, 'extenders[0].urlPrefix: must begin with'],
  ['a score of no weight', withExtender({ prioritizeVerb: 'p' }), 'extenders[0].weight: must have a positive weight'],
  [
    'an extender that preempts',
    withExtender({ preemptVerb: 'p' }),
    'extenders[0].preemptVerb: extenders are not asked',
  ],
  [
    'two that bind',
    { extenders: [1, 2].map((n) => ({ urlPrefix: `http://127.0.0.1:${n}`, bindVerb: 'b' })) },
    'extenders: found more than one',
  ],
])('refused: %s', (_what, fields, message) => {
  const document = typeof fields === 'object' && !Array.isArray(fields) ? { ...typed, ...fields } : fields
  expect(() => readConfiguration(document)).toThrow(message)
})
