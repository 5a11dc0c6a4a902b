/**
 * What a ReplicaSet (or ReplicationController) says about its pods. Pure: from the pods seen, the status to write.
 */

import type { Pod, ReplicaSet, ReplicationController } from '@dinghy/shared/api/types'
import { isPodAvailable, isPodReady } from '../children/pod-state.ts'

/** The two kinds that keep N identical pods; they differ in how they spell their selector. */
export type Replicated = ReplicaSet | ReplicationController
export type ReplicaStatus = ReplicaSet['status']
type Condition = NonNullable<ReplicaStatus['conditions']>[number]

/** Why the last attempt to create or delete pods did not succeed. */
export interface ReplicaFailure {
  reason: 'FailedCreate' | 'FailedDelete'
  message: string
}

/** `pods` are the active pods that the owner has claimed; `time` is now as RFC 3339, `now` in milliseconds. */
export function replicaStatus(
  owner: Replicated,
  pods: Pod[],
  failure: ReplicaFailure | undefined,
  now: number,
): ReplicaStatus {
  const minReadySeconds = owner.spec.minReadySeconds ?? 0
  const templateLabels = Object.entries(owner.spec.template?.metadata?.labels ?? {})
  const isFullyLabeled = (pod: Pod) => templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value)
  const conditions = withFailure(owner.status.conditions ?? [], failure, now)
  return {
    replicas: pods.length,
    ...nonZero('fullyLabeledReplicas', pods.filter(isFullyLabeled).length),
    ...nonZero('readyReplicas', pods.filter(isPodReady).length),
    ...nonZero('availableReplicas', pods.filter((pod) => isPodAvailable(pod, minReadySeconds, now)).length),
    observedGeneration: owner.metadata.generation ?? 0,
    ...(conditions.length > 0 ? { conditions } : {}),
  }
}

/** Go's `omitempty`: a zero count is left out of the object, as clients of the real thing see it. */
function nonZero<Name extends string>(name: Name, count: number): { [key in Name]?: number } {
  return count === 0 ? {} : ({ [name]: count } as { [key in Name]?: number })
}

function withFailure(conditions: Condition[], failure: ReplicaFailure | undefined, now: number): Condition[] {
  const others = conditions.filter((condition) => condition.type !== 'ReplicaFailure')
  if (failure === undefined) return others
  const current = conditions.find((condition) => condition.type === 'ReplicaFailure')
  // A failure that is already told keeps its first message and time, else the status would be rewritten on each retry.
  if (current?.reason === failure.reason) return conditions
  const lastTransitionTime = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
  return [...others, { type: 'ReplicaFailure', status: 'True', lastTransitionTime, ...failure }]
}
