/**
 * What a CronJob does now, and when it will do something again. Pure.
 *
 * It asks "which time was due last, and has that Job been started?", never "has a timer fired?". So a controller that
 * was away catches up: with the last missed time only, and only if startingDeadlineSeconds still allows it.
 */

import type { CronSchedule } from '@dinghy/shared/api/cron-schedule'
import type { CronJob, Job } from '@dinghy/shared/api/types'
import { resultOf } from '../job/job-outcome.ts'

export interface CronPlan {
  /** Start a Job for this scheduled time (ms). */
  start?: number
  /** Unfinished Jobs that make way (concurrencyPolicy Replace). */
  replace: Job[]
  /** What to tell: too many missed times, or why nothing is started although something is due. */
  events: { type: 'Normal' | 'Warning'; reason: string; message: string }[]
  /** undefined if there is no next time. */
  requeueAfterMs?: number
}

/** `jobs` are those that the CronJob has created and that still exist. */
export function planCronJob(cronJob: CronJob, schedule: CronSchedule, jobs: Job[], now: number): CronPlan {
  const { timeZone, concurrencyPolicy } = cronJob.spec
  const next = schedule.next(now, timeZone)
  const { last, count } = lastDue(cronJob, schedule, now)
  const plan: CronPlan = {
    replace: [],
    events: count > mostMissed ? [tooManyMissed(count)] : [],
    ...(next === undefined ? {} : { requeueAfterMs: next - now }),
  }
  if (last === undefined) return plan
  // The Job is there, though the status does not say so yet.
  if (jobs.some((job) => job.metadata.name === jobNameFor(cronJob, last))) return plan

  const active = activeJobs(jobs)
  if (concurrencyPolicy === 'Forbid' && active.length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid'
    return { ...plan, events: [...plan.events, { type: 'Normal', reason: 'JobAlreadyActive', message }] }
  }
  return { ...plan, start: last, replace: concurrencyPolicy === 'Replace' ? active : [] }
}

function tooManyMissed(count: number): CronPlan['events'][number] {
  const times = count > 1e3 ? 'more than 1000' : String(count)
  const advice = 'Set or decrease .spec.startingDeadlineSeconds or check clock skew'
  return { type: 'Warning', reason: 'TooManyMissedTimes', message: `too many missed start times: ${times}. ${advice}` }
}

/** Beyond this, missing times is no accident. */
const mostMissed = 100

/**
 * The last time that is due and not done yet, and how many there were. What startingDeadlineSeconds rules out is not
 * due.
 */
function lastDue(cronJob: CronJob, schedule: CronSchedule, now: number): { last?: number; count: number } {
  const { timeZone, startingDeadlineSeconds } = cronJob.spec
  const since = Date.parse(cronJob.status.lastScheduleTime ?? cronJob.metadata.creationTimestamp)
  const earliest = startingDeadlineSeconds === undefined ? 0 : now - startingDeadlineSeconds * 1000
  const due: { last?: number; count: number } = { count: 0 }
  let from = Math.max(since, earliest)
  for (
    let time = schedule.next(from, timeZone);
    time !== undefined && time <= now;
    time = schedule.next(time, timeZone)
  ) {
    due.last = time
    due.count += 1
    // Years of missed minutes are not worth walking through: jump close to now, and go on from there.
    if (due.count === 1000 && now - time > closeMs) time = now - closeMs
  }
  return due
}

const closeMs = 24 * 3600_000

/** One name for each scheduled time: starting twice is refused by the server. */
export function jobNameFor(cronJob: CronJob, scheduledMs: number): string {
  return `${cronJob.metadata.name}-${Math.floor(scheduledMs / 60_000)}`
}

export function activeJobs(jobs: Job[]): Job[] {
  return jobs.filter((job) => resultOf(job) === undefined && job.metadata.deletionTimestamp === undefined)
}

/** Finished Jobs beyond the history limits, oldest first. */
export function expiredJobs(cronJob: CronJob, jobs: Job[]): Job[] {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec
  const oldestFirst = [...jobs].sort(
    (a, b) => startedMs(a) - startedMs(b) || (a.metadata.name < b.metadata.name ? -1 : 1),
  )
  const ended = (type: string) => oldestFirst.filter((job) => resultOf(job)?.type === type)
  const surplus = (list: Job[], limit: number) => list.slice(0, Math.max(0, list.length - limit))
  return [
    ...surplus(ended('Complete'), successfulJobsHistoryLimit),
    ...surplus(ended('Failed'), failedJobsHistoryLimit),
  ]
}

function startedMs({ metadata, status }: Job): number {
  return Date.parse(status.startTime ?? metadata.creationTimestamp)
}
