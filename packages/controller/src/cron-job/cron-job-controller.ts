/**
 * CronJob: a Job at given times.
 *
 *     shared/api/cron-schedule.ts   what "at given times" means
 *     shared/api/wall-clock.ts      in which time zone
 *     cron-job-plan.ts              what is due, and whether it may start
 *
 * There is no timer per schedule: each pass says when it wants to be called again. Follows cronjob_controllerv2.go.
 */

import { parseSchedule, type CronSchedule } from '@dinghy/shared/api/cron-schedule'
import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { isControlledBy, ownerReferenceTo } from '@dinghy/shared/api/owners'
import { CronJobs, Jobs } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { CronJob, CronJobStatus, Draft, Job } from '@dinghy/shared/api/types'
import { isTimeZone } from '@dinghy/shared/api/wall-clock'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { childrenOf, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { isNamespaceTerminating } from '../children/pod-control.ts'
import { messageOf } from '@dinghy/shared/api/message-of'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { ControllerDeps } from '../deps.ts'
import { resultOf } from '../job/job-outcome.ts'
import { activeJobs, expiredJobs, jobNameFor, planCronJob } from './cron-job-plan.ts'

const name = 'cronjob-controller'
const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp'

export async function startCronJobController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const cronJobs = informers.for(CronJobs)
  const jobs = informers.for(Jobs)
  indexByController(jobs)
  const events = new EventRecorder(client, { component: name, clock, log })
  const startedJobs = new Expectations(jobs)
  const writtenStatus = new Expectations(cronJobs)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const cronJob = cronJobs.lister.get(key)
    if (!cronJob) {
      startedJobs.forget(key)
      return writtenStatus.forget(key)
    }
    // On an old view a Job that has just been started would look as if it had gone missing.
    if (!startedJobs.areMet(key) || !writtenStatus.areMet(key)) return { requeueAfterMs: expectationsRetryMs }
    const owned = childrenOf(cronJob, jobs)
    const ended = noteEnded(cronJob, owned)
    for (const job of expiredJobs(cronJob, owned)) await remove(cronJob, job, signal)

    const schedule = readSchedule(cronJob)
    const mayStart = schedule && cronJob.spec.suspend !== true && cronJob.metadata.deletionTimestamp === undefined
    if (!mayStart) return await writeStatus(cronJob, ended, signal)

    const plan = planCronJob(cronJob, schedule, owned, clock.now())
    if (plan.warning) events.event(cronJob, 'Warning', plan.warning.reason, plan.warning.message)
    if (plan.refusal) events.event(cronJob, plan.refusal.type, plan.refusal.reason, plan.refusal.message)
    for (const job of plan.replace) await remove(cronJob, job, signal)
    const started = plan.start === undefined ? undefined : await start(cronJob, plan.start, signal)
    await writeStatus(cronJob, started ? withStarted(ended, plan.replace, started, plan.start ?? 0) : ended, signal)
    return plan.requeueAfterMs === undefined ? undefined : { requeueAfterMs: plan.requeueAfterMs }
  }

  /** The status by the Jobs that there are; tells of those that have come to their end since it was last written. */
  function noteEnded(cronJob: CronJob, owned: Job[]): CronJobStatus {
    const active = activeJobs(owned)
    const known = new Map((cronJob.status.active ?? []).map((reference) => [reference.uid, reference]))
    for (const job of owned) {
      const result = resultOf(job)
      if (!result || !known.has(job.metadata.uid)) continue
      const message = `Saw completed job: ${job.metadata.name}, condition: ${result.type}`
      events.event(cronJob, 'Normal', 'SawCompletedJob', message)
    }
    for (const [uid, { name }] of known) {
      if (!owned.some((job) => job.metadata.uid === uid))
        events.event(cronJob, 'Normal', 'MissingJob', `Active job went missing: ${name}`)
    }
    const successes = owned.flatMap(({ status }) => status.completionTime ?? [])
    const lastSuccess = [cronJob.status.lastSuccessfulTime ?? '', ...successes].sort().at(-1)
    const { lastScheduleTime } = cronJob.status
    return {
      ...(active.length > 0 ? { active: active.map((job) => known.get(job.metadata.uid) ?? referenceTo(job)) } : {}),
      ...(lastScheduleTime ? { lastScheduleTime } : {}),
      ...(lastSuccess ? { lastSuccessfulTime: lastSuccess } : {}),
    }
  }

  /** undefined, and an event that says why, if it can't be read. The server has checked it; its rules may differ. */
  function readSchedule(cronJob: CronJob): CronSchedule | undefined {
    const { schedule, timeZone } = cronJob.spec
    if (timeZone !== undefined && !isTimeZone(timeZone)) {
      events.event(cronJob, 'Warning', 'UnknownTimeZone', `invalid timeZone: ${JSON.stringify(timeZone)}`)
      return undefined
    }
    try {
      return parseSchedule(schedule)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      const message = `unparseable schedule: ${JSON.stringify(schedule)} : ${error.message}`
      events.event(cronJob, 'Warning', 'UnparseableSchedule', message)
      return undefined
    }
  }

  async function start(cronJob: CronJob, scheduledMs: number, signal: AbortSignal): Promise<Job | undefined> {
    const draft = jobFor(cronJob, scheduledMs)
    try {
      const job = await client.create(Jobs, draft, {}, signal)
      startedJobs.wrote(keyOf(cronJob), job)
      events.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`)
      return job
    } catch (error) {
      if (signal.aborted) throw error
      if (isNamespaceTerminating(error)) return undefined
      if (hasReason(error, 'AlreadyExists')) {
        const ref = { namespace: cronJob.metadata.namespace, name: draft.metadata.name ?? '' }
        const existing = await client.get(Jobs, ref, {}, signal)
        // Ours: created before, but the status was not written.
        if (isControlledBy(existing, cronJob)) return existing
      }
      events.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`)
      throw error
    }
  }

  async function remove(cronJob: CronJob, { metadata }: Job, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid } = metadata
    const options = { propagationPolicy: 'Background', preconditions: { uid } } as const
    try {
      await client.delete(Jobs, { namespace, name }, options, signal)
    } catch (error) {
      if (hasReason(error, 'NotFound')) return
      if (!signal.aborted) events.event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${messageOf(error)}`)
      throw error
    }
    events.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`)
  }

  async function writeStatus(cronJob: CronJob, status: CronJobStatus, signal: AbortSignal): Promise<void> {
    if (isSemanticallyEqual(status, cronJob.status)) return
    const written = await client.update(CronJobs, { ...cronJob, status }, { subresource: 'status' }, signal)
    writtenStatus.wrote(keyOf(cronJob), written)
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: cronJobs,
      owns: [jobs],
      reconcile,
    },
    signal,
  )
  events.stop()
}

function jobFor(cronJob: CronJob, scheduledMs: number): Draft<Job> {
  const { metadata, spec } = cronJob.spec.jobTemplate
  return {
    metadata: {
      name: jobNameFor(cronJob, scheduledMs),
      namespace: cronJob.metadata.namespace ?? '',
      ...(metadata?.labels ? { labels: metadata.labels } : {}),
      annotations: { ...metadata?.annotations, [scheduledAnnotation]: rfc3339(scheduledMs) },
      ownerReferences: [ownerReferenceTo(cronJob, CronJobs)],
    },
    spec: spec ?? { template: {} },
  }
}

function withStarted(status: CronJobStatus, replaced: Job[], started: Job, scheduledMs: number): CronJobStatus {
  const gone = new Set([...replaced.map((job) => job.metadata.uid), started.metadata.uid])
  const others = (status.active ?? []).filter(({ uid }) => !gone.has(uid ?? ''))
  const isOver = resultOf(started) !== undefined
  return {
    ...status,
    active: isOver ? others : [...others, referenceTo(started)],
    lastScheduleTime: rfc3339(scheduledMs),
  }
}

function referenceTo({ metadata }: Job) {
  const { namespace, name, uid, resourceVersion } = metadata
  return { apiVersion: 'batch/v1', kind: 'Job', namespace: namespace ?? '', name, uid, resourceVersion }
}
