import { describe, expect, test } from 'vitest'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { DeleteOptions } from './deletion-plan.ts'
import { isReadyToGo, planDeletion } from './deletion-plan.ts'
import type { ResourceDefinition } from './resource-definition.ts'

const now = Date.parse('2025-01-01T00:01:00Z')
const plain = { group: '', plural: 'configmaps', strategy: {} } as unknown as ResourceDefinition
const jobs = { group: 'batch', plural: 'jobs', strategy: {} } as unknown as ResourceDefinition
const graceful = {
  group: '',
  plural: 'pods',
  strategy: { gracefulDelete: (_: unknown, requested: number | undefined) => requested ?? 30 },
} as unknown as ResourceDefinition

function object(metadata: object, more: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Thing',
    metadata: { name: 'x', ...metadata },
    ...more,
  } as unknown as KubernetesObject
}

type Case = [what: string, definition: ResourceDefinition, metadata: object, options: DeleteOptions, expected: object]

const cases: Case[] = [
  ['nothing holds it', plain, {}, {}, { action: 'remove' }],
  [
    'a finalizer holds it',
    plain,
    { finalizers: ['a/b'] },
    {},
    { action: 'mark', at: '2025-01-01T00:01:00Z', grace: 0, finalizers: ['a/b'] },
  ],
  [
    'it is already marked',
    plain,
    { finalizers: ['a/b'], deletionTimestamp: '2025-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 },
    {},
    { action: 'wait' },
  ],
  [
    'orphaning',
    plain,
    {},
    { propagationPolicy: 'Orphan' },
    { action: 'mark', at: '2025-01-01T00:01:00Z', grace: 0, finalizers: ['orphan'] },
  ],
  [
    'orphaning, the old way',
    plain,
    {},
    { orphanDependents: true },
    { action: 'mark', at: '2025-01-01T00:01:00Z', grace: 0, finalizers: ['orphan'] },
  ],
  [
    'in the foreground',
    plain,
    {},
    { propagationPolicy: 'Foreground' },
    { action: 'mark', at: '2025-01-01T00:01:00Z', grace: 0, finalizers: ['foregroundDeletion'] },
  ],
  ['in the background', plain, {}, { propagationPolicy: 'Background' }, { action: 'remove' }],
  [
    "changing one's mind",
    plain,
    { finalizers: ['orphan'], deletionTimestamp: '2025-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 },
    { propagationPolicy: 'Background' },
    { action: 'remove' },
  ],
  [
    'a kind that orphans by default',
    jobs,
    {},
    {},
    { action: 'mark', at: '2025-01-01T00:01:00Z', grace: 0, finalizers: ['orphan'] },
  ],
  ['a pod', graceful, {}, {}, { action: 'mark', at: '2025-01-01T00:01:30Z', grace: 30, finalizers: undefined }],
  ['a pod, at once', graceful, {}, { gracePeriodSeconds: 0 }, { action: 'remove' }],
  [
    'a pod again',
    graceful,
    { deletionTimestamp: '2025-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 },
    {},
    { action: 'wait' },
  ],
  [
    'a pod again, with less patience',
    graceful,
    { deletionTimestamp: '2025-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 },
    { gracePeriodSeconds: 5 },
    { action: 'mark', at: '2025-01-01T00:00:05Z', grace: 5, finalizers: undefined },
  ],
  [
    'a pod again, with more patience',
    graceful,
    { deletionTimestamp: '2025-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 },
    { gracePeriodSeconds: 60 },
    { action: 'wait' },
  ],
  [
    'a pod again, at once',
    graceful,
    { deletionTimestamp: '2025-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 },
    { gracePeriodSeconds: 0 },
    { action: 'remove' },
  ],
  [
    'a pod at once that a finalizer holds',
    graceful,
    { finalizers: ['a/b'] },
    { gracePeriodSeconds: 0 },
    { action: 'mark', at: '2025-01-01T00:01:00Z', grace: 0, finalizers: ['a/b'] },
  ],
]

test.each(cases)('%s', (_what, definition, metadata, options, expected) => {
  const plan = planDeletion(definition, object(metadata), options, now)
  const marked = plan.action === 'mark' ? plan.object.metadata : undefined
  expect({
    action: plan.action,
    ...(marked
      ? {
          at: marked.deletionTimestamp,
          grace: marked.deletionGracePeriodSeconds,
          finalizers: marked.finalizers,
        }
      : {}),
  }).toEqual(expected)
})

test('a namespace is held by its own finalizers and shows that it is going', () => {
  const namespace = { ...object({}, { spec: { finalizers: ['kubernetes'] } }), kind: 'Namespace' }
  const plan = planDeletion(plain, namespace, {}, now)
  expect(plan).toMatchObject({ action: 'mark', object: { status: { phase: 'Terminating' } } })
})

describe('an update lets the object go', () => {
  const deleting = { deletionTimestamp: '2025-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 }
  test.each([
    ['when the last finalizer is gone', { ...deleting }, true],
    ['not while one is left', { ...deleting, finalizers: ['a/b'] }, false],
    ['not if nobody asked for its deletion', {}, false],
    ['not while its grace period runs', { ...deleting, deletionGracePeriodSeconds: 30 }, false],
  ])('%s', (_what, metadata, expected) => expect(isReadyToGo(object(metadata), object(metadata))).toBe(expected))
})

test.each([
  [{ propagationPolicy: 'Maybe' }, 'Unsupported value: "Maybe"'],
  [{ propagationPolicy: 'Orphan', orphanDependents: true }, 'cannot be both set'],
])('refuses %o', (options, message) => expect(() => planDeletion(plain, object({}), options, now)).toThrow(message))
