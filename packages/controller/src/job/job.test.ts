import { describe, expect, test } from 'vitest'
import type { Job, JobStatus, Pod } from '@dinghy/shared/api/types'
import { at, epoch, makePod, metaOf, type PodFacts } from '../testing/objects.ts'
import { backoffMs } from './job-backoff.ts'
import { judgeFailure } from './failure-policy.ts'
import { formatIndexes, freeIndexes, parseIndexes } from './indexes.ts'
import { indexAnnotation, jobPod, trackingFinalizer } from './job-pod.ts'
import { planJob } from './job-plan.ts'
import { tally } from './job-tally.ts'
import { timeLeftMs } from './ttl-after-finished.ts'

function makeJob(spec: Partial<Job['spec']> = {}, status: JobStatus = { startTime: at(0) }): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metaOf('work', { generation: 1 }),
    spec: {
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      podReplacementPolicy: 'TerminatingOrFailed',
      template: { spec: { containers: [{ name: 'c', image: 'work' }], restartPolicy: 'Never' } },
      ...spec,
    },
    status,
  }
}

const finalizers = [trackingFinalizer]
function podOf(name: string, phase: string, more: PodFacts & { index?: number } = {}) {
  return makePod(name, {
    phase,
    node: 'n1',
    ...more,
    metadata: {
      finalizers,
      ...(more.index === undefined ? {} : { annotations: { [indexAnnotation]: String(more.index) } }),
      ...more.metadata,
    },
  })
}
function released(pod: Pod): Pod {
  return { ...pod, metadata: { ...pod.metadata, finalizers: [] } }
}
const later = epoch + 3_600_000

function plan(job: Job, pods: Pod[], now = later, mayAct = true) {
  const { create, dismiss, end, status, events, requeueAfterMs } = planJob(job, pods, mayAct, now)
  const names = (list: Pod[]) => list.map(({ metadata }) => metadata.name)
  const conditions = (status.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`)
  return {
    create: create.map(({ index }) => index),
    dismiss: names(dismiss),
    end: names(end),
    status,
    conditions,
    events,
    requeueAfterMs,
  }
}

describe('indexes', () => {
  test.each(['', '3', '0,2', '1,2', '1-3', '0,2-5,9'])('%s is read and written', (text) => {
    expect(formatIndexes(parseIndexes(text))).toBe(text)
  })
  test('finds free ones', () => expect(freeIndexes(6, 2, new Set([0, 2]), new Set([1]))).toEqual([3, 4]))
})

describe('counting', () => {
  test('remembers, lets go, then counts, in that order', () => {
    const pod = podOf('a', 'Succeeded')
    const { uid } = pod.metadata
    const first = tally(makeJob(), [pod])
    expect(first.status.uncountedTerminatedPods).toEqual({ succeeded: [uid] })
    expect(first).toMatchObject({ succeeded: 1, release: [pod], isCounting: true })

    const remembered = makeJob({}, first.status)
    expect(tally(remembered, [pod])).toMatchObject({ succeeded: 1, release: [pod], status: first.status })

    const done = { succeeded: 1, uncountedTerminatedPods: {} }
    expect(tally(remembered, [released(pod)])).toMatchObject({
      succeeded: 1,
      release: [],
      status: done,
      isCounting: false,
    })
    expect(tally(remembered, [])).toMatchObject({ succeeded: 1, status: done })
    expect(tally(makeJob({}, done), [released(pod)])).toMatchObject({ succeeded: 1, status: done })
  })

  test('never loses or doubles a pod, whatever order the steps of many pods come in', () => {
    let state = 7
    const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648
    for (let round = 0; round < 100; round++) {
      let status: JobStatus = {}
      let pods = Array.from({ length: 12 }, (_, n) => podOf(`${round}-${n}`, 'Running'))
      const ends = { Succeeded: 0, Failed: 0 }
      for (let turn = 0; turn < 200; turn++) {
        pods = pods.flatMap((pod) => {
          if (pod.status.phase === 'Running' && random() < 0.1) {
            const phase = random() < 0.5 ? 'Succeeded' : 'Failed'
            ends[phase] += 1
            return [{ ...pod, status: { ...pod.status, phase } }]
          }
          // Without its finalizer a pod may vanish.
          return pod.metadata.finalizers?.length === 0 && random() < 0.2 ? [] : [pod]
        })
        const counts = tally(makeJob({}, status), pods)
        expect([counts.succeeded, counts.failed]).toEqual([ends.Succeeded, ends.Failed])
        // Dying between any two writes: each is done or not.
        if (random() < 0.3) continue
        status = counts.status
        pods = pods.map((pod) => (counts.release.includes(pod) && random() < 0.5 ? released(pod) : pod))
      }
      expect(ends.Succeeded + ends.Failed).toBe(12)
      expect([status.succeeded, status.failed]).toEqual([ends.Succeeded || undefined, ends.Failed || undefined])
    }
  })

  test('counts an index once, whoever did it', () => {
    const job = makeJob({ completionMode: 'Indexed', completions: 3 }, { completedIndexes: '0' })
    const pods = [
      podOf('a', 'Succeeded', { index: 0 }),
      podOf('b', 'Succeeded', { index: 2 }),
      podOf('c', 'Succeeded', { index: 9 }),
    ]
    expect(tally(job, pods)).toMatchObject({
      succeeded: 2,
      status: { succeeded: 2, completedIndexes: '0,2' },
      release: pods,
    })
  })

  test('counts a pod that is being deleted as failed, unless its end is to be awaited', () => {
    const leaving = podOf('a', 'Running', { metadata: { finalizers, deletionTimestamp: at(1) } })
    expect(tally(makeJob(), [leaving]).failed).toBe(1)
    expect(tally(makeJob({ podReplacementPolicy: 'Failed' }), [leaving]).failed).toBe(0)
  })
})

describe('how many pods', () => {
  const running = (count: number) => Array.from({ length: count }, (_, n) => podOf(`r${n}`, 'Running'))
  const table: [string, Partial<Job['spec']>, JobStatus, Pod[], number, number][] = [
    ['as many as may run together', { completions: 5, parallelism: 3 }, {}, [], 3, 0],
    ['no more than are still needed', { completions: 5, parallelism: 3 }, { succeeded: 3 }, [], 2, 0],
    ['the missing ones', { completions: 5, parallelism: 3 }, {}, running(2), 1, 0],
    ['fewer after parallelism was lowered', { completions: 5, parallelism: 1 }, {}, running(3), 0, 2],
    ['none with parallelism 0', { completions: 5, parallelism: 0 }, {}, [], 0, 0],
    ['a work queue starts in full', { completions: undefined, parallelism: 3 }, {}, [], 3, 0],
    [
      'and is not refilled after the first success',
      { completions: undefined, parallelism: 3 },
      { succeeded: 1 },
      running(1),
      0,
      0,
    ],
    ['none while suspended', { suspend: true }, {}, [], 0, 0],
    ['those running are dismissed when suspended', { suspend: true }, {}, running(1), 0, 1],
  ]
  test.each(table)('%s', (_name, spec, status, pods, created, dismissed) => {
    const { create, dismiss } = plan(makeJob(spec, { startTime: at(0), ...status }), pods)
    expect([create.length, dismiss.length]).toEqual([created, dismissed])
  })

  test('does nothing on an old view', () => expect(plan(makeJob(), [], later, false).create).toEqual([]))

  test('waits for leaving pods where two must never run together', () => {
    const leaving = podOf('a', 'Running', { metadata: { finalizers, deletionTimestamp: at(1) } })
    expect(plan(makeJob({ podReplacementPolicy: 'Failed' }), [leaving]).create).toEqual([])
    expect(plan(makeJob(), [leaving]).create).toEqual([undefined])
  })

  test('gives each pod an index, and every index one pod', () => {
    const job = makeJob(
      { completionMode: 'Indexed', completions: 6, parallelism: 4 },
      { startTime: at(0), completedIndexes: '0' },
    )
    expect(plan(job, [podOf('a', 'Running', { index: 2 })]).create).toEqual([1, 3, 4])
    const twins = [
      podOf('a', 'Running', { index: 2 }),
      podOf('b', 'Running', { index: 2 }),
      podOf('c', 'Running', { index: 0 }),
    ]
    expect(plan(job, twins)).toMatchObject({ create: [], dismiss: ['b', 'c'] })
  })
})

describe('pauses after failures', () => {
  const failedAt = (seconds: number) =>
    podOf(`f${seconds}`, 'Failed', { metadata: { finalizers: [], creationTimestamp: at(seconds) } })
  test.each([
    [[], 0, 0],
    [[failedAt(0)], 4, 6000],
    [[failedAt(0)], 10, 0],
    [[failedAt(0), failedAt(10)], 10, 20_000],
    [Array.from({ length: 20 }, (_, n) => failedAt(n)), 19, 600_000],
    [[failedAt(0), podOf('ok', 'Succeeded', { metadata: { creationTimestamp: at(5) } }), failedAt(9)], 9, 10_000],
  ])('case %#', (pods, seconds, expected) => expect(backoffMs(pods, epoch + seconds * 1000)).toBe(expected))

  test('holds back new pods', () => {
    const job = makeJob({}, { startTime: at(0), failed: 1 })
    expect(plan(job, [failedAt(0)], epoch + 4000)).toMatchObject({ create: [], requeueAfterMs: 6000 })
  })
})

describe('the end', () => {
  test('comes when enough have succeeded', () => {
    const result = plan(makeJob({}, { startTime: at(0), succeeded: 1 }), [])
    expect(result.conditions).toEqual([
      'SuccessCriteriaMet=True CompletionsReached',
      'Complete=True CompletionsReached',
    ])
    expect(result.status.completionTime).toBe(at(3600))
    expect(result.events).toEqual([{ type: 'Normal', reason: 'Completed', message: 'Job completed' }])
  })

  test('waits until everything is counted', () => {
    const result = plan(makeJob(), [podOf('a', 'Succeeded')])
    expect(result.conditions).toEqual(['SuccessCriteriaMet=True CompletionsReached'])
  })

  test('comes after too many failures, once the others are gone', () => {
    const job = makeJob({ backoffLimit: 1, completions: 5, parallelism: 2 }, { startTime: at(0), failed: 2 })
    const failing = plan(job, [podOf('a', 'Running')])
    expect(failing).toMatchObject({ end: ['a'], create: [], conditions: ['FailureTarget=True BackoffLimitExceeded'] })
    const leaving = podOf('a', 'Running', { metadata: { deletionTimestamp: at(1), finalizers: [] } })
    expect(plan({ ...job, status: failing.status }, [leaving]).conditions).toHaveLength(1)
    const over = plan({ ...job, status: failing.status }, [])
    expect(over.conditions).toEqual(['FailureTarget=True BackoffLimitExceeded', 'Failed=True BackoffLimitExceeded'])
    expect(over.events).toMatchObject([{ type: 'Warning', reason: 'BackoffLimitExceeded' }])
    expect(over.status.completionTime).toBeUndefined()
  })

  test('comes with the deadline, which is looked out for', () => {
    const job = makeJob({ activeDeadlineSeconds: 60 })
    expect(plan(job, [podOf('a', 'Running')], epoch + 20_000).requeueAfterMs).toBe(40_000)
    expect(plan(job, [podOf('a', 'Running')], epoch + 60_000).conditions).toEqual([
      'FailureTarget=True DeadlineExceeded',
    ])
  })

  test('comes after too many restarts in place', () => {
    const template = { spec: { containers: [{ name: 'c' }], restartPolicy: 'OnFailure' } }
    const restarting = (restarts: number) =>
      plan(makeJob({ template, backoffLimit: 3 }), [podOf('a', 'Running', { restarts })])
    expect(restarting(2).conditions).toEqual([])
    expect(restarting(3).conditions).toEqual(['FailureTarget=True BackoffLimitExceeded'])
  })

  test('comes when every index is over and one has failed', () => {
    const spec = { completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimitPerIndex: 0 }
    const job = makeJob(spec, { startTime: at(0), completedIndexes: '0' })
    const failing = plan(job, [podOf('a', 'Failed', { index: 1 })])
    expect(failing.conditions).toEqual(['FailureTarget=True FailedIndexes'])
    expect(failing.status).toMatchObject({ completedIndexes: '0', failedIndexes: '1' })
  })

  test('comes early with a success policy, and the rest is ended', () => {
    const successPolicy = { rules: [{ succeededIndexes: '0' }] }
    const spec = { completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy }
    const result = plan(makeJob(spec), [podOf('a', 'Succeeded', { index: 0 }), podOf('b', 'Running', { index: 1 })])
    expect(result).toMatchObject({ end: ['b'], conditions: ['SuccessCriteriaMet=True SuccessPolicy'] })
  })
})

describe('suspending', () => {
  test('is told, and so is resuming, which starts the clock anew', () => {
    const suspended = plan(makeJob({ suspend: true }, {}), [])
    expect(suspended.conditions).toEqual(['Suspended=True JobSuspended'])
    expect(suspended.status.startTime).toBeUndefined()
    const resumed = plan(makeJob({}, { ...suspended.status, startTime: at(0) }), [])
    expect(resumed.conditions).toEqual(['Suspended=False JobResumed'])
    expect(resumed.status.startTime).toBe(at(3600))
    expect(plan(makeJob({}, resumed.status), []).events).toEqual([])
  })
})

describe('judgeFailure', () => {
  const failed = podOf('a', 'Failed')
  failed.status.containerStatuses = [
    { name: 'c', image: '', imageID: '', ready: false, restartCount: 0, state: { terminated: { exitCode: 42 } } },
  ]
  failed.status.conditions = [{ type: 'DisruptionTarget', status: 'True' }]
  const exit = (operator: string, values: number[], action: string, containerName?: string) => ({
    action,
    onExitCodes: { operator, values, ...(containerName ? { containerName } : {}) },
  })
  test.each([
    [[], 'Count'],
    [[exit('In', [42], 'FailJob')], 'FailJob'],
    [[exit('NotIn', [42], 'FailJob')], 'Count'],
    [[exit('NotIn', [1], 'FailIndex')], 'FailIndex'],
    [[exit('In', [42], 'FailJob', 'other')], 'Count'],
    [
      [
        exit('In', [1], 'FailJob'),
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      ],
      'Ignore',
    ],
  ])('rules %#: %s', (rules, action) => {
    expect(judgeFailure(makeJob({ podFailurePolicy: { rules } }), failed).action).toBe(action)
  })

  test('tells which rule it was, and ends the Job', () => {
    const podFailurePolicy = { rules: [exit('In', [42], 'FailJob')] }
    const { conditions, status } = plan(makeJob({ podFailurePolicy }), [failed])
    expect(conditions).toEqual(['FailureTarget=True PodFailurePolicy'])
    expect(status.conditions?.[0]?.message).toBe(
      'Container c for pod default/a failed with exit code 42 matching FailJob rule at index 0',
    )
  })

  test('does not count what is to be ignored', () => {
    const podFailurePolicy = { rules: [exit('In', [42], 'Ignore')] }
    expect(tally(makeJob({ podFailurePolicy }), [failed])).toMatchObject({
      failed: 0,
      release: [failed],
      isCounting: false,
    })
  })
})

describe('jobPod', () => {
  test('is held until it is counted, and knows its index', () => {
    const { metadata, spec } = jobPod(makeJob({ backoffLimitPerIndex: 1 }), 3, 1)
    expect(metadata).toMatchObject({
      generateName: 'work-3-',
      finalizers: [trackingFinalizer],
      labels: { [indexAnnotation]: '3' },
      annotations: { [indexAnnotation]: '3', 'batch.kubernetes.io/job-index-failure-count': '1' },
    })
    expect(spec?.hostname).toBe('work-3')
    expect(spec?.containers[0]?.env?.[0]?.name).toBe('JOB_COMPLETION_INDEX')
    expect(jobPod(makeJob(), undefined, 0).spec).not.toHaveProperty('hostname')
  })
})

describe('timeLeftMs', () => {
  const ended = [{ type: 'Complete', status: 'True', lastTransitionTime: at(10) }]
  test.each([
    [makeJob({ ttlSecondsAfterFinished: 60 }, { conditions: ended }), 40_000],
    [makeJob({ ttlSecondsAfterFinished: 0 }, { conditions: ended }), -20_000],
    [makeJob({}, { conditions: ended }), undefined],
    [makeJob({ ttlSecondsAfterFinished: 60 }), undefined],
  ])('case %#', (job, expected) => expect(timeLeftMs(job, epoch + 30_000)).toBe(expected))
})
