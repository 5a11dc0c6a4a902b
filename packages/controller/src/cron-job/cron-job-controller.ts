/**
 * CronJob: a Job at given times.
 *
 *     shared/api/cron-schedule.ts   what "at given times" means
 *     shared/api/wall-clock.ts      in which time zone
 *     cron-job-plan.ts              what is due, and whether it may start
 *     cron-job-status.ts            what to tell
 *
 * There is no timer per schedule: each pass says when it wants to be called again. Follows cronjob_controllerv2.go.
 */

import { parseSchedule, type CronSchedule } from '@dinghy/shared/api/cron-schedule'
import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { messageOf } from '@dinghy/shared/api/message-of'
import { isControlledBy, ownerReferenceTo } from '@dinghy/shared/api/owners'
import { CronJobs, Jobs } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { CronJob, CronJobStatus, Draft, Job } from '@dinghy/shared/api/types'
import { isTimeZone } from '@dinghy/shared/api/wall-clock'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { childrenOf, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { isNamespaceTerminating } from '../children/pod-control.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { resultOf } from '../job/job-outcome.ts'
import { expiredJobs, jobNameFor, planCronJob } from './cron-job-plan.ts'
import { cronJobStatus, withStarted } from './cron-job-status.ts'

const name = 'cronjob-controller'
const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp'

export class CronJobController implements Controller {
  readonly #deps: ControllerDeps
  readonly #cronJobs: Informer<CronJob>
  readonly #jobs: Informer<Job>
  readonly #events: EventRecorder
  readonly #startedJobs: Expectations<Job>
  readonly #writtenStatus: Expectations<CronJob>

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#cronJobs = informers.for(CronJobs)
    this.#jobs = informers.for(Jobs)
    indexByController(this.#jobs)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
    this.#startedJobs = new Expectations(this.#jobs)
    this.#writtenStatus = new Expectations(this.#cronJobs)
  }

  async run(signal: AbortSignal): Promise<void> {
    const reconcile = (key: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(key, context)
    const options = { ...this.#deps, name, reconciles: this.#cronJobs, owns: [this.#jobs], reconcile }
    await runController(options, signal)
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const cronJob = this.#cronJobs.lister.get(key)
    if (!cronJob) {
      this.#startedJobs.forget(key)
      this.#writtenStatus.forget(key)
      return undefined
    }
    // On an old view a Job that has just been started would look as if it had gone missing.
    if (!this.#startedJobs.areMet(key) || !this.#writtenStatus.areMet(key)) return requeueAfter(expectationsRetryMs)
    const owned = childrenOf(cronJob, this.#jobs)
    this.#tellEnded(cronJob, owned)
    const status = cronJobStatus(cronJob, owned)
    for (const job of expiredJobs(cronJob, owned)) await this.#delete(cronJob, job, context)

    const schedule = this.#readSchedule(cronJob)
    const mayStart = cronJob.spec.suspend !== true && cronJob.metadata.deletionTimestamp === undefined
    if (!schedule || !mayStart) {
      await this.#writeStatus(cronJob, status, context)
      return undefined
    }
    const plan = planCronJob(cronJob, schedule, owned, this.#deps.clock.now())
    for (const { type, reason, message } of plan.events) this.#events.event(cronJob, type, reason, message)
    for (const job of plan.replace) await this.#delete(cronJob, job, context)
    const scheduledMs = plan.start
    const started = scheduledMs === undefined ? undefined : await this.#start(cronJob, scheduledMs, context)
    const isStarted = started !== undefined && scheduledMs !== undefined
    const after = isStarted ? withStarted(status, { started, replaced: plan.replace, scheduledMs }) : status
    await this.#writeStatus(cronJob, after, context)
    return requeueAfter(plan.requeueAfterMs)
  }

  /** Tells of the Jobs that have come to their end, or went missing, since the status was last written. */
  #tellEnded(cronJob: CronJob, owned: Job[]): void {
    for (const { uid, name } of cronJob.status.active ?? []) {
      const job = owned.find(({ metadata }) => metadata.uid === uid)
      if (!job) {
        this.#events.event(cronJob, 'Normal', 'MissingJob', `Active job went missing: ${name}`)
        continue
      }
      const result = resultOf(job)
      if (!result) continue
      const message = `Saw completed job: ${job.metadata.name}, condition: ${result.type}`
      this.#events.event(cronJob, 'Normal', 'SawCompletedJob', message)
    }
  }

  /** undefined, and an event that says why, if it can't be read. The server has checked it; its rules may differ. */
  #readSchedule(cronJob: CronJob): CronSchedule | undefined {
    const { schedule, timeZone } = cronJob.spec
    if (timeZone !== undefined && !isTimeZone(timeZone)) {
      this.#events.event(cronJob, 'Warning', 'UnknownTimeZone', `invalid timeZone: ${JSON.stringify(timeZone)}`)
      return undefined
    }
    try {
      return parseSchedule(schedule)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      const message = `unparseable schedule: ${JSON.stringify(schedule)} : ${error.message}`
      this.#events.event(cronJob, 'Warning', 'UnparseableSchedule', message)
      return undefined
    }
  }

  /** The Job for the scheduled time; undefined in a namespace that is going away. */
  async #start(cronJob: CronJob, scheduledMs: number, { client, signal }: ReconcileContext): Promise<Job | undefined> {
    const draft = jobFor(cronJob, scheduledMs)
    try {
      const job = await client.create(Jobs, draft, {}, signal)
      this.#startedJobs.wrote(keyOf(cronJob), job)
      this.#events.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`)
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
      this.#events.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`)
      throw error
    }
  }

  async #delete(cronJob: CronJob, { metadata }: Job, { client, signal }: ReconcileContext): Promise<void> {
    const { namespace, name, uid } = metadata
    const options = { propagationPolicy: 'Background', preconditions: { uid } } as const
    try {
      await client.delete(Jobs, { namespace, name }, options, signal)
    } catch (error) {
      if (hasReason(error, 'NotFound')) return
      if (!signal.aborted) {
        this.#events.event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${messageOf(error)}`)
      }
      throw error
    }
    this.#events.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`)
  }

  async #writeStatus(cronJob: CronJob, status: CronJobStatus, context: ReconcileContext): Promise<void> {
    const written = await writeStatus(CronJobs, cronJob, status, context)
    if (written !== cronJob) this.#writtenStatus.wrote(keyOf(cronJob), written)
  }
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
