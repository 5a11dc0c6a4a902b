import { describe, expect, test } from 'vitest'
import type { PersistentVolumeClaim, Pod, StatefulSet } from '@dinghy/shared/api/types'
import { at, controlledBy, epoch, makePod, metaOf, webTemplate, type PodFacts } from '../testing/objects.ts'
import { retentionOwners } from './claim-retention.ts'
import { claimsFor, ordinalOf, statefulPod } from './stateful-pod.ts'
import { planStatefulSet, type StatefulWorld } from './stateful-plan.ts'
import { statefulSetStatus } from './stateful-status.ts'

function makeSet(spec: Partial<StatefulSet['spec']> = {}): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: metaOf('db', { generation: 1 }),
    spec: {
      replicas: 3,
      serviceName: 'db',
      selector: { matchLabels: { app: 'web' } },
      template: webTemplate('v1'),
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
    status: { replicas: 0 },
  }
}

function member(ordinal: number, more: PodFacts & { revision?: string } = {}) {
  return makePod(`db-${ordinal}`, {
    readyAt: 0,
    node: 'n1',
    ...more,
    metadata: { labels: { 'controller-revision-hash': more.revision ?? 'new' }, ...more.metadata },
  })
}
const dying: PodFacts = { metadata: { deletionTimestamp: at(1), labels: { 'controller-revision-hash': 'new' } } }

function worldOf(pods: Pod[], spec: Partial<StatefulSet['spec']> = {}): StatefulWorld {
  return { set: makeSet(spec), pods, currentRevision: 'old', updateRevision: 'new', now: epoch + 100_000 }
}

/** "+1" creates ordinal 1, "-db-2" deletes the pod. */
function steps(pods: Pod[], spec: Partial<StatefulSet['spec']> = {}): string[] {
  const { create, remove } = planStatefulSet(worldOf(pods, spec))
  return [...create.map(({ ordinal }) => `+${ordinal}`), ...remove.map(({ metadata }) => `-${metadata.name}`)]
}

describe('in order', () => {
  const table: [string, Pod[], string[]][] = [
    ['begins with the first', [], ['+0']],
    ['goes on when it is ready', [member(0)], ['+1']],
    ['waits while it is not', [member(0, { readyAt: undefined })], []],
    ['fills a gap first', [member(0), member(2)], ['+1']],
    ['waits for a leaving pod to be gone', [member(0, dying), member(1), member(2)], []],
    ['makes a failed pod anew', [member(0), member(1, { phase: 'Failed' }), member(2)], ['-db-1']],
    ['is content', [member(0), member(1), member(2)], []],
    ['takes down the highest first', [0, 1, 2, 3, 4].map((n) => member(n)), ['-db-4']],
    ['takes down one after another', [...[0, 1, 2, 3].map((n) => member(n)), member(4, dying)], []],
    [
      'takes nothing down while a wanted one is not ready',
      [member(0, { readyAt: undefined }), member(1), member(2), member(3)],
      [],
    ],
    [
      'waits with healthy ones above an unhealthy one',
      [0, 1, 2].map((n) => member(n)).concat(member(3, { readyAt: undefined }), member(4)),
      ['-db-4'],
    ],
    [
      'but takes down the unhealthy one itself',
      [0, 1, 2].map((n) => member(n)).concat(member(3, { readyAt: undefined })),
      ['-db-3'],
    ],
  ]
  test.each(table)('%s', (_name, pods, expected) => expect(steps(pods)).toEqual(expected))

  test('waits for minReadySeconds', () => {
    expect(steps([member(0, { readyAt: 95 })], { minReadySeconds: 10 })).toEqual([])
    expect(steps([member(0, { readyAt: 90 })], { minReadySeconds: 10 })).toEqual(['+1'])
  })

  test('counts from the first ordinal', () => {
    expect(steps([], { ordinals: { start: 5 } })).toEqual(['+5'])
    expect(steps([member(5), member(6), member(7), member(0)], { ordinals: { start: 5 } })).toEqual(['-db-0'])
  })

  test('does nothing once it is being deleted', () => {
    const world = worldOf([])
    world.set.metadata.deletionTimestamp = at(0)
    expect(planStatefulSet(world)).toEqual({ create: [], remove: [], recreate: [] })
  })
})

describe('in parallel', () => {
  const parallel = { podManagementPolicy: 'Parallel' }
  test('does everything at once', () => {
    expect(steps([], parallel)).toEqual(['+0', '+1', '+2'])
    expect(steps([member(1, { readyAt: undefined }), member(3), member(4)], parallel)).toEqual([
      '+0',
      '+2',
      '-db-4',
      '-db-3',
    ])
  })

  test('still updates one by one', () => {
    const old = [0, 1, 2].map((n) => member(n, { revision: 'old' }))
    expect(steps(old, parallel)).toEqual(['-db-2'])
  })
})

describe('a rolling update', () => {
  const old = (ordinal: number) => member(ordinal, { revision: 'old' })
  const partition = (value: number) => ({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: value } },
  })

  test.each([
    ['begins at the highest', [old(0), old(1), old(2)], {}, ['-db-2']],
    ['goes on downwards', [old(0), old(1), member(2)], {}, ['-db-1']],
    ['waits for the new pod', [old(0), old(1), member(2, { readyAt: 99 })], { minReadySeconds: 10 }, []],
    ['stops at the partition', [old(0), old(1), member(2)], partition(2), []],
    ['does nothing below a partition beyond the end', [old(0), old(1), old(2)], partition(5), []],
    ['leaves it to the user with OnDelete', [old(0), old(1), old(2)], { updateStrategy: { type: 'OnDelete' } }, []],
  ])('%s', (_name, pods, spec, expected) => expect(steps(pods, spec)).toEqual(expected))

  test('makes a pod below the partition anew in its old revision', () => {
    const revisionOf = (ordinal: number, spec: Partial<StatefulSet['spec']>) => {
      const pods = [0, 1, 2].filter((n) => n !== ordinal).map((n) => old(n))
      return planStatefulSet(worldOf(pods, spec)).create[0]?.revision
    }
    expect(revisionOf(1, partition(2))).toBe('old')
    expect(revisionOf(2, partition(2))).toBe('new')
    expect(revisionOf(1, partition(0))).toBe('new')
    expect(revisionOf(1, { ...partition(3), ordinals: { start: 0 } })).toBe('old')
    expect(revisionOf(0, { updateStrategy: { type: 'OnDelete' } })).toBe('new')
  })
})

describe('statefulSetStatus', () => {
  const old = (ordinal: number) => member(ordinal, { revision: 'old' })

  test('counts by revision', () => {
    const starting = member(2, { readyAt: undefined })
    expect(statefulSetStatus(worldOf([old(0), old(1), starting]))).toEqual({
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 2,
      currentReplicas: 2,
      updatedReplicas: 1,
      availableReplicas: 2,
      currentRevision: 'old',
      updateRevision: 'new',
      collisionCount: 0,
    })
  })

  test('makes the new revision the current one when all pods are of it and ready', () => {
    const all = [0, 1, 2].map((n) => member(n))
    expect(statefulSetStatus(worldOf(all))).toMatchObject({
      currentRevision: 'new',
      currentReplicas: 3,
      updatedReplicas: 3,
    })
    const last = member(0, { readyAt: undefined })
    expect(statefulSetStatus(worldOf([last, ...all.slice(1)]))).toMatchObject({
      currentRevision: 'old',
      updatedReplicas: 3,
    })
  })
})

describe('statefulPod', () => {
  const set = makeSet({
    volumeClaimTemplates: [
      { metadata: { name: 'data', labels: { tier: 'db' } }, spec: { accessModes: ['ReadWriteOnce'] } },
    ],
  })

  test('has a name, a host name and its own claims', () => {
    const template = webTemplate('v1')
    const spec = {
      ...template.spec,
      volumes: [
        { name: 'data', emptyDir: {} },
        { name: 'tmp', emptyDir: {} },
      ],
    }
    const pod = statefulPod(set, 1, 'db-abc', { ...template, spec })
    expect(pod.metadata).toMatchObject({
      name: 'db-1',
      labels: {
        app: 'web',
        'statefulset.kubernetes.io/pod-name': 'db-1',
        'apps.kubernetes.io/pod-index': '1',
        'controller-revision-hash': 'db-abc',
      },
    })
    expect(pod.spec).toMatchObject({ hostname: 'db-1', subdomain: 'db' })
    expect(pod.spec?.volumes).toEqual([
      { name: 'data', persistentVolumeClaim: { claimName: 'data-db-1' } },
      { name: 'tmp', emptyDir: {} },
    ])
    expect(claimsFor(set, 1)).toEqual([
      {
        metadata: { name: 'data-db-1', namespace: 'default', labels: { tier: 'db', app: 'web' } },
        spec: { accessModes: ['ReadWriteOnce'] },
      },
    ])
  })

  test.each([
    ['db-0', 0],
    ['db-12', 12],
    ['db-01', undefined],
    ['db-x', undefined],
    ['db', undefined],
    ['other-1', undefined],
  ])('%s has ordinal %s', (name, ordinal) => expect(ordinalOf(set, makePod(name))).toBe(ordinal))
})

describe('retentionOwners', () => {
  const pod = member(1)
  const policy = (whenDeleted: string, whenScaled: string) =>
    makeSet({ persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled } })
  const claimOf = (owners?: PersistentVolumeClaim['metadata']['ownerReferences']): PersistentVolumeClaim => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metaOf('data-db-1', owners ? { ownerReferences: owners } : {}),
    spec: {},
    status: {},
  })
  const kinds = (set: StatefulSet, isCondemned: boolean, claim = claimOf()) =>
    retentionOwners(set, pod, isCondemned, claim)?.map(({ kind }) => kind)

  test.each([
    ['Retain', 'Retain', undefined, undefined],
    ['Delete', 'Retain', ['StatefulSet'], ['StatefulSet']],
    ['Retain', 'Delete', undefined, ['Pod']],
    ['Delete', 'Delete', ['StatefulSet'], ['Pod']],
  ])('whenDeleted %s, whenScaled %s', (whenDeleted, whenScaled, staying, condemned) => {
    expect(kinds(policy(whenDeleted, whenScaled), false)).toEqual(staying)
    expect(kinds(policy(whenDeleted, whenScaled), true)).toEqual(condemned)
  })

  test('takes back what the policy no longer says', () => {
    const set = policy('Retain', 'Retain')
    expect(retentionOwners(set, pod, false, claimOf(controlledBy(set)))).toEqual([])
  })

  test('leaves alone what someone else controls', () => {
    const other = makeSet()
    expect(kinds(policy('Delete', 'Delete'), false, claimOf(controlledBy(other)))).toBeUndefined()
  })
})
