/**
 * The arithmetic of a rolling update: how many replicas each ReplicaSet should have after the next step. Pure.
 *
 * Two promises bound every step, for a Deployment that wants `replicas` pods:
 *
 *     surge         all ReplicaSets together never *ask for* more than  replicas + maxSurge        pods
 *     availability  at least                                            replicas - maxUnavailable  pods stay available
 *
 * A step moves one side only: first the new ReplicaSet grows into the room that the surge leaves; when it can't grow,
 * old ones shrink by as much as availability allows. Pods that are not available cost nothing, so they go first:
 * a rollout that is stuck on a broken image is thereby cheap to roll back. Whoever calls again after the pods have
 * changed gets the next step; there is no state between steps but the ReplicaSets themselves.
 *
 * Follows rolling.go and deployment_util.go of the Deployment controller.
 */

import { resolveIntOrPercent } from '../children/int-or-percent.ts'

export interface Size {
  /** What its spec asks for. */
  replicas: number
  /** How many of its pods are available, as its status says. */
  available: number
}

export interface RolloutBounds {
  /** How many pods the Deployment wants. */
  replicas: number
  /** How many more than that may exist meanwhile. */
  maxSurge: number
  /** How many of those may be missing meanwhile. */
  maxUnavailable: number
}

/** New sizes; a ReplicaSet that does not change keeps its number. */
export interface RollingStep {
  newReplicas: number
  /** In the order of the input. */
  oldReplicas: number[]
}

/** The next step. `old` is ordered oldest first: that is who shrinks first. */
export function rollingStep(bounds: RolloutBounds, fresh: Size, old: Size[]): RollingStep {
  const oldReplicas = old.map((size) => size.replicas)
  const newReplicas = newSizeWithin(bounds, fresh.replicas, sum(oldReplicas) + fresh.replicas)
  if (newReplicas !== fresh.replicas) return { newReplicas, oldReplicas }
  return { newReplicas, oldReplicas: shrinkOld(bounds, fresh, old) }
}

/** The size that the new ReplicaSet may have while `total` replicas are asked for, its own `current` included. */
export function newSizeWithin(bounds: RolloutBounds, current: number, total: number): number {
  if (current > bounds.replicas) return bounds.replicas
  const room = bounds.replicas + bounds.maxSurge - total
  if (room <= 0) return current
  return current + Math.min(room, bounds.replicas - current)
}

function shrinkOld(bounds: RolloutBounds, fresh: Size, old: Size[]): number[] {
  const sizes = old.map((size) => size.replicas)
  const minAvailable = bounds.replicas - bounds.maxUnavailable
  // New pods that are not available yet are counted as if they'll never be: they must not make room for deleting old
  // ones.
  const freshUnavailable = fresh.replicas - fresh.available
  let removable = sum(sizes) + fresh.replicas - minAvailable - freshUnavailable
  if (removable <= 0) return sizes

  old.forEach((size, index) => {
    const unavailable = size.replicas - size.available
    const removed = clamp(unavailable, 0, removable)
    sizes[index] = size.replicas - removed
    removable -= removed
  })

  let spare = sum(old.map((size) => size.available)) + fresh.available - minAvailable
  sizes.forEach((size, index) => {
    const removed = clamp(size, 0, spare)
    sizes[index] = size - removed
    spare -= removed
  })
  return sizes
}

/**
 * maxSurge and maxUnavailable as numbers. Of a percentage, surge is rounded up and unavailability down; if both come
 * out as 0 no step would ever be possible, so one pod may be unavailable then.
 */
export function resolveBounds(
  replicas: number,
  maxSurge: number | string | undefined,
  maxUnavailable: number | string | undefined,
): RolloutBounds {
  const surge = resolveIntOrPercent(maxSurge ?? 0, replicas, Math.ceil)
  const unavailable = resolveIntOrPercent(maxUnavailable ?? 0, replicas, Math.floor)
  return {
    replicas,
    maxSurge: surge,
    maxUnavailable: Math.min(replicas, surge === 0 && unavailable === 0 ? 1 : unavailable),
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(value, high))
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
