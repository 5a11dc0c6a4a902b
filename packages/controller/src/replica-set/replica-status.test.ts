import { describe, expect, test } from 'vitest'
import { at, epoch, makePod, makeReplicaSet } from '../testing/objects.ts'
import { planReplicas } from './replica-plan.ts'
import { replicaStatus } from './replica-status.ts'

describe('replicaStatus', () => {
  const labels = { app: 'web' }

  test('counts replicas, fully labelled, ready and available pods', () => {
    const owner = makeReplicaSet('web', { spec: { minReadySeconds: 10 } })
    const pods = [
      makePod('old', { readyAt: 0, metadata: { labels } }),
      makePod('fresh', { readyAt: 95, metadata: { labels } }),
      makePod('starting', { metadata: { labels } }),
      makePod('stranger', { readyAt: 0 }),
    ]
    expect(replicaStatus(owner, pods, undefined, epoch + 100_000)).toEqual({
      replicas: 4,
      fullyLabeledReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 2,
      observedGeneration: 1,
    })
  })

  test('leaves out counts that are zero, as Kubernetes does', () => {
    expect(replicaStatus(makeReplicaSet('web'), [], undefined, epoch)).toEqual({ replicas: 0, observedGeneration: 1 })
  })

  test('tells a failure once, and forgets it when it is over', () => {
    const failure = { reason: 'FailedCreate', message: 'no room' } as const
    const first = replicaStatus(makeReplicaSet('web'), [], failure, epoch)
    expect(first.conditions).toEqual([
      { type: 'ReplicaFailure', status: 'True', lastTransitionTime: at(0), ...failure },
    ])

    const failing = makeReplicaSet('web', { status: first })
    const second = replicaStatus(failing, [], { ...failure, message: 'still no room' }, epoch + 60_000)
    expect(second.conditions).toEqual(first.conditions)
    expect(replicaStatus(failing, [], undefined, epoch).conditions).toBeUndefined()
  })
})

describe('planReplicas', () => {
  const pods = [makePod('a', { node: 'n' }), makePod('b'), makePod('c', { node: 'n' })]

  test.each([
    [3, 0, []],
    [5, 2, []],
    [2, 0, ['b']],
    [0, 0, ['a', 'b', 'c']],
    [2000, 500, []],
  ])('wanted %i of 3: creates %i, removes %j', (wanted, create, remove) => {
    const plan = planReplicas(wanted, pods, () => pods, epoch)
    expect(plan.create).toBe(create)
    expect(plan.remove.map((pod) => pod.metadata.name).sort()).toEqual(remove)
  })
})
