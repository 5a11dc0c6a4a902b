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

import type { Deployment, Draft, Pod, ReplicaSet } from '@dinghy/shared/api/types'
import { controllerOf } from '@dinghy/shared/api/owners'
import { isPodTerminal } from '../children/pod-state.ts'
import { isComplete } from './deployment-status.ts'
import { byAge, expiredHistory, findNewReplicaSet, newReplicaSet, refreshed } from './revision.ts'
import { newSizeWithin, rollingStep } from './rolling-update.ts'
import { activeOnly, boundsOf, isResized, isRollingUpdate, resized, scaledTo, sizeOf } from './sizes.ts'

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

export function planDeployment(deployment: Deployment, replicaSets: ReplicaSet[], pods: Pod[]): DeploymentPlan {
  const fresh = findNewReplicaSet(deployment, replicaSets)
  const old = byAge(replicaSets.filter((replicaSet) => replicaSet !== fresh))
  if (deployment.metadata.deletionTimestamp !== undefined) {
    return { fresh, update: [], remove: [], isStanding: true }
  }

  const situation = { deployment, fresh: fresh && refreshed(deployment, fresh, old), old, pods }
  const isStanding = isPausedOrResized(situation)
  const { create, next } = isStanding ? { next: resized(deployment, situation.fresh, old) } : nextStep(situation)
  const observed = new Map(replicaSets.map((replicaSet) => [replicaSet.metadata.uid, replicaSet]))
  const update = next.flatMap((to) => {
    const from = observed.get(to.metadata.uid)
    return from && isChanged(from, to) ? [{ from, to }] : []
  })
  const mayForget = deployment.spec.paused === true || isComplete(deployment, deployment.status)
  const remove = mayForget
    ? expiredHistory(deployment, old).filter((one) => !update.some(({ from }) => from === one))
    : []
  return { fresh, ...(create ? { create } : {}), update, remove, isStanding }
}

interface Situation {
  deployment: Deployment
  fresh: ReplicaSet | undefined
  /** Oldest first. */
  old: ReplicaSet[]
  pods: Pod[]
}

interface Step {
  create?: Draft<ReplicaSet>
  next: ReplicaSet[]
}

function isPausedOrResized({ deployment, fresh, old }: Situation): boolean {
  if (deployment.spec.paused === true) return true
  // Recreate needs no sharing out: its next step gives every ReplicaSet either nothing or all.
  return isRollingUpdate(deployment) && isResized(deployment, fresh ? [...old, fresh] : old)
}

function nextStep(situation: Situation): Step {
  return isRollingUpdate(situation.deployment) ? rollOn(situation) : recreate(situation)
}

function rollOn({ deployment, fresh, old }: Situation): Step {
  const bounds = boundsOf(deployment)
  if (!fresh) {
    const total = old.reduce((sum, one) => sum + sizeOf(one), 0)
    return { create: newReplicaSet(deployment, old, newSizeWithin(bounds, 0, total)), next: old }
  }
  const active = activeOnly(old)
  const step = rollingStep(bounds, measure(fresh), active.map(measure))
  const next = active.map((one, index) => atSize(deployment, one, step.oldReplicas[index] ?? 0))
  return { next: [...next, atSize(deployment, fresh, step.newReplicas)] }
}

function recreate({ deployment, fresh, old, pods }: Situation): Step {
  const all = fresh ? [...old, fresh] : old
  const active = activeOnly(old)
  if (active.length > 0)
    return { next: [...active.map((one) => scaledTo(deployment, one, 0)), ...(fresh ? [fresh] : [])] }
  if (hasOldPods(fresh, old, pods)) return { next: all }
  const { replicas } = boundsOf(deployment)
  if (!fresh) return { create: newReplicaSet(deployment, old, replicas), next: old }
  return { next: [atSize(deployment, fresh, replicas)] }
}

/** A pod that is being deleted still runs: two versions at once is what Recreate promises never to have. */
function hasOldPods(fresh: ReplicaSet | undefined, old: ReplicaSet[], pods: Pod[]): boolean {
  if (old.some((one) => one.status.replicas > 0)) return true
  return pods.some((pod) => controllerOf(pod)?.uid !== fresh?.metadata.uid && !isPodTerminal(pod))
}

function measure(replicaSet: ReplicaSet) {
  return { replicas: sizeOf(replicaSet), available: replicaSet.status.availableReplicas ?? 0 }
}

function atSize(deployment: Deployment, replicaSet: ReplicaSet, replicas: number): ReplicaSet {
  return sizeOf(replicaSet) === replicas ? replicaSet : scaledTo(deployment, replicaSet, replicas)
}

function isChanged(from: ReplicaSet, to: ReplicaSet): boolean {
  if (sizeOf(from) !== sizeOf(to) || from.spec.minReadySeconds !== to.spec.minReadySeconds) return true
  const [before, after] = [from.metadata.annotations ?? {}, to.metadata.annotations ?? {}]
  return Object.entries(after).some(([name, value]) => before[name] !== value)
}
