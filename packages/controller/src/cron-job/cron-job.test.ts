import { describe, expect, test } from 'vitest'
import { parseSchedule } from '@dinghy/shared/api/cron-schedule'
import type { CronJob, CronJobStatus, Job } from '@dinghy/shared/api/types'
import { metaOf } from '../testing/objects.ts'
import { expiredJobs, jobNameFor, planCronJob } from './cron-job-plan.ts'

const start = Date.parse('2025-01-01T00:00:00Z')
function minutes(count: number) {
  return start + count * 60_000
}

function makeCronJob(spec: Partial<CronJob['spec']> = {}, status: CronJobStatus = {}): CronJob {
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: metaOf('report', { creationTimestamp: '2025-01-01T00:00:00Z' }),
    spec: { schedule: '*/10 * * * *', concurrencyPolicy: 'Allow', jobTemplate: { spec: { template: {} } }, ...spec },
    status,
  }
}

function makeJob(cronJob: CronJob, scheduledMinute: number, result?: 'Complete' | 'Failed'): Job {
  const scheduled = new Date(minutes(scheduledMinute)).toISOString()
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metaOf(jobNameFor(cronJob, minutes(scheduledMinute)), { creationTimestamp: scheduled }),
    spec: { template: {} },
    status: result ? { conditions: [{ type: result, status: 'True' }] } : {},
  }
}

describe('planCronJob', () => {
  function plan(cronJob: CronJob, jobs: Job[], minute: number) {
    const { start, replace, events, requeueAfterMs } = planCronJob(
      cronJob,
      parseSchedule(cronJob.spec.schedule),
      jobs,
      minutes(minute),
    )
    return {
      start: start === undefined ? undefined : (start - minutes(0)) / 60_000,
      replace: replace.map(({ metadata }) => metadata.name),
      told: events.map(({ reason }) => reason),
      nextMinutes: (requeueAfterMs ?? NaN) / 60_000,
    }
  }
  const nothing = { start: undefined, replace: [], told: [] as string[] }

  test('waits for its time', () => expect(plan(makeCronJob(), [], 4)).toEqual({ ...nothing, nextMinutes: 6 }))

  test('starts when it has come', () => {
    expect(plan(makeCronJob(), [], 10)).toEqual({ ...nothing, start: 10, nextMinutes: 10 })
  })

  test('starts only the last of those it missed', () => expect(plan(makeCronJob(), [], 47).start).toBe(40))

  test('counts from the last time that was done', () => {
    const done = { lastScheduleTime: '2025-01-01T00:40:00Z' }
    expect(plan(makeCronJob({}, done), [], 47).start).toBeUndefined()
    expect(plan(makeCronJob({}, done), [], 52).start).toBe(50)
  })

  test('starts nothing twice, even before the status says so', () => {
    const cronJob = makeCronJob()
    expect(plan(cronJob, [makeJob(cronJob, 40)], 47).start).toBeUndefined()
  })

  test('is too late after the deadline', () => {
    expect(plan(makeCronJob({ startingDeadlineSeconds: 600 }), [], 49).start).toBe(40)
    expect(plan(makeCronJob({ schedule: '0 * * * *', startingDeadlineSeconds: 60 }), [], 62)).toMatchObject(nothing)
  })

  test('warns when it has missed very many', () => {
    expect(plan(makeCronJob({ schedule: '* * * * *' }), [], 100).told).toEqual([])
    expect(plan(makeCronJob({ schedule: '* * * * *' }), [], 101)).toMatchObject({
      start: 101,
      told: ['TooManyMissedTimes'],
    })
    expect(plan(makeCronJob({ schedule: '* * * * *' }), [], 60 * 24 * 365 * 3)).toMatchObject({
      start: 60 * 24 * 365 * 3,
    })
  })

  describe('while the last one still runs', () => {
    const cases: [string, Partial<ReturnType<typeof plan>>][] = [
      ['Allow', { start: 20, replace: [] }],
      ['Forbid', { start: undefined, told: ['JobAlreadyActive'] }],
      ['Replace', { start: 20, replace: ['report-28928170'] }],
    ]
    test.each(cases)('%s', (concurrencyPolicy, expected) => {
      const cronJob = makeCronJob({ concurrencyPolicy })
      expect(plan(cronJob, [makeJob(cronJob, 0, 'Complete'), makeJob(cronJob, 10)], 20)).toMatchObject(expected)
    })
  })
})

describe('expiredJobs', () => {
  const cronJob = makeCronJob({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 })
  const jobs = [50, 10, 30, 20].map((minute) => makeJob(cronJob, minute, 'Complete'))
  const more = [makeJob(cronJob, 40, 'Failed'), makeJob(cronJob, 60)]

  test('are the oldest beyond the limits, failed and successful ones apart; never running ones', () => {
    const names = expiredJobs(cronJob, [...jobs, ...more]).map(({ metadata }) => metadata.name)
    expect(names).toEqual([10, 20, 40].map((minute) => jobNameFor(cronJob, minutes(minute))))
  })

  test('by default three and one are kept', () => {
    expect(expiredJobs(makeCronJob(), [...jobs, ...more])).toEqual([jobs[1]])
  })
})
