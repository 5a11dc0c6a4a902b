/** What a CronJob says about its Jobs. Pure. */

import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import { Jobs } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { CronJob, CronJobStatus, Job } from '@dinghy/shared/api/types'
import { resultOf } from '../job/job-outcome.ts'
import { activeJobs } from './cron-job-plan.ts'

/** The status by the Jobs that there are. */
export function cronJobStatus({ status }: CronJob, jobs: Job[]): CronJobStatus {
  const active = activeJobs(jobs)
  const known = new Map((status.active ?? []).map((reference) => [reference.uid, reference]))
  const successes = jobs.flatMap((job) => job.status.completionTime ?? [])
  const lastSuccess = [status.lastSuccessfulTime ?? '', ...successes].sort().at(-1)
  return {
    // What others have written stays.
    ...status,
    active: active.length > 0 ? active.map((job) => known.get(job.metadata.uid) ?? referenceTo(job)) : undefined,
    ...(lastSuccess ? { lastSuccessfulTime: lastSuccess } : {}),
  }
}

/** The status after a Job was started for a scheduled time, in place of others. */
export function withStarted(
  status: CronJobStatus,
  { started, replaced, scheduledMs }: { started: Job; replaced: Job[]; scheduledMs: number },
): CronJobStatus {
  const gone = new Set([...replaced.map((job) => job.metadata.uid), started.metadata.uid])
  const others = (status.active ?? []).filter(({ uid }) => !gone.has(uid ?? ''))
  const isOver = resultOf(started) !== undefined
  return {
    ...status,
    active: isOver ? others : [...others, referenceTo(started)],
    lastScheduleTime: rfc3339(scheduledMs),
  }
}

function referenceTo(job: Job) {
  const { namespace = '', resourceVersion } = job.metadata
  const { apiVersion, kind, name, uid } = ownerReferenceTo(job, Jobs)
  return { apiVersion, kind, namespace, name, uid, resourceVersion }
}
