import { describe, expect, test } from 'vitest'
import type { Deployment, Pod, ReplicaSet } from '@dinghy/shared/api/types'
import { at, controlledBy, makeDeployment, makePod, makeReplicaSet, webTemplate } from '../testing/objects.ts'
import { planDeployment } from './deployment-plan.ts'
import { newReplicaSet, revisionAnnotation, revisionHistoryAnnotation } from './revision.ts'
import { boundsOf, desiredReplicasAnnotation, maxReplicasAnnotation } from './sizes.ts'

interface Version {
  version: string
  replicas: number
  available?: number
  /** What the annotations say: the Deployment's size when this one was last scaled, with and without surge. */
  desired?: number
  most?: number
  age?: number
  revision?: number
  pods?: number
}

function replicaSetOf(facts: Version): ReplicaSet {
  const {
    version,
    replicas,
    available = replicas,
    desired = 10,
    most = 13,
    age = 0,
    revision = 1,
    pods = replicas,
  } = facts
  const template = webTemplate(version)
  const labels = { ...template.metadata.labels, 'pod-template-hash': version }
  const annotations = {
    [revisionAnnotation]: String(revision),
    [desiredReplicasAnnotation]: String(desired),
    [maxReplicasAnnotation]: String(most),
  }
  return makeReplicaSet(`web-${version}`, {
    metadata: { annotations, creationTimestamp: at(-age) },
    spec: { replicas, template: { ...template, metadata: { labels } } },
    status: { replicas: pods, availableReplicas: available },
  })
}

/** The plan as { name: replicas }, with '+' before one to create and '-' before one to remove. */
function sizesAfter(deployment: Deployment, replicaSets: ReplicaSet[], pods: Pod[] = []): Record<string, number> {
  const plan = planDeployment(deployment, replicaSets, pods)
  return Object.fromEntries([
    ...plan.update.map(({ to }) => [to.metadata.name, to.spec.replicas]),
    ...(plan.create ? [['+', plan.create.spec.replicas]] : []),
    ...plan.remove.map(({ metadata }) => [`-${metadata.name}`, 0]),
  ])
}

function rolling(replicas: number, more: Partial<Deployment['spec']> = {}) {
  return makeDeployment('web', {
    spec: { replicas, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } }, ...more },
  })
}

describe('a rolling update', () => {
  test('begins with a ReplicaSet for a template that has none', () => {
    expect(sizesAfter(rolling(10), [])).toEqual({ '+': 10 })
    expect(sizesAfter(rolling(10), [replicaSetOf({ version: 'v0', replicas: 10 })])).toEqual({ '+': 3 })
  })

  test('goes on step by step', () => {
    const old = replicaSetOf({ version: 'v0', replicas: 10, age: 60 })
    expect(
      sizesAfter(rolling(10), [old, replicaSetOf({ version: 'v1', replicas: 3, available: 0, revision: 2 })]),
    ).toEqual({
      'web-v0': 8,
    })
  })

  test('does nothing once it is complete', () => {
    const old = replicaSetOf({ version: 'v0', replicas: 0, age: 60 })
    expect(sizesAfter(rolling(10), [old, replicaSetOf({ version: 'v1', replicas: 10, revision: 2 })])).toEqual({})
  })

  test('takes the oldest of several ReplicaSets with its template, whatever their hash label says', () => {
    const twins = [3, 60].map((age) => replicaSetOf({ version: 'v1', replicas: 5, age, revision: 2 }))
    expect(planDeployment(rolling(10), twins, []).fresh).toBe(twins[1])
  })
})

describe('a resized Deployment', () => {
  const both = (...sizes: [number, number]) => [
    replicaSetOf({ version: 'v0', replicas: sizes[0], age: 60 }),
    replicaSetOf({ version: 'v1', replicas: sizes[1], revision: 2 }),
  ]

  test('gives a single ReplicaSet everything', () => {
    expect(sizesAfter(rolling(4), [replicaSetOf({ version: 'v1', replicas: 10 })])).toEqual({ 'web-v1': 4 })
  })

  test('shares growth in proportion, the largest first', () => {
    // 13 with the surge become 20 + 3: 8 × 23/13 = 14.2 and 5 × 23/13 = 8.8.
    expect(sizesAfter(rolling(20), both(8, 5))).toEqual({ 'web-v0': 14, 'web-v1': 9 })
  })

  test('shares shrinking in proportion', () => {
    expect(sizesAfter(rolling(5), both(8, 5))).toEqual({ 'web-v0': 5, 'web-v1': 3 })
  })

  test('gives the rest of the rounding to the largest, which is the newest among equals when growing', () => {
    // 12 become 15, but 6 × 15/14 rounds back to 6 for both.
    const next = planDeployment(
      rolling(12),
      [
        replicaSetOf({ version: 'v0', replicas: 6, age: 60, most: 14 }),
        replicaSetOf({ version: 'v1', replicas: 6, revision: 2, most: 14 }),
      ],
      [],
    )
    const sizes = next.update.map(({ to }) => [to.metadata.name, to.spec.replicas])
    expect(sizes).toEqual([
      ['web-v0', 6],
      ['web-v1', 9],
    ])
  })

  test('takes everything from all of them when nothing is wanted', () => {
    expect(sizesAfter(rolling(0), both(8, 5))).toEqual({ 'web-v0': 0, 'web-v1': 0 })
  })

  test('notes the new size on every ReplicaSet that is alive, so that it counts as followed', () => {
    const { update, isStanding } = planDeployment(rolling(20), both(8, 5), [])
    expect(isStanding).toBe(true)
    for (const { to } of update) {
      expect(to.metadata.annotations).toMatchObject({
        [desiredReplicasAnnotation]: '20',
        [maxReplicasAnnotation]: '23',
      })
    }
    const followed = update.map(({ to }) => to)
    expect(planDeployment(rolling(20), followed, []).isStanding).toBe(false)
  })

  test('lets old ones go when the new one is saturated', () => {
    const paused = rolling(10, { paused: true })
    expect(sizesAfter(paused, both(2, 10))).toEqual({ 'web-v0': 0 })
  })
})

describe('a paused Deployment', () => {
  test('begins no new version', () => {
    expect(sizesAfter(rolling(10, { paused: true }), [replicaSetOf({ version: 'v0', replicas: 10 })])).toEqual({})
  })

  test('still follows its size', () => {
    expect(sizesAfter(rolling(4, { paused: true }), [replicaSetOf({ version: 'v0', replicas: 10 })])).toEqual({
      'web-v0': 4,
    })
  })
})

describe('Recreate', () => {
  const deployment = makeDeployment('web', { spec: { replicas: 10, strategy: { type: 'Recreate' } } })
  const old = replicaSetOf({ version: 'v0', replicas: 10, age: 60 })
  const emptied = replicaSetOf({ version: 'v0', replicas: 0, age: 60 })
  const oldPod = (phase: string) => makePod('old', { phase, metadata: { ownerReferences: controlledBy(emptied) } })

  test('first takes the old version down', () => expect(sizesAfter(deployment, [old])).toEqual({ 'web-v0': 0 }))

  test('waits for the ReplicaSet to say that its pods are gone', () => {
    const stopping = replicaSetOf({ version: 'v0', replicas: 0, pods: 2 })
    expect(sizesAfter(deployment, [stopping])).toEqual({})
  })

  test('waits for pods that are still on their way out', () => {
    expect(sizesAfter(deployment, [emptied], [oldPod('Running')])).toEqual({})
    expect(sizesAfter(deployment, [emptied], [oldPod('Unknown')])).toEqual({})
  })

  test('then begins the new version at full size', () => {
    expect(sizesAfter(deployment, [emptied])).toEqual({ '+': 10 })
    expect(sizesAfter(deployment, [emptied], [oldPod('Succeeded')])).toEqual({ '+': 10 })
  })

  test('scales what is there', () => {
    expect(sizesAfter(deployment, [replicaSetOf({ version: 'v1', replicas: 3, desired: 3 })])).toEqual({ 'web-v1': 10 })
  })
})

describe('revisions', () => {
  const [first, second, third] = [1, 2, 3].map((n) =>
    replicaSetOf({ version: `v${n}`, replicas: n === 3 ? 10 : 0, revision: n, age: 100 - n }),
  ) as [ReplicaSet, ReplicaSet, ReplicaSet]
  const present = (version: string, more: Partial<Deployment['spec']> = {}) =>
    rolling(10, { template: webTemplate(version), ...more })

  test('a rollback finds the old ReplicaSet and gives it the next number', () => {
    const { fresh, update, create } = planDeployment(present('v1'), [first, second, third], [])
    expect(fresh).toBe(first)
    expect(create).toBeUndefined()
    const to = update.find(({ from }) => from === first)?.to
    expect(to?.spec.replicas).toBe(3)
    expect(to?.metadata.annotations).toMatchObject({ [revisionAnnotation]: '4', [revisionHistoryAnnotation]: '1' })
  })

  test('a new one is named after its template, labelled, and numbered after the newest', () => {
    const deployment = present('v4', { minReadySeconds: 5 })
    deployment.metadata.annotations = {
      'kubernetes.io/change-cause': 'because',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      [revisionAnnotation]: '3',
    }
    const draft = newReplicaSet(deployment, boundsOf(deployment), [first, second, third], 3)
    const hash = draft.metadata.labels?.['pod-template-hash']
    expect(draft.metadata.name).toBe(`web-${hash}`)
    expect(draft.spec.selector.matchLabels).toEqual({ app: 'web', 'pod-template-hash': hash })
    expect(draft.spec.template?.metadata?.labels).toEqual({ app: 'web', 'pod-template-hash': hash })
    expect(draft.spec.minReadySeconds).toBe(5)
    expect(draft.metadata.annotations).toEqual({
      'kubernetes.io/change-cause': 'because',
      [revisionAnnotation]: '4',
      [desiredReplicasAnnotation]: '10',
      [maxReplicasAnnotation]: '13',
    })
    deployment.status = { collisionCount: 1 }
    expect(newReplicaSet(deployment, boundsOf(deployment), [], 3).metadata.name).not.toBe(draft.metadata.name)
  })

  test('annotations and minReadySeconds of the Deployment reach its ReplicaSet', () => {
    const deployment = present('v3', { minReadySeconds: 7 })
    deployment.metadata.annotations = { team: 'blue' }
    const { update } = planDeployment(deployment, [third], [])
    expect(update[0]?.to.metadata.annotations).toMatchObject({ team: 'blue' })
    expect(update[0]?.to.spec.minReadySeconds).toBe(7)
  })

  describe('history', () => {
    const complete = { replicas: 10, updatedReplicas: 10, availableReplicas: 10, observedGeneration: 1 }
    const all = [third, first, second]
    const settled = (limit: number) => ({ ...present('v3', { revisionHistoryLimit: limit }), status: complete })

    test('loses its oldest once the rollout is complete', () => {
      expect(sizesAfter(settled(1), all)).toEqual({ '-web-v1': 0 })
      expect(sizesAfter(settled(0), all)).toEqual({ '-web-v1': 0, '-web-v2': 0 })
      expect(sizesAfter(settled(2), all)).toEqual({})
    })

    test('is kept whole during a rollout', () => {
      expect(sizesAfter({ ...settled(0), status: { ...complete, availableReplicas: 9 } }, all)).toEqual({})
    })

    test('keeps what still has pods', () => {
      const busy = replicaSetOf({ version: 'v1', replicas: 0, pods: 1 })
      expect(sizesAfter(settled(1), [third, busy, second])).toEqual({})
    })
  })
})

describe('a Deployment that is being deleted', () => {
  test('changes nothing any more', () => {
    const deployment = rolling(3)
    deployment.metadata.deletionTimestamp = at(0)
    expect(sizesAfter(deployment, [replicaSetOf({ version: 'v0', replicas: 10 })])).toEqual({})
  })
})
