/**
 * The few questions that every workload controller asks about a pod. All pure; `now` is in milliseconds.
 *
 * Follows podutil in Kubernetes: a pod is *ready* when its Ready condition says so, and *available* once it has been
 * ready for minReadySeconds without a break. That span is what lets a rollout notice a version that starts and then
 * dies.
 */

import type { Pod } from '@dinghy/shared/api/types'

/** Neither finished nor on its way out: it counts towards the replicas. */
export function isPodActive(pod: Pod): boolean {
  return !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined
}

/** All its containers have ended for good. */
export function isPodTerminal(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed'
}

export function isPodReady(pod: Pod): boolean {
  return readyCondition(pod)?.status === 'True'
}

/** When the pod became ready; undefined while it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  const condition = readyCondition(pod)
  if (condition?.status !== 'True' || condition.lastTransitionTime === undefined) return undefined
  return Date.parse(condition.lastTransitionTime)
}

export function isPodAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  return availableInMs(pod, minReadySeconds, now) === 0
}

/** How long until this pod is available if it stays ready: 0 when it already is, undefined while it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isPodReady(pod)) return undefined
  if (minReadySeconds === 0) return 0
  const since = readySinceMs(pod)
  if (since === undefined) return undefined
  return Math.max(0, since + minReadySeconds * 1000 - now)
}

/**
 * When the first of the ready but not yet available pods becomes available; undefined when there is none to wait for.
 */
export function nextAvailabilityInMs(pods: Pod[], minReadySeconds: number, now: number): number | undefined {
  const waits = pods.map((pod) => availableInMs(pod, minReadySeconds, now)).filter((ms) => ms !== undefined && ms > 0)
  return waits.length === 0 ? undefined : Math.min(...(waits as number[]))
}

function readyCondition(pod: Pod) {
  return pod.status.conditions?.find((condition) => condition.type === 'Ready')
}
