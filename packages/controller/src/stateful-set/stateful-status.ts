/** What a StatefulSet says about itself. Pure. */

import type { Pod, StatefulSetStatus } from '@dinghy/shared/api/types'
import { isPodAvailable } from '../children/pod-state.ts'
import { nonZero } from '../children/status.ts'
import { isRunningAndReady, isTerminating, revisionOf, type StatefulWorld } from './stateful-plan.ts'

export function statefulSetStatus({
  set,
  pods,
  currentRevision,
  updateRevision,
  now,
}: StatefulWorld): StatefulSetStatus {
  const count = (isCounted: (pod: Pod) => boolean) => pods.filter(isCounted).length
  const ofRevision = (name: string) => count((pod) => !isTerminating(pod) && revisionOf(pod) === name)
  const isAvailable = (pod: Pod) => isRunningAndReady(pod) && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now)

  const ready = count(isRunningAndReady)
  const updated = ofRevision(updateRevision)
  const wanted = set.spec.replicas ?? 1
  const isRolling = set.spec.updateStrategy?.type !== 'OnDelete'
  // Once every pod is of the new revision and ready, that is the one to go back to from then on.
  const isUpdated = isRolling && updated === wanted && ready === wanted
  const current = isUpdated ? updated : ofRevision(currentRevision)
  return {
    // What others have written stays.
    ...set.status,
    observedGeneration: set.metadata.generation ?? 0,
    replicas: pods.length,
    readyReplicas: nonZero(ready),
    currentReplicas: nonZero(current),
    updatedReplicas: nonZero(updated),
    availableReplicas: count(isAvailable),
    currentRevision: isUpdated ? updateRevision : currentRevision,
    updateRevision,
    collisionCount: set.status.collisionCount ?? 0,
  }
}
