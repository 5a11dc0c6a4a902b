/**
 * How large a Deployment's ReplicaSets should be when the Deployment itself is resized. Pure.
 *
 * In the middle of a rollout several ReplicaSets are alive. Giving all new replicas to one of them would bet on that
 * version; so each gets a share in proportion to its size. To tell a resize from a rollout step, every ReplicaSet
 * carries the size that its Deployment had when it was last scaled: desired-replicas, and max-replicas with the surge.
 * Follows sync.go.
 */

import type { Deployment, ReplicaSet } from '@dinghy/shared/api/types'
import { resolveBounds, type RolloutBounds } from './rolling-update.ts'

export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas'
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas'

/**
 * A Deployment's ReplicaSets: the one of its present template, where there is one yet, and the others, oldest first.
 */
export interface Versions {
  fresh: ReplicaSet | undefined
  old: ReplicaSet[]
}

export function allOf({ fresh, old }: Versions): ReplicaSet[] {
  return fresh ? [...old, fresh] : old
}

export function isRollingUpdate(deployment: Deployment): boolean {
  return deployment.spec.strategy?.type === 'RollingUpdate'
}

/** The bounds of the Deployment's rollouts. Recreate has none to speak of: its steps are all or nothing. */
export function boundsOf(deployment: Deployment): RolloutBounds {
  const replicas = deployment.spec.replicas ?? 1
  if (!isRollingUpdate(deployment)) return { replicas, maxSurge: 0, maxUnavailable: 0 }
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {}
  return resolveBounds(replicas, maxSurge, maxUnavailable)
}

export function sizeAnnotations({ replicas, maxSurge }: RolloutBounds): Record<string, string> {
  return { [desiredReplicasAnnotation]: String(replicas), [maxReplicasAnnotation]: String(replicas + maxSurge) }
}

/** The ReplicaSet with another size, and the note of the Deployment's size beside it. */
export function scaledTo(replicaSet: ReplicaSet, replicas: number, bounds: RolloutBounds): ReplicaSet {
  const annotations = { ...replicaSet.metadata.annotations, ...sizeAnnotations(bounds) }
  return {
    ...replicaSet,
    metadata: { ...replicaSet.metadata, annotations },
    spec: { ...replicaSet.spec, replicas },
  }
}

export function sizeOf(replicaSet: ReplicaSet): number {
  return replicaSet.spec.replicas ?? 1
}

export function activeOnly(replicaSets: ReplicaSet[]): ReplicaSet[] {
  return replicaSets.filter((replicaSet) => sizeOf(replicaSet) > 0)
}

/** Whether the Deployment was resized since its ReplicaSets were last scaled. */
export function isResized(replicaSets: ReplicaSet[], { replicas }: RolloutBounds): boolean {
  return activeOnly(replicaSets).some((replicaSet) => {
    const desired = numberIn(replicaSet, desiredReplicasAnnotation)
    return desired !== undefined && desired !== replicas
  })
}

/** Every ReplicaSet at its size for the Deployment's present number of replicas; `observed` is what its status says. */
export function resized(versions: Versions, bounds: RolloutBounds, observed: number | undefined): ReplicaSet[] {
  const all = allOf(versions)
  const only = onlyActiveOrLatest(versions)
  if (only) return all.map((one) => (one === only ? scaledTo(one, bounds.replicas, bounds) : one))
  const { fresh } = versions
  if (fresh && isSaturated(fresh, bounds)) {
    return all.map((one) => (one !== fresh && sizeOf(one) > 0 ? scaledTo(one, 0, bounds) : one))
  }
  return proportionally(all, bounds, observed)
}

/** The one ReplicaSet that all replicas belong to; undefined while several are alive. */
function onlyActiveOrLatest(versions: Versions): ReplicaSet | undefined {
  const active = activeOnly(allOf(versions))
  if (active.length === 0) return versions.fresh ?? versions.old.at(-1)
  return active.length === 1 ? active[0] : undefined
}

/** All replicas are there, available, and of the new version: old ones were only waiting to go. */
function isSaturated(fresh: ReplicaSet, { replicas }: RolloutBounds): boolean {
  const desired = numberIn(fresh, desiredReplicasAnnotation)
  return sizeOf(fresh) === replicas && desired === replicas && fresh.status.availableReplicas === replicas
}

function proportionally(all: ReplicaSet[], bounds: RolloutBounds, observed: number | undefined): ReplicaSet[] {
  const { replicas, maxSurge } = bounds
  const active = activeOnly(all)
  const allowed = replicas > 0 ? replicas + maxSurge : 0
  const change = allowed - active.reduce((total, one) => total + sizeOf(one), 0)
  // The largest come first; among equals growing favours the newest, shrinking takes from the oldest.
  const sign = change > 0 ? -1 : 1
  active.sort((a, b) => sizeOf(b) - sizeOf(a) || sign * (createdMs(a) - createdMs(b)))

  let left = change
  const sizes = active.map((one) => {
    const wished = change === 0 ? 0 : share(one, bounds, observed)
    const given = change > 0 ? Math.min(wished, left) : Math.max(wished, left)
    left -= given
    return sizeOf(one) + given
  })
  // What rounding left over goes to the largest.
  if (sizes.length > 0) sizes[0] = Math.max(0, (sizes[0] ?? 0) + left)
  const sizeByUid = new Map(active.map((one, index) => [one.metadata.uid, sizes[index]]))
  return all.map((one) => {
    const size = sizeByUid.get(one.metadata.uid)
    return size === undefined ? one : scaledTo(one, size, bounds)
  })
}

/** By how much a ReplicaSet would change if it kept its part of the whole, rounded half away from zero. */
function share(replicaSet: ReplicaSet, { replicas, maxSurge }: RolloutBounds, observed: number | undefined): number {
  const size = sizeOf(replicaSet)
  if (replicas === 0) return -size
  const mostBefore = numberIn(replicaSet, maxReplicasAnnotation) || observed
  return mostBefore ? Math.round((size * (replicas + maxSurge)) / mostBefore) - size : 0
}

function numberIn(replicaSet: ReplicaSet, annotation: string): number | undefined {
  const text = replicaSet.metadata.annotations?.[annotation]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

function createdMs(replicaSet: ReplicaSet): number {
  return Date.parse(replicaSet.metadata.creationTimestamp)
}
