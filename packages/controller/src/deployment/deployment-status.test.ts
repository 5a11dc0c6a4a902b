import { describe, expect, test } from 'vitest'
import type { Deployment, DeploymentCondition, ReplicaSet } from '@dinghy/shared/api/types'
import { at, epoch, makeDeployment, makeReplicaSet } from '../testing/objects.ts'
import { deadlineCheckInMs, deploymentStatus, type NewReplicaSetNews } from './deployment-status.ts'

function progressing(reason: string, seconds: number, status = 'True'): DeploymentCondition {
  return {
    type: 'Progressing',
    status,
    reason,
    message: `it was ${reason}`,
    lastUpdateTime: at(seconds),
    lastTransitionTime: at(seconds),
  }
}

interface Scene {
  spec?: Partial<Deployment['spec']>
  before?: Deployment['status']
  /** pods, ready and available pods of the new and of the old ReplicaSet */
  fresh?: [number, number]
  old?: [number, number]
  news?: NewReplicaSetNews
  isStanding?: boolean
  seconds?: number
  oldConditions?: ReplicaSet['status']['conditions']
}

function statusOf({
  spec = {},
  before = {},
  fresh,
  old,
  news,
  isStanding = false,
  seconds = 100,
  oldConditions,
}: Scene) {
  const deployment = makeDeployment('web', { spec, status: before })
  const make = (name: string, [replicas, available]: [number, number], more = {}) =>
    makeReplicaSet(name, { status: { replicas, readyReplicas: available, availableReplicas: available, ...more } })
  const newOne = fresh && make('web-new', fresh)
  const oldOne = old && make('web-old', old, oldConditions ? { conditions: oldConditions } : {})
  const replicaSets = [oldOne, newOne].filter((one) => one !== undefined)
  const status = deploymentStatus({
    deployment,
    fresh: newOne,
    replicaSets,
    news,
    isStanding,
    now: epoch + seconds * 1000,
  })
  const told = (type: string) => status.conditions?.find((condition) => condition.type === type)
  return {
    deployment,
    status,
    available: told('Available'),
    progress: told('Progressing'),
    failure: told('ReplicaFailure'),
  }
}

describe('counts', () => {
  test('adds up all ReplicaSets', () => {
    expect(statusOf({ fresh: [2, 1], old: [2, 2] }).status).toMatchObject({
      observedGeneration: 1,
      replicas: 4,
      updatedReplicas: 2,
      readyReplicas: 3,
      availableReplicas: 3,
      unavailableReplicas: 1,
    })
  })

  test('leaves out zeros', () => {
    const { conditions: _conditions, ...counts } = statusOf({ before: { collisionCount: 2 } }).status
    expect(counts).toEqual({ observedGeneration: 1, collisionCount: 2 })
  })
})

describe('Available', () => {
  test.each([
    [3, 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.'],
    [2, 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'],
  ])('%i of 3 with no unavailability allowed: %s', (available, status, reason, message) => {
    expect(statusOf({ fresh: [3, available] }).available).toMatchObject({ status, reason, message })
  })
})

describe('Progressing', () => {
  test('begins with the new ReplicaSet', () => {
    const { progress } = statusOf({ news: { type: 'created', name: 'web-new' } })
    expect(progress).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetCreated',
      message: 'Created new replica set "web-new"',
      lastUpdateTime: at(100),
    })
  })

  test('mentions one that was found only where nothing has been told', () => {
    const news = { type: 'found', name: 'web-new' } as const
    expect(statusOf({ news, isStanding: true }).progress?.reason).toBe('FoundNewReplicaSet')
    const before = { conditions: [progressing('ReplicaSetUpdated', 0)] }
    expect(statusOf({ news, before, isStanding: true }).progress?.reason).toBe('ReplicaSetUpdated')
  })

  test('says why there is none', () => {
    const { progress } = statusOf({ news: { type: 'failed', name: 'web-new', message: 'no room' } })
    expect(progress).toMatchObject({
      status: 'False',
      reason: 'ReplicaSetCreateError',
      message: 'Failed to create new replica set "web-new": no room',
    })
  })

  test('goes on with every bit of progress, and the deadline with it', () => {
    const before = { replicas: 4, updatedReplicas: 1, conditions: [progressing('ReplicaSetUpdated', 10)] }
    expect(statusOf({ before, fresh: [2, 0], old: [2, 2] }).progress).toEqual({
      type: 'Progressing',
      status: 'True',
      reason: 'ReplicaSetUpdated',
      message: 'ReplicaSet "web-new" is progressing.',
      lastUpdateTime: at(100),
      lastTransitionTime: at(10),
    })
  })

  test('stays as it is without progress', () => {
    const before = { replicas: 2, updatedReplicas: 2, conditions: [progressing('ReplicaSetUpdated', 10)] }
    expect(statusOf({ before, fresh: [2, 0] }).progress).toBe(before.conditions[0])
  })

  test('ends when everything is new and available', () => {
    const before = { conditions: [progressing('ReplicaSetUpdated', 10)] }
    expect(statusOf({ before, fresh: [3, 3], old: [0, 0] }).progress).toMatchObject({
      reason: 'NewReplicaSetAvailable',
      message: 'ReplicaSet "web-new" has successfully progressed.',
    })
  })

  test('stays ended when pods fail later, however long', () => {
    const done = progressing('NewReplicaSetAvailable', 0)
    const before = { replicas: 3, updatedReplicas: 3, availableReplicas: 3, conditions: [done] }
    const { progress, available } = statusOf({ before, fresh: [3, 1], seconds: 5000 })
    expect(progress).toBe(done)
    expect(available?.status).toBe('False')
  })

  test('gives up after the deadline', () => {
    const before = { replicas: 3, updatedReplicas: 3, conditions: [progressing('ReplicaSetUpdated', 0)] }
    expect(statusOf({ before, fresh: [3, 0], seconds: 600 }).progress?.reason).toBe('ReplicaSetUpdated')
    expect(statusOf({ before, fresh: [3, 0], seconds: 601 }).progress).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: 'ReplicaSet "web-new" has timed out progressing.',
    })
  })

  test('recovers from having given up', () => {
    const before = {
      replicas: 3,
      updatedReplicas: 3,
      conditions: [progressing('ProgressDeadlineExceeded', 0, 'False')],
    }
    expect(statusOf({ before, fresh: [3, 1], seconds: 700 }).progress).toMatchObject({
      status: 'True',
      reason: 'ReplicaSetUpdated',
      lastTransitionTime: at(700),
    })
  })

  test('is not told without a deadline', () => {
    const before = { conditions: [progressing('ReplicaSetUpdated', 0)] }
    expect(statusOf({ before, fresh: [3, 3], spec: { progressDeadlineSeconds: 2 ** 31 - 1 } }).progress).toBeUndefined()
  })

  test('stands still while paused, and says when it goes on', () => {
    const paused = statusOf({ spec: { paused: true }, isStanding: true, fresh: [3, 3] })
    expect(paused.progress).toMatchObject({
      status: 'Unknown',
      reason: 'DeploymentPaused',
      message: 'Deployment is paused',
    })
    const resumed = statusOf({ before: paused.status, fresh: [3, 1], isStanding: true })
    expect(resumed.progress).toMatchObject({ status: 'Unknown', reason: 'DeploymentResumed' })
  })
})

describe('ReplicaFailure', () => {
  const oldConditions = [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' }]

  test('is passed on from a ReplicaSet, and dropped when it is over', () => {
    const failing = statusOf({ fresh: [1, 1], old: [1, 1], oldConditions })
    expect(failing.failure).toMatchObject({ status: 'True', reason: 'FailedCreate', message: 'quota' })
    expect(statusOf({ before: failing.status, fresh: [1, 1], old: [1, 1] }).failure).toBeUndefined()
  })
})

describe('deadlineCheckInMs', () => {
  test.each([
    ['while a rollout runs', [progressing('ReplicaSetUpdated', 0)], 501_000],
    ['not when it is done', [progressing('NewReplicaSetAvailable', 0)], undefined],
    ['not when it has failed', [progressing('ProgressDeadlineExceeded', 0)], undefined],
    ['not before it has begun', [], undefined],
  ])('%s', (_name, conditions, expected) => {
    expect(deadlineCheckInMs(makeDeployment('web'), { conditions }, epoch + 100_000)).toBe(expected)
  })
})
