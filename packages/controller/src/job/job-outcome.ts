/**
 * Whether a Job is over, and how. Pure.
 *
 * The end comes in two steps, so that nobody believes a Job to be over while its pods still run: first the verdict
 * (SuccessCriteriaMet or FailureTarget), whereupon remaining pods are deleted; then, when all of them are gone and
 * counted, the result (Complete or Failed) with the reason and message of the verdict.
 */

import { getCondition } from '@dinghy/shared/api/conditions'
import type { Job, JobCondition, Pod } from '@dinghy/shared/api/types'
import { parseIndexes } from './indexes.ts'
import { isIndexed } from './job-pod.ts'
import type { Tally } from './job-tally.ts'

export interface Verdict {
  type: 'SuccessCriteriaMet' | 'FailureTarget'
  reason: string
  message: string
}

/** The condition that says a Job has ended for good. */
export function resultOf(job: Job): JobCondition | undefined {
  return job.status.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  )
}

/** `active` are the Job's active pods. A verdict that has been told is never revised. */
export function verdictOn(job: Job, counts: Tally, active: Pod[], now: number): Verdict | undefined {
  const told = ['FailureTarget', 'SuccessCriteriaMet']
    .map((type) => getCondition(job.status.conditions, type))
    .find((condition) => condition?.status === 'True')
  if (told) {
    const { type, reason = '', message = '' } = told
    return { type: type as Verdict['type'], reason, message }
  }
  return failure(job, counts, active, now) ?? success(job, counts, active)
}

/** When the deadline of a running Job comes; undefined if it has none. */
export function deadlineInMs(job: Job, now: number): number | undefined {
  const { activeDeadlineSeconds } = job.spec
  if (activeDeadlineSeconds === undefined || job.spec.suspend === true || job.status.startTime === undefined)
    return undefined
  return Date.parse(job.status.startTime) + activeDeadlineSeconds * 1000 - now
}

function failure(job: Job, counts: Tally, active: Pod[], now: number): Verdict | undefined {
  const failed = (reason: string, message: string): Verdict => ({ type: 'FailureTarget', reason, message })
  if (counts.failJob !== undefined) return failed('PodFailurePolicy', counts.failJob)
  // With a limit per index the overall one is practically infinite by default.
  const limit = job.spec.backoffLimit ?? (job.spec.backoffLimitPerIndex === undefined ? 6 : Infinity)
  if (counts.failed > limit || hasTooManyRestarts(job, active, limit)) {
    return failed('BackoffLimitExceeded', 'Job has reached the specified backoff limit')
  }
  if ((deadlineInMs(job, now) ?? 1) <= 0) {
    return failed('DeadlineExceeded', 'Job was active longer than specified deadline')
  }
  const { maxFailedIndexes, completions = 0 } = job.spec
  if (maxFailedIndexes !== undefined && counts.failedIndexes.size > maxFailedIndexes) {
    return failed('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes')
  }
  const isEveryIndexOver = counts.completedIndexes.size + counts.failedIndexes.size >= completions
  if (counts.failedIndexes.size > 0 && isEveryIndexOver) return failed('FailedIndexes', 'Job has failed indexes')
  return undefined
}

/** Containers that are restarted in place (restartPolicy OnFailure) fail without their pod ever failing. */
function hasTooManyRestarts(job: Job, active: Pod[], limit: number): boolean {
  if (job.spec.template.spec?.restartPolicy !== 'OnFailure') return false
  const statuses = active.flatMap(({ status }) => [
    ...(status.containerStatuses ?? []),
    ...(status.initContainerStatuses ?? []),
  ])
  const restarts = statuses.reduce((total, { restartCount }) => total + restartCount, 0)
  return limit === 0 ? restarts > 0 : restarts >= limit
}

function success(job: Job, counts: Tally, active: Pod[]): Verdict | undefined {
  const met = (reason: string, message: string): Verdict => ({ type: 'SuccessCriteriaMet', reason, message })
  const rule = matchedSuccessRule(job, counts.completedIndexes)
  if (rule !== undefined) return met('SuccessPolicy', `Matched rules at index ${rule}`)
  const { completions } = job.spec
  // Without a number, one success means that the work is done, and the others come to their own end.
  const isEnough = completions === undefined ? counts.succeeded > 0 : counts.succeeded >= completions
  const isDone = isEnough && active.length === 0
  return isDone ? met('CompletionsReached', 'Reached expected number of succeeded pods') : undefined
}

function matchedSuccessRule(job: Job, completed: Set<number>): number | undefined {
  if (!isIndexed(job)) return undefined
  const rules = job.spec.successPolicy?.rules ?? []
  const index = rules.findIndex(({ succeededIndexes, succeededCount }) => {
    const wanted = succeededIndexes === undefined ? completed : parseIndexes(succeededIndexes)
    const reached = [...wanted].filter((one) => completed.has(one)).length
    return (
      reached >= (succeededCount ?? wanted.size) && (succeededIndexes !== undefined || succeededCount !== undefined)
    )
  })
  return index < 0 ? undefined : index
}
