/**
 * What a Deployment tells the world about its rollout. Pure. `kubectl rollout status` and `kubectl wait` live off this.
 *
 *     Available     True while at least replicas − maxUnavailable pods are available.
 *     Progressing   the story of the rollout, by its reasons:
 *
 *         NewReplicaSetCreated ─► ReplicaSetUpdated ─► … ─► NewReplicaSetAvailable    done
 *                     │                  │
 *                     └──────────────────┴── progressDeadlineSeconds without progress ──► ProgressDeadlineExceeded
 *
 * The deadline is measured from the condition's lastUpdateTime, which every bit of progress renews.
 * A rollout that was done stays done: pods that die later make it unavailable, not "progressing".
 * Reasons, messages and the rules follow progress.go and deployment_util.go.
 */

import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '@dinghy/shared/api/types'
import { getCondition } from '@dinghy/shared/api/conditions'
import { rfc3339 } from '@dinghy/shared/api/time'
import { nonZero } from '../children/status.ts'
import { maxInt32 } from './revision.ts'
import { boundsOf } from './sizes.ts'

/** What happened in this pass to the new ReplicaSet, if anything did. */
export type NewReplicaSetNews =
  | { type: 'found' | 'created'; name: string }
  | { type: 'failed'; name: string; message: string }

export interface StatusInput {
  deployment: Deployment
  fresh: ReplicaSet | undefined
  /** All of them, the new one included. */
  replicaSets: ReplicaSet[]
  news?: NewReplicaSetNews | undefined
  /** Only sizes were followed (paused, resized, being deleted): the rollout's own story does not go on. */
  isStanding: boolean
  now: number
}

export function deploymentStatus(input: StatusInput): DeploymentStatus {
  const { deployment, replicaSets, now } = input
  let conditions = deployment.status.conditions ?? []
  const put = (next: Facts | undefined) => {
    if (next) conditions = putCondition(conditions, next, now)
  }

  put(pauseNews(deployment))
  put(newReplicaSetCondition(deployment, conditions, input.news))
  const counts = countReplicas(deployment, input.fresh, replicaSets)
  put(availability(deployment, counts))
  if (!input.isStanding) {
    conditions = progress(input, conditions, counts)
    const failure = replicaFailure(input.fresh, replicaSets)
    if (failure) put(failure)
    else conditions = without(conditions, 'ReplicaFailure')
  }
  // What others have written stays.
  return { ...deployment.status, ...counts, conditions: conditions.length > 0 ? conditions : undefined }
}

/** Every replica that is wanted is there, of the new version, and available. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = deployment.spec.replicas ?? 1
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

/** When to look again whether the deadline has passed; undefined when nothing is running against it. */
export function deadlineCheckInMs(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const current = getCondition(status.conditions, 'Progressing')
  if (!current || !hasDeadline(deployment) || isComplete(deployment, status)) return undefined
  if (current.reason === 'ProgressDeadlineExceeded' || current.reason === 'NewReplicaSetAvailable') return undefined
  if (deployment.spec.paused === true) return undefined
  return Math.max(0, deadlineMs(deployment, current) - now) + 1000
}

function countReplicas(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  replicaSets: ReplicaSet[],
): DeploymentStatus {
  const total = (of: (status: ReplicaSet['status']) => number | undefined) =>
    replicaSets.reduce((sum, { status }) => sum + (of(status) ?? 0), 0)
  const replicas = total((status) => status.replicas)
  const available = total((status) => status.availableReplicas)
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: nonZero(replicas),
    updatedReplicas: nonZero(fresh?.status.replicas ?? 0),
    readyReplicas: nonZero(total((status) => status.readyReplicas)),
    availableReplicas: nonZero(available),
    // Fewer wanted than there are: the difference is below zero and says nothing.
    unavailableReplicas: nonZero(Math.max(0, replicas - available)),
  }
}

function availability(deployment: Deployment, counts: DeploymentStatus): Facts {
  const { replicas, maxUnavailable } = boundsOf(deployment)
  const isAvailable = (counts.availableReplicas ?? 0) >= replicas - maxUnavailable
  return {
    type: 'Available',
    status: isAvailable ? 'True' : 'False',
    reason: isAvailable ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: `Deployment ${isAvailable ? 'has' : 'does not have'} minimum availability.`,
  }
}

function pauseNews(deployment: Deployment): Facts | undefined {
  const current = getCondition(deployment.status.conditions, 'Progressing')
  // A rollout that ran out of time stays so: pausing it afterwards changes nothing about that.
  if (!hasDeadline(deployment) || current?.reason === 'ProgressDeadlineExceeded') return undefined
  if (deployment.metadata.deletionTimestamp !== undefined) return undefined
  const isTold = current?.reason === 'DeploymentPaused'
  const isPaused = deployment.spec.paused === true
  if (isPaused && !isTold) return progressing('Unknown', 'DeploymentPaused', 'Deployment is paused')
  if (!isPaused && isTold) return progressing('Unknown', 'DeploymentResumed', 'Deployment is resumed')
  return undefined
}

function newReplicaSetCondition(
  deployment: Deployment,
  conditions: DeploymentCondition[],
  news: NewReplicaSetNews | undefined,
): Facts | undefined {
  if (!news || !hasDeadline(deployment)) return undefined
  const { name } = news
  if (news.type === 'failed') {
    const message = `Failed to create new replica set "${name}": ${news.message}`
    return progressing('False', 'ReplicaSetCreateError', message)
  }
  if (news.type === 'created') return progressing('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`)
  // Found is only worth telling where nothing has been told yet.
  if (getCondition(conditions, 'Progressing')) return undefined
  return progressing('True', 'FoundNewReplicaSet', `Found new replica set "${name}"`)
}

function progress(
  input: StatusInput,
  conditions: DeploymentCondition[],
  counts: DeploymentStatus,
): DeploymentCondition[] {
  const { deployment, fresh, now } = input
  if (!hasDeadline(deployment)) return without(conditions, 'Progressing')
  const current = getCondition(conditions, 'Progressing')
  const isOnlyNew = (counts.replicas ?? 0) === (counts.updatedReplicas ?? 0)
  if (isOnlyNew && current?.reason === 'NewReplicaSetAvailable') return conditions

  const subject = fresh ? `ReplicaSet "${fresh.metadata.name}"` : `Deployment "${deployment.metadata.name}"`
  if (isComplete(deployment, counts)) {
    const done = progressing('True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`)
    return putCondition(conditions, done, now)
  }
  if (isProgressing(deployment.status, counts)) {
    const next = progressing('True', 'ReplicaSetUpdated', `${subject} is progressing.`)
    // Put anew even when it says the same, because its lastUpdateTime is what the deadline counts from.
    const since = current?.status === 'True' ? current.lastTransitionTime : undefined
    return putCondition(without(conditions, 'Progressing'), next, now, since)
  }
  if (current && hasTimedOut(deployment, current, now)) {
    const late = progressing('False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`)
    return putCondition(conditions, late, now)
  }
  return conditions
}

/** More new pods, fewer old ones, or more that are ready or available than at the last look. */
function isProgressing(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const oldOnes = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldOnes(after) < oldOnes(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

function hasTimedOut(deployment: Deployment, current: DeploymentCondition, now: number): boolean {
  if (current.reason === 'NewReplicaSetAvailable') return false
  return current.reason === 'ProgressDeadlineExceeded' || deadlineMs(deployment, current) < now
}

function deadlineMs(deployment: Deployment, current: DeploymentCondition): number {
  return Date.parse(current.lastUpdateTime ?? '') + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000
}

function hasDeadline({ spec: { progressDeadlineSeconds } }: Deployment): boolean {
  return progressDeadlineSeconds !== undefined && progressDeadlineSeconds !== maxInt32
}

/** The new ReplicaSet's trouble first; that of an old one where the new one has none. */
function replicaFailure(fresh: ReplicaSet | undefined, replicaSets: ReplicaSet[]): Facts | undefined {
  const inOrder = fresh ? [fresh, ...replicaSets.filter((one) => one !== fresh)] : replicaSets
  for (const { status } of inOrder) {
    const failure = getCondition(status.conditions, 'ReplicaFailure')
    if (failure) {
      const { type, status, reason = '', message = '' } = failure
      return { type, status, reason, message }
    }
  }
  return undefined
}

type Facts = Pick<DeploymentCondition, 'type' | 'status'> & { reason: string; message: string }

function progressing(status: string, reason: string, message: string): Facts {
  return { type: 'Progressing', status, reason, message }
}

/**
 * Unlike the general setCondition: same status and reason means "already told" (not even the message moves), what is
 * put goes to the end, and lastUpdateTime is kept beside lastTransitionTime.
 */
function putCondition(
  conditions: DeploymentCondition[],
  next: Facts,
  now: number,
  since?: string,
): DeploymentCondition[] {
  const current = getCondition(conditions, next.type)
  if (current?.status === next.status && current.reason === next.reason) return conditions
  const time = rfc3339(now)
  const kept = current?.status === next.status ? current.lastTransitionTime : since
  return [...without(conditions, next.type), { ...next, lastUpdateTime: time, lastTransitionTime: kept ?? time }]
}

function without(conditions: DeploymentCondition[], type: string): DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type)
}
