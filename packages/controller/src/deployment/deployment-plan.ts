/**
 * What a Deployment does next. Pure: from the Deployment, its ReplicaSets and their pods to the ReplicaSets as they
 * should be. Acting on the difference, and calling again when something has changed, is the controller's part.
 *
 *     being deleted ──► nothing; the garbage collector takes the rest
 *     paused, resized ─► only sizes follow the Deployment; no new version is begun
 *     Recreate ───────► old ones to 0 ─► wait until their pods are gone ─► the new one, at full size
 *     RollingUpdate ──► a step of the rolling update (rolling-update.ts)
 *     complete ───────► history beyond revisionHistoryLimit is removed
 */

import { controllerOf } from '@dinghy/shared/api/owners'
import type { Deployment, Draft, Pod, ReplicaSet } from '@dinghy/shared/api/types'
import { isPodTerminal } from '../children/pod-state.ts'
import { isComplete } from './deployment-status.ts'
import { byAge, expiredHistory, findNewReplicaSet, newReplicaSet, refreshed } from './revision.ts'
import { newSizeWithin, rollingStep, type RolloutBounds } from './rolling-update.ts'
import { activeOnly, allOf, boundsOf, isResized, isRollingUpdate, resized, scaledTo, sizeOf } from './sizes.ts'

export interface DeploymentPlan {
  /** The ReplicaSet of the present template, where it already exists; as observed. */
  fresh: ReplicaSet | undefined
  /** It doesn't exist yet, and it is time. */
  create?: Draft<ReplicaSet>
  /** Those that should look different from now on, each with how it looks now. */
  update: { from: ReplicaSet; to: ReplicaSet }[]
  remove: ReplicaSet[]
  /** Only sizes follow the Deployment; its rollout, if there is one, stands still. */
  isStanding: boolean
}

/** What every part of the plan is made from. */
interface Situation {
  deployment: Deployment
  bounds: RolloutBounds
  /** The ReplicaSet of the present template, with the annotations that it should have by now. */
  fresh: ReplicaSet | undefined
  /** The others, oldest first. */
  old: ReplicaSet[]
  pods: Pod[]
}

/** The ReplicaSets as they should be, and the one to create. */
interface Step {
  create?: Draft<ReplicaSet>
  next: ReplicaSet[]
}

export function planDeployment(deployment: Deployment, replicaSets: ReplicaSet[], pods: Pod[]): DeploymentPlan {
  const observed = findNewReplicaSet(deployment, replicaSets)
  if (deployment.metadata.deletionTimestamp !== undefined) {
    return { fresh: observed, update: [], remove: [], isStanding: true }
  }
  const old = byAge(replicaSets.filter((replicaSet) => replicaSet !== observed))
  const fresh = observed && refreshed(deployment, observed, old)
  const situation = { deployment, bounds: boundsOf(deployment), fresh, old, pods }
  const isStanding = isPausedOrResized(situation)
  const { next, ...creation } = isStanding ? followSize(situation) : nextStep(situation)
  const update = changesBetween(replicaSets, next)
  const remove = historyToRemove(situation).filter((one) => !update.some(({ from }) => from === one))
  return { fresh: observed, ...creation, update, remove, isStanding }
}

function isPausedOrResized({ deployment, bounds, ...versions }: Situation): boolean {
  if (deployment.spec.paused === true) return true
  // Recreate needs no sharing out: its next step gives every ReplicaSet either nothing or all.
  return isRollingUpdate(deployment) && isResized(allOf(versions), bounds)
}

function followSize({ deployment, bounds, ...versions }: Situation): Step {
  return { next: resized(versions, bounds, deployment.status.replicas) }
}

function nextStep(situation: Situation): Step {
  return isRollingUpdate(situation.deployment) ? rollOn(situation) : recreate(situation)
}

function rollOn({ deployment, bounds, fresh, old }: Situation): Step {
  if (!fresh) {
    const total = old.reduce((sum, one) => sum + sizeOf(one), 0)
    return { create: newReplicaSet(deployment, bounds, old, newSizeWithin(bounds, 0, total)), next: old }
  }
  const active = activeOnly(old)
  const step = rollingStep(bounds, measure(fresh), active.map(measure))
  const next = active.map((one, index) => atSize(one, step.oldReplicas[index] ?? 0, bounds))
  return { next: [...next, atSize(fresh, step.newReplicas, bounds)] }
}

function recreate(situation: Situation): Step {
  const { deployment, bounds, fresh, old } = situation
  if (activeOnly(old).length > 0) return { next: allOf({ fresh, old: old.map((one) => atSize(one, 0, bounds)) }) }
  if (hasOldPods(situation)) return { next: allOf(situation) }
  if (!fresh) return { create: newReplicaSet(deployment, bounds, old, bounds.replicas), next: old }
  return { next: [atSize(fresh, bounds.replicas, bounds)] }
}

/** A pod that is being deleted still runs: two versions at once is what Recreate promises never to have. */
function hasOldPods({ fresh, old, pods }: Situation): boolean {
  if (old.some((one) => one.status.replicas > 0)) return true
  return pods.some((pod) => controllerOf(pod)?.uid !== fresh?.metadata.uid && !isPodTerminal(pod))
}

function historyToRemove({ deployment, old }: Situation): ReplicaSet[] {
  const mayForget = deployment.spec.paused === true || isComplete(deployment, deployment.status)
  return mayForget ? expiredHistory(deployment, old) : []
}

/** The ReplicaSets that should look different, as they are and as they should be. */
function changesBetween(observed: ReplicaSet[], wanted: ReplicaSet[]): DeploymentPlan['update'] {
  const byUid = new Map(observed.map((replicaSet) => [replicaSet.metadata.uid, replicaSet]))
  return wanted.flatMap((to) => {
    const from = byUid.get(to.metadata.uid)
    return from && isChanged(from, to) ? [{ from, to }] : []
  })
}

function measure(replicaSet: ReplicaSet) {
  return { replicas: sizeOf(replicaSet), available: replicaSet.status.availableReplicas ?? 0 }
}

function atSize(replicaSet: ReplicaSet, replicas: number, bounds: RolloutBounds): ReplicaSet {
  return sizeOf(replicaSet) === replicas ? replicaSet : scaledTo(replicaSet, replicas, bounds)
}

function isChanged(from: ReplicaSet, to: ReplicaSet): boolean {
  if (sizeOf(from) !== sizeOf(to) || from.spec.minReadySeconds !== to.spec.minReadySeconds) return true
  const [before, after] = [from.metadata.annotations ?? {}, to.metadata.annotations ?? {}]
  return Object.entries(after).some(([name, value]) => before[name] !== value)
}
