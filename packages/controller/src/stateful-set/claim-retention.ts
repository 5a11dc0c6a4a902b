/**
 * What becomes of the volumes: spec.persistentVolumeClaimRetentionPolicy. Pure.
 *
 * Nothing here deletes a claim. The policy is written down as ownership, and the garbage collector does the rest:
 * a claim owned by the set goes with the set; one owned by a pod that is being scaled away goes with that pod; one
 * owned by neither (the default, Retain) stays. A claim that someone else controls is left alone.
 */

import { controllerOf, ownerReferenceTo } from '@dinghy/shared/api/owners'
import { Pods, StatefulSets } from '@dinghy/shared/api/resources'
import type { OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from '@dinghy/shared/api/types'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'

/**
 * The owners that the claim should have, or undefined if it has them already. `isCondemned`: the pod is scaled away.
 */
export function retentionOwners(
  set: StatefulSet,
  pod: Pod | undefined,
  isCondemned: boolean,
  claim: PersistentVolumeClaim,
): OwnerReference[] | undefined {
  const before = claim.metadata.ownerReferences ?? []
  const ours = (owner: OwnerReference) => owner.uid === set.metadata.uid || owner.uid === pod?.metadata.uid
  const others = before.filter((owner) => !ours(owner))
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec.persistentVolumeClaimRetentionPolicy ?? {}
  const after = [...others]
  if (!controllerOf({ metadata: { ownerReferences: others } })) {
    const goesWithPod = whenScaled === 'Delete' && isCondemned && pod
    if (goesWithPod) after.push(ownerReferenceTo(pod, Pods))
    else if (whenDeleted === 'Delete') after.push(ownerReferenceTo(set, StatefulSets))
  }
  return isSemanticallyEqual(before, after) ? undefined : after
}
