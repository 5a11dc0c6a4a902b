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
import { podsToDelete } from '../children/deletion-order.ts'
import { isPodActive, isPodReady } from '../children/pod-state.ts'
import { requeueAfter } from '../children/requeue.ts'
import { nonZero } from '../children/status.ts'
import { freeIndexes } from './indexes.ts'
import { backoffMs } from './job-backoff.ts'
import { deadlineInMs, verdictOn, type Verdict } from './job-outcome.ts'
import { failuresBefore, indexOf, isIndexed, isTerminating } from './job-pod.ts'
import { tally, type Tally } from './job-tally.ts'

interface JobEvent {
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

/** What is to happen to the Job's pods. */
type PodSteps = Pick<JobPlan, 'create' | 'dismiss' | 'end' | 'requeueAfterMs'>

const noSteps: PodSteps = { create: [], dismiss: [], end: [] }

/** Everything that the parts of the plan are made from. */
interface Situation {
  job: Job
  pods: Pod[]
  active: Pod[]
  counts: Tally
  verdict: Verdict | undefined
  now: number
}

/** `mayAct` is false while the cache has not caught up with what we did last (see Expectations). */
export function planJob(job: Job, pods: Pod[], mayAct: boolean, now: number): JobPlan {
  const counts = tally(job, pods)
  const active = pods.filter(isPodActive)
  const verdict = verdictOn(job, counts, active, now)
  const situation = { job, pods, active, counts, verdict, now }
  const steps = mayAct ? podSteps(situation) : noSteps
  const { status, events } = tellProgress(situation)
  const deadline = verdict ? undefined : deadlineInMs({ ...job, status }, now)
  const requeue = requeueAfter(steps.requeueAfterMs, deadline)
  return { status, events, ...steps, release: counts.release, ...requeue }
}

function podSteps(situation: Situation): PodSteps {
  const { job, active, verdict } = situation
  if (verdict) return { ...noSteps, end: active }
  if (job.spec.suspend === true) return { ...noSteps, dismiss: active }
  if (job.metadata.deletionTimestamp !== undefined) return noSteps
  // One pass either deletes or creates, never both.
  const dismiss = podsTooMany(situation)
  return dismiss.length > 0 ? { ...noSteps, dismiss } : replacements(situation)
}

function podsTooMany({ job, active, counts, now }: Situation): Pod[] {
  const useless = isIndexed(job) ? uselessPods(job, active, counts) : []
  const others = active.filter((pod) => !useless.includes(pod))
  const surplus = Math.max(0, others.length - wantedActive(job, active, counts))
  return [...useless, ...podsToDelete(others, [], surplus, now).slice(0, surplus)].slice(0, burst)
}

/** Pods for what is missing, once the pause after failures has passed. */
function replacements({ job, pods, active, counts, now }: Situation): PodSteps {
  // Those on their way out are waited for where the user asked that two never run together.
  const leaving = job.spec.podReplacementPolicy === 'Failed' ? pods.filter(isTerminating) : []
  const missing = Math.min(burst, wantedActive(job, active, counts) - active.length - leaving.length)
  if (missing <= 0) return noSteps
  const pause = backoffMs(pods, now)
  if (pause > 0) return { ...noSteps, requeueAfterMs: pause }
  if (!isIndexed(job)) {
    return { ...noSteps, create: Array.from({ length: missing }, () => ({ index: undefined, failures: 0 })) }
  }
  const taken = new Set([...active, ...leaving].map((pod) => indexOf(job, pod) ?? -1))
  const free = freeIndexes(job.spec.completions ?? 0, missing, taken, counts.completedIndexes, counts.failedIndexes)
  return { ...noSteps, create: free.map((index) => ({ index, failures: failuresOf(job, pods, index) })) }
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

/** The Job's status, and the events for what is new in it. */
function tellProgress(situation: Situation): Pick<JobPlan, 'status' | 'events'> {
  const { job, pods, active, counts, verdict, now } = situation
  const time = rfc3339(now)
  const terminating = pods.filter(isTerminating).length
  const isSuspended = job.spec.suspend === true
  const suspended = verdict ? undefined : suspension(job)
  const isOver = active.length === 0 && terminating === 0 && !counts.isCounting
  const result = verdict && isOver ? resultAfter(verdict) : undefined
  const conditions = [verdict && { ...verdict, status: 'True' }, suspended?.condition, result?.condition]
    .filter((condition) => condition !== undefined)
    .reduce((known, condition) => withCondition(known, condition, time), job.status.conditions ?? [])
  // After a suspension the deadline counts anew.
  const since = suspended?.condition.reason === 'JobResumed' ? time : job.status.startTime
  const startTime = isSuspended ? since : (since ?? time)
  const completionTime = job.status.completionTime ?? (result?.condition.type === 'Complete' ? time : undefined)
  return {
    status: {
      // What others have written stays.
      ...job.status,
      ...counts.status,
      active: nonZero(active.length),
      ready: active.filter(isPodReady).length,
      terminating,
      startTime,
      completionTime,
      conditions: conditions.length > 0 ? conditions : undefined,
    },
    events: [suspended?.event, result?.event].filter((event) => event !== undefined),
  }
}

/** A condition that becomes due now, and the event that goes with it. */
interface Milestone {
  condition: JobCondition
  event: JobEvent
}

/** Being suspended, or resumed, is told once. */
function suspension({ spec, status }: Job): Milestone | undefined {
  const wasSuspended = status.conditions?.some(({ type, status }) => type === 'Suspended' && status === 'True') === true
  const isSuspended = spec.suspend === true
  if (isSuspended === wasSuspended) return undefined
  const [reason, message] = isSuspended ? ['Suspended', 'Job suspended'] : ['Resumed', 'Job resumed']
  const condition = { type: 'Suspended', status: isSuspended ? 'True' : 'False', reason: `Job${reason}`, message }
  return { condition, event: { type: 'Normal', reason, message } }
}

function resultAfter({ type, reason, message }: Verdict): Milestone {
  return type === 'SuccessCriteriaMet'
    ? {
        condition: { type: 'Complete', status: 'True', reason, message },
        event: { type: 'Normal', reason: 'Completed', message: 'Job completed' },
      }
    : {
        condition: { type: 'Failed', status: 'True', reason, message },
        event: { type: 'Warning', reason, message },
      }
}

/** A condition that already has this status keeps its first reason and time. */
function withCondition(conditions: JobCondition[], next: JobCondition, time: string): JobCondition[] {
  const known = conditions.find(({ type }) => type === next.type)
  return known?.status === next.status ? conditions : setCondition(conditions, { ...next, lastProbeTime: time }, time)
}
