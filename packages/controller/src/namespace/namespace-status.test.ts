import { describe, expect, test } from 'vitest'
import { at } from '../testing/objects.ts'
import { conditionsOf, isEmpty, type Progress } from './namespace-status.ts'

const done: Progress = { deletionFailures: [], remaining: new Map(), finalizers: new Map() }

test.each<[string, Partial<Progress>, boolean]>([
  ['nothing left', {}, true],
  ['something left', { remaining: new Map([['pods.', 1]]) }, false],
  ['something could not be deleted', { deletionFailures: ['pods'] }, false],
  ['we may not know everything', { discoveryFailure: 'no answer' }, false],
])('empty? %s', (_name, progress, expected) => {
  expect(isEmpty({ ...done, ...progress })).toBe(expected)
})

describe('conditions', () => {
  const of = (progress: Partial<Progress>) => conditionsOf(undefined, { ...done, ...progress }, at(0))
  const problems = (progress: Partial<Progress>) =>
    of(progress)
      .filter(({ status }) => status === 'True')
      .map(({ type, reason, message }) => [type, reason, message])

  test('all is well', () => {
    expect(of({}).map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ['NamespaceDeletionDiscoveryFailure', 'False', 'ResourcesDiscovered'],
      ['NamespaceDeletionGroupVersionParsingFailure', 'False', 'ParsedGroupVersions'],
      ['NamespaceDeletionContentFailure', 'False', 'ContentDeleted'],
      ['NamespaceContentRemaining', 'False', 'ContentRemoved'],
      ['NamespaceFinalizersRemaining', 'False', 'ContentHasNoFinalizers'],
    ])
  })

  test.each<[string, Partial<Progress>, unknown]>([
    [
      'contents',
      {
        remaining: new Map([
          ['replicasets.apps', 1],
          ['pods.', 2],
        ]),
      },
      [
        'NamespaceContentRemaining',
        'SomeResourcesRemain',
        'Some resources are remaining: pods. has 2 resource instances, replicasets.apps has 1 resource instances',
      ],
    ],
    [
      'finalizers',
      { finalizers: new Map([['example.com/x', 3]]) },
      [
        'NamespaceFinalizersRemaining',
        'SomeFinalizersRemain',
        'Some content in the namespace has finalizers remaining: example.com/x in 3 resource instances',
      ],
    ],
    [
      'failures',
      { deletionFailures: ['b', 'a'] },
      [
        'NamespaceDeletionContentFailure',
        'ContentDeletionFailed',
        'Failed to delete all resource types, 2 remaining: a, b',
      ],
    ],
    [
      'discovery',
      { discoveryFailure: 'no answer' },
      ['NamespaceDeletionDiscoveryFailure', 'DiscoveryFailed', 'Discovery failed: no answer'],
    ],
  ])('%s', (_name, progress, expected) => {
    expect(problems(progress)).toEqual([expected])
  })

  test('nothing new is the same list; a change of mind keeps the others', () => {
    const first = of({})
    expect(conditionsOf(first, done, at(9))).toBe(first)
    const second = conditionsOf(first, { ...done, discoveryFailure: 'x' }, at(9))
    expect(second.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([at(9), at(0), at(0), at(0), at(0)])
  })
})
