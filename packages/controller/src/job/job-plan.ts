/**
 * What a Job does next, and what it says. Pure.
 *
 *     count the pods that are over (job-tally.ts)
 *     ─► is it over? (job-outcome.ts)    yes: delete what still runs; when all is gone and counted, say the result
 *     ─► no: suspended? delete what runs, without counting it as failed
 *     ─► no: as many pods as parallelism and completions ask for; after failures only once a pause has passed
 */

import { setCondition } from '@dinghy/shared/api/conditions'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { Job, JobCondition, JobStatus, Pod } from '@dinghy/shared/api/types'
import { isPodActive, isPodReady } from '../children/pod-state.ts'
import { podsToDelete } from '../children/deletion-order.ts'
import { backoffMs } from './job-backoff.ts'
import { freeIndexes } from './indexes.ts'
import { deadlineInMs, verdictOn, type Verdict } from './job-outcome.ts'
import { failuresBefore, indexOf, isIndexed, isTerminating } from './job-pod.ts'
import { tally, type Tally } from './job-tally.ts'

export interface JobEvent {
  type: 'Normal' | 'Warning'
  reason: string
  message: string
}

export interface JobPlan {
  status: JobStatus
  events: JobEvent[]
  /** Pods to be created: each with its index, and with how often that index failed before. */
  create: { index: number | undefined; failures: number }[]
  /** Deleted without counting: the finalizer goes first. */
  dismiss: Pod[]
  /** Deleted, and counted like any other pod that is over. */
  end: Pod[]
  /** Lose their finalizer once the status has been written. */
  release: Pod[]
  requeueAfterMs?: number
}

/** The most pods that one pass creates or deletes. */
const burst = 500

/** `mayAct` is false while the cache has not caught up with what we did last (see Expectations). */
export function planJob(job: Job, pods: Pod[], mayAct: boolean, now: number): JobPlan {
  const counts = tally(job, pods)
  const active = pods.filter(isPodActive)
  const verdict = verdictOn(job, counts, active, now)
  const isSuspended = job.spec.suspend === true
  const isLeaving = job.metadata.deletionTimestamp !== undefined
  const plan: JobPlan = { status: {}, events: [], create: [], dismiss: [], end: [], release: counts.release }

  if (mayAct && verdict) plan.end = active
  else if (mayAct && isSuspended) plan.dismiss = active
  else if (mayAct && !isLeaving) manage(job, pods, active, counts, plan, now)
  plan.status = nextStatus(job, pods, active, counts, verdict, plan, now)

  const deadline = verdict ? undefined : deadlineInMs({ ...job, status: plan.status }, now)
  if (deadline !== undefined) plan.requeueAfterMs = Math.min(deadline, plan.requeueAfterMs ?? deadline)
  return plan
}

/** The right number of pods. One pass either deletes or creates, never both. */
function manage(job: Job, pods: Pod[], active: Pod[], counts: Tally, plan: JobPlan, now: number): void {
  const useless = isIndexed(job) ? uselessPods(job, active, counts) : []
  const wanted = wantedActive(job, active, counts)
  const others = active.filter((pod) => !useless.includes(pod))
  const surplus = Math.max(0, others.length - wanted)
  plan.dismiss = [...useless, ...podsToDelete(others, [], surplus, now).slice(0, surplus)].slice(0, burst)
  if (plan.dismiss.length > 0) return

  // Those on their way out are waited for where the user asked that two never run together.
  const leaving = job.spec.podReplacementPolicy === 'Failed' ? pods.filter(isTerminating) : []
  const missing = Math.min(burst, wanted - active.length - leaving.length)
  if (missing <= 0) return
  const pause = backoffMs(pods, now)
  if (pause > 0) {
    plan.requeueAfterMs = pause
    return
  }
  if (!isIndexed(job)) plan.create = Array.from({ length: missing }, () => ({ index: undefined, failures: 0 }))
  else {
    const taken = new Set([...active, ...leaving].map((pod) => indexOf(job, pod) ?? -1))
    const free = freeIndexes(job.spec.completions ?? 0, missing, taken, counts.completedIndexes, counts.failedIndexes)
    plan.create = free.map((index) => ({ index, failures: failuresOf(job, pods, index) }))
  }
}

function wantedActive(job: Job, active: Pod[], counts: Tally): number {
  const { completions, parallelism = 1 } = job.spec
  if (completions === undefined) return counts.succeeded > 0 ? Math.min(active.length, parallelism) : parallelism
  const left = completions - counts.succeeded - counts.failedIndexes.size
  return Math.max(0, Math.min(left, parallelism))
}

/** Pods whose index is out of range, done, or already worked on by an older pod. */
function uselessPods(job: Job, active: Pod[], counts: Tally): Pod[] {
  const taken = new Set<number>([...counts.completedIndexes, ...counts.failedIndexes])
  const oldestFirst = [...active].sort((a, b) =>
    a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp),
  )
  return oldestFirst.filter((pod) => {
    const index = indexOf(job, pod)
    if (index === undefined || taken.has(index)) return true
    taken.add(index)
    return false
  })
}

function failuresOf(job: Job, pods: Pod[], index: number): number {
  const failed = pods.filter((pod) => pod.status.phase === 'Failed' && indexOf(job, pod) === index)
  return Math.max(0, ...failed.map((pod) => failuresBefore(pod) + 1))
}

function nextStatus(
  job: Job,
  pods: Pod[],
  active: Pod[],
  counts: Tally,
  verdict: Verdict | undefined,
  plan: JobPlan,
  now: number,
): JobStatus {
  const time = rfc3339(now)
  let conditions = job.status.conditions ?? []
  const put = (condition: Omit<JobCondition, 'status'>, status = 'True') => {
    const next = { ...condition, status, lastProbeTime: time }
    const known = conditions.find(({ type }) => type === condition.type)
    if (known?.status !== status) conditions = setCondition(conditions, next, time)
  }
  const wasSuspended = conditions.some(({ type, status }) => type === 'Suspended' && status === 'True')
  const isSuspended = job.spec.suspend === true
  let { startTime, completionTime } = job.status

  if (verdict) put(verdict)
  else if (isSuspended && !wasSuspended) {
    put({ type: 'Suspended', reason: 'JobSuspended', message: 'Job suspended' })
    plan.events.push({ type: 'Normal', reason: 'Suspended', message: 'Job suspended' })
  } else if (!isSuspended && wasSuspended) {
    put({ type: 'Suspended', reason: 'JobResumed', message: 'Job resumed' }, 'False')
    plan.events.push({ type: 'Normal', reason: 'Resumed', message: 'Job resumed' })
    // The deadline counts anew.
    startTime = time
  }
  if (!isSuspended) startTime ??= time

  const terminating = pods.filter(isTerminating).length
  if (verdict && active.length === 0 && terminating === 0 && !counts.isCounting) {
    const isSuccess = verdict.type === 'SuccessCriteriaMet'
    const { reason, message } = verdict
    put({ type: isSuccess ? 'Complete' : 'Failed', reason, message })
    if (isSuccess) completionTime ??= time
    plan.events.push(
      isSuccess
        ? { type: 'Normal', reason: 'Completed', message: 'Job completed' }
        : { type: 'Warning', reason, message },
    )
  }
  return {
    ...counts.status,
    ...(active.length > 0 ? { active: active.length } : {}),
    ready: active.filter(isPodReady).length,
    terminating,
    ...(startTime === undefined ? {} : { startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
    ...(conditions.length > 0 ? { conditions } : {}),
  }
}
