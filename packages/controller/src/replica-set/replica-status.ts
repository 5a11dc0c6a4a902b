/**
 * What a ReplicaSet (or ReplicationController) says about its pods. Pure: from the pods seen, the status to write.
 */

import type { Pod, ReplicaSet, ReplicationController } from '@dinghy/shared/api/types'
import { isPodAvailable, isPodReady } from '../children/pod-state.ts'
import { nonZero } from '../children/status.ts'

/** The two kinds that keep N identical pods; they differ in how they spell their selector. */
export type Replicated = ReplicaSet | ReplicationController
type ReplicaStatus = ReplicaSet['status']
type Condition = NonNullable<ReplicaStatus['conditions']>[number]

/** Why the last attempt to create or delete pods did not succeed. */
export interface ReplicaFailure {
  reason: 'FailedCreate' | 'FailedDelete'
  message: string
}

/** `pods` are the active pods that the owner has claimed; `now` is in milliseconds. */
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
    // What others have written stays.
    ...owner.status,
    replicas: pods.length,
    fullyLabeledReplicas: nonZero(pods.filter(isFullyLabeled).length),
    readyReplicas: nonZero(pods.filter(isPodReady).length),
    availableReplicas: nonZero(pods.filter((pod) => isPodAvailable(pod, minReadySeconds, now)).length),
    observedGeneration: owner.metadata.generation ?? 0,
    conditions: conditions.length > 0 ? conditions : undefined,
  }
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
