import { describe, expect, it } from 'vitest'
import type { CronJob, CronJobStatus, Job } from '@dinghy/shared/api/types'
import { metaOf } from '../children/testing.ts'
import { expiredJobs, jobNameFor, planCronJob } from './cron-job-plan.ts'
import { parseSchedule } from './cron-schedule.ts'
import { isTimeZone } from './wall-clock.ts'

/** The next times after `from`, in UTC, without the year where it stays the same. */
function times(schedule: string, from: string, count: number, zone = 'UTC'): string[] {
  const parsed = parseSchedule(schedule)
  const found: string[] = []
  let time: number | undefined = Date.parse(from)
  while (found.length < count) {
    time = parsed.next(time, zone)
    if (time === undefined) break
    found.push(new Date(time).toISOString().slice(0, 16))
  }
  return found
}

describe('schedules', () => {
  // 2025-01-01 is a Wednesday.
  it.each([
    ['*/20 * * * *', ['2025-01-01T00:20', '2025-01-01T00:40', '2025-01-01T01:00']],
    ['5 4 * * *', ['2025-01-01T04:05', '2025-01-02T04:05']],
    ['0 9-17/4 * * MON-FRI', ['2025-01-01T09:00', '2025-01-01T13:00', '2025-01-01T17:00', '2025-01-02T09:00']],
    ['0 0 1 */6 *', ['2025-07-01T00:00', '2026-01-01T00:00']],
    ['0 0 31 * *', ['2025-01-31T00:00', '2025-03-31T00:00']],
    ['0 0 29 2 *', ['2028-02-29T00:00']],
    ['0 0 30 2 *', []],
    ['30 12 ? jan,Mar sun', ['2025-01-05T12:30', '2025-01-12T12:30']],
    ['0 0 13 * FRI', ['2025-01-03T00:00', '2025-01-10T00:00', '2025-01-13T00:00']],
    ['0 0 * * FRI', ['2025-01-03T00:00', '2025-01-10T00:00']],
    ['0 0 */10 * FRI', ['2025-01-03T00:00', '2025-01-10T00:00', '2025-01-11T00:00']],
    ['50/5 23 * * *', ['2025-01-01T23:50', '2025-01-01T23:55', '2025-01-02T23:50']],
    ['@hourly', ['2025-01-01T01:00', '2025-01-01T02:00']],
    ['@weekly', ['2025-01-05T00:00']],
    ['@every 90m', ['2025-01-01T01:30', '2025-01-01T03:00']],
  ])('%s', (schedule, expected) => {
    expect(times(schedule, '2025-01-01T00:00:00Z', expected.length || 1)).toEqual(expected)
  })

  it.each([
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 7',
    '5-1 * * * *',
    '*/0 * * * *',
    '1-2-3 * * * *',
    'x * * * *',
    '*/5/5 * * * *',
    '@fortnightly',
    '@every soon',
  ])('%s is refused', (schedule) => expect(() => parseSchedule(schedule)).toThrow(RangeError))

  it('begins with the minute after', () => {
    expect(times('* * * * *', '2025-01-01T00:00:00Z', 1)).toEqual(['2025-01-01T00:01'])
    expect(times('* * * * *', '2025-01-01T00:00:59.999Z', 1)).toEqual(['2025-01-01T00:01'])
  })

  describe('in a time zone', () => {
    it('means the time on its walls', () => {
      expect(times('30 9 * * *', '2025-01-01T00:00:00Z', 1, 'Asia/Kolkata')).toEqual(['2025-01-01T04:00'])
      expect(times('0 0 * * *', '2025-01-01T12:00:00Z', 2, 'America/New_York')).toEqual([
        '2025-01-02T05:00',
        '2025-01-03T05:00',
      ])
    })

    it('skips what the change to summer time skips', () => {
      // Berlin, 2025-03-30: 02:00 becomes 03:00.
      expect(times('30 2 * * *', '2025-03-29T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
        '2025-03-31T00:30',
        '2025-04-01T00:30',
      ])
      expect(times('0 4 * * *', '2025-03-29T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
        '2025-03-30T02:00',
        '2025-03-31T02:00',
      ])
    })

    it('runs every hour of a day of 25 hours', () => {
      expect(times('0 * * * *', '2025-10-26T00:30:00Z', 3, 'Europe/Berlin')).toEqual([
        '2025-10-26T01:00',
        '2025-10-26T02:00',
        '2025-10-26T03:00',
      ])
      expect(times('0 12 * * *', '2025-10-25T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
        '2025-10-26T11:00',
        '2025-10-27T11:00',
      ])
    })

    it('finds the first minute of a day where there is no midnight', () => {
      // Beirut, 2025-03-30: 00:00 becomes 01:00.
      expect(times('* * 30 3 *', '2025-03-29T12:00:00Z', 1, 'Asia/Beirut')).toEqual(['2025-03-29T22:00'])
      expect(times('0 1 * * *', '2025-03-29T12:00:00Z', 2, 'Asia/Beirut')).toEqual([
        '2025-03-29T22:00',
        '2025-03-30T22:00',
      ])
    })

    it('knows which exist', () => {
      expect(isTimeZone('Europe/Berlin')).toBe(true)
      expect(isTimeZone('Europe/Atlantis')).toBe(false)
    })
  })
})

const start = Date.parse('2025-01-01T00:00:00Z')
const minutes = (count: number) => start + count * 60_000

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
    const { start, replace, refusal, warning, requeueAfterMs } = planCronJob(
      cronJob,
      parseSchedule(cronJob.spec.schedule),
      jobs,
      minutes(minute),
    )
    return {
      start: start === undefined ? undefined : (start - minutes(0)) / 60_000,
      replace: replace.map(({ metadata }) => metadata.name),
      refusal: refusal?.reason,
      warning: warning?.reason,
      nextMinutes: (requeueAfterMs ?? NaN) / 60_000,
    }
  }
  const nothing = { start: undefined, replace: [], refusal: undefined, warning: undefined }

  it('waits for its time', () => expect(plan(makeCronJob(), [], 4)).toEqual({ ...nothing, nextMinutes: 6 }))

  it('starts when it has come', () => {
    expect(plan(makeCronJob(), [], 10)).toEqual({ ...nothing, start: 10, nextMinutes: 10 })
  })

  it('starts only the last of those it missed', () => expect(plan(makeCronJob(), [], 47).start).toBe(40))

  it('counts from the last time that was done', () => {
    const done = { lastScheduleTime: '2025-01-01T00:40:00Z' }
    expect(plan(makeCronJob({}, done), [], 47).start).toBeUndefined()
    expect(plan(makeCronJob({}, done), [], 52).start).toBe(50)
  })

  it('starts nothing twice, even before the status says so', () => {
    const cronJob = makeCronJob()
    expect(plan(cronJob, [makeJob(cronJob, 40)], 47).start).toBeUndefined()
  })

  it('is too late after the deadline', () => {
    expect(plan(makeCronJob({ startingDeadlineSeconds: 600 }), [], 49).start).toBe(40)
    expect(plan(makeCronJob({ schedule: '0 * * * *', startingDeadlineSeconds: 60 }), [], 62)).toMatchObject(nothing)
  })

  it('warns when it has missed very many', () => {
    expect(plan(makeCronJob({ schedule: '* * * * *' }), [], 100).warning).toBeUndefined()
    expect(plan(makeCronJob({ schedule: '* * * * *' }), [], 101)).toMatchObject({
      start: 101,
      warning: 'TooManyMissedTimes',
    })
    expect(plan(makeCronJob({ schedule: '* * * * *' }), [], 60 * 24 * 365 * 3)).toMatchObject({
      start: 60 * 24 * 365 * 3,
    })
  })

  describe('while the last one still runs', () => {
    const cases: [string, Partial<ReturnType<typeof plan>>][] = [
      ['Allow', { start: 20, replace: [] }],
      ['Forbid', { start: undefined, refusal: 'JobAlreadyActive' }],
      ['Replace', { start: 20, replace: ['report-28928170'] }],
    ]
    it.each(cases)('%s', (concurrencyPolicy, expected) => {
      const cronJob = makeCronJob({ concurrencyPolicy })
      expect(plan(cronJob, [makeJob(cronJob, 0, 'Complete'), makeJob(cronJob, 10)], 20)).toMatchObject(expected)
    })
  })
})

describe('expiredJobs', () => {
  const cronJob = makeCronJob({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 })
  const jobs = [50, 10, 30, 20].map((minute) => makeJob(cronJob, minute, 'Complete'))
  const more = [makeJob(cronJob, 40, 'Failed'), makeJob(cronJob, 60)]

  it('are the oldest beyond the limits, failed and successful ones apart; never running ones', () => {
    const names = expiredJobs(cronJob, [...jobs, ...more]).map(({ metadata }) => metadata.name)
    expect(names).toEqual([10, 20, 40].map((minute) => jobNameFor(cronJob, minutes(minute))))
  })

  it('by default three and one are kept', () => {
    expect(expiredJobs(makeCronJob(), [...jobs, ...more])).toEqual([jobs[1]])
  })
})
