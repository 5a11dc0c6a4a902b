import { describe, expect, test } from 'vitest'
import { created, problemsOf } from '../../testing/kind-fixture.ts'

const user = { kind: 'User', user: { name: 'u' } }
const resourceRule = { verbs: ['get'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }
const rule = { subjects: [user], resourceRules: [resourceRule] }
function schema(more: object) {
  return { spec: { priorityLevelConfiguration: { name: 'p' }, rules: [rule], ...more } }
}

function limited(more: object) {
  return {
    spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' }, ...more } },
  }
}

describe('FlowSchemas', () => {
  test('take their turn in the middle unless told', () => {
    expect(created('flowschemas', schema({}))).toMatchObject({ spec: { matchingPrecedence: 1000 } })
    expect(problemsOf('flowschemas', schema({}))).toEqual([])
  })

  test.each<[object, string[]]>([
    [{ spec: {} }, ['spec.priorityLevelConfiguration.name: Required value: must reference a priority level']],
    [
      schema({ matchingPrecedence: 1 }),
      ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"],
    ],
    [
      schema({ matchingPrecedence: 10001 }),
      ['spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000'],
    ],
    [
      schema({ distinguisherMethod: { type: 'ByMood' } }),
      [
        'spec.distinguisherMethod.type: Unsupported value: {"type":"ByMood"}: supported values: "ByNamespace", "ByUser"',
      ],
    ],
    [
      schema({ rules: [{}] }),
      [
        'spec.rules[0].subjects: Required value: subjects must contain at least one value',
        'spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty',
      ],
    ],
    [
      schema({ rules: [{ ...rule, subjects: [{ kind: 'Group', user: { name: 'u' } }, { kind: 'Robot' }] }] }),
      [
        "spec.rules[0].subjects[0].user: Forbidden: user is forbidden when subject kind is not 'User'",
        "spec.rules[0].subjects[0].group: Required value: group is required when subject kind is 'Group'",
        'spec.rules[0].subjects[1].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
      ],
    ],
    [
      schema({ rules: [{ ...rule, subjects: [{ kind: 'ServiceAccount', serviceAccount: { name: '*' } }] }] }),
      [
        'spec.rules[0].subjects[0].serviceAccount.namespace: Required value: must specify namespace for service account',
      ],
    ],
    [
      schema({ rules: [{ ...rule, resourceRules: [{ ...resourceRule, verbs: ['peek'], namespaces: [] }] }] }),
      [
        'spec.rules[0].resourceRules[0].verbs: Unsupported value: ["peek"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
        'spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace',
      ],
    ],
    [
      schema({ rules: [{ ...rule, resourceRules: [{ ...resourceRule, namespaces: ['foo', '*'], apiGroups: [] }] }] }),
      [
        'spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group',
        `spec.rules[0].resourceRules[0].namespaces: Invalid value: ["foo","*"]: if '*' is present, must not specify other namespaces`,
      ],
    ],
    [
      schema({
        rules: [{ subjects: [user], nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['x', '/a//b', '/a*'] }] }],
      }),
      [
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "x": must start with slash',
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a//b": must not contain double slash',
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[2]: Invalid value: "/a*": wildcard can only do suffix matching',
      ],
    ],
  ])('%#', (sent, messages) => {
    expect(problemsOf('flowschemas', sent)).toEqual(messages)
  })

  test('the first and the last one are what they are', () => {
    const all = {
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    }
    const exempt = {
      metadata: { name: 'exempt' },
      spec: {
        matchingPrecedence: 1,
        priorityLevelConfiguration: { name: 'exempt' },
        rules: [{ subjects: [{ kind: 'Group', group: { name: 'system:masters' } }], ...all }],
      },
    }
    expect(problemsOf('flowschemas', exempt)).toEqual([])
    const changed = { ...exempt, spec: { ...exempt.spec, matchingPrecedence: 2 } }
    expect(problemsOf('flowschemas', changed).join()).toMatch(/spec of 'exempt' must equal the fixed value$/)
  })
})

describe('PriorityLevelConfigurations', () => {
  test('default shares and queues', () => {
    const sent = limited({ limitResponse: { type: 'Queue', queuing: {} } })
    expect(created('prioritylevelconfigurations', sent)).toMatchObject({
      spec: {
        limited: {
          nominalConcurrencyShares: 30,
          lendablePercent: 0,
          limitResponse: { queuing: { handSize: 8, queues: 64, queueLengthLimit: 50 } },
        },
      },
    })
    expect(problemsOf('prioritylevelconfigurations', sent)).toEqual([])
    const exempt = { metadata: { name: 'exempt' }, spec: { type: 'Exempt', exempt: {} } }
    const shares = { nominalConcurrencyShares: 0, lendablePercent: 0 }
    expect(created('prioritylevelconfigurations', exempt)).toMatchObject({ spec: { exempt: shares } })
    expect(problemsOf('prioritylevelconfigurations', exempt)).toEqual([])
    expect(problemsOf('prioritylevelconfigurations', limited({ nominalConcurrencyShares: 0 }))).toEqual([])
  })

  test.each<[object, string[]]>([
    [
      { spec: { type: 'Limited', exempt: {} } },
      [
        'spec.exempt: Forbidden: must be nil if the type is Limited',
        'spec.limited: Required value: must not be empty when type is Limited',
      ],
    ],
    [{ spec: { type: 'Bogus' } }, ['spec.type: Unsupported value: "Bogus": supported values: "Exempt", "Limited"']],
    [
      { spec: { type: 'Exempt' } },
      [`spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if name is 'exempt'`],
    ],
    [
      limited({ nominalConcurrencyShares: -1, lendablePercent: 101, borrowingLimitPercent: -1 }),
      [
        'spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer',
        'spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive',
        'spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer',
      ],
    ],
    [
      limited({ limitResponse: { type: 'Reject', queuing: {} } }),
      ['spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited'],
    ],
    [
      limited({ limitResponse: { type: 'Queue' } }),
      [
        'spec.limited.limitResponse.queuing: Required value: must not be empty if limited.limitResponse.type is Limited',
      ],
    ],
    [
      limited({ limitResponse: { type: 'Queue', queuing: { queues: 4 } } }),
      ['spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than queues (4)'],
    ],
    [
      limited({ limitResponse: { type: 'Queue', queuing: { queues: 512 } } }),
      [
        'spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be greater than 60',
      ],
    ],
    [
      { metadata: { name: 'catch-all' }, ...limited({}) },
      [expect.stringMatching(/^spec: Invalid value: .*: spec of 'catch-all' must equal the fixed value$/)],
    ],
  ])('%#', (sent, messages) => {
    expect(problemsOf('prioritylevelconfigurations', sent)).toEqual(messages)
  })
})
