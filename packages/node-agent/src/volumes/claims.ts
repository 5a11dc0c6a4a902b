/**
 * PersistentVolumeClaims: from a pod's claim to the path on this machine that its volume stands for. The binding itself
 * is the business of the controllers; here a claim is followed to its end. Follows upstream's
 * desired_state_of_world_populator (whose errors these are) for volumes that are a path: hostPath and local.
 */

import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import { hasReason } from '@dinghy/shared/api/errors'
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'

export class ClaimError extends Error {}

export interface ClaimedPath {
  path: string
  /** A hostPath type, "" for no check. */
  type: string
}

export async function resolveClaim(
  client: ApiClient,
  pod: Pod,
  volume: Volume,
  signal: AbortSignal,
): Promise<ClaimedPath> {
  const namespace = pod.metadata.namespace ?? 'default'
  const name = claimNameOf(pod, volume)
  try {
    const claim = await client.get(PersistentVolumeClaims, { namespace, name }, {}, signal)
    checkOwner(pod, volume, claim)
    const volumeName = boundVolume(claim)
    return pathOf(await client.get(PersistentVolumes, { name: volumeName }, {}, signal))
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !(error instanceof ClaimError)) throw error
    throw new ClaimError(`error processing PVC ${namespace}/${name}: ${(error as Error).message}`, { cause: error })
  }
}

/** An ephemeral volume brings its own claim, named after pod and volume. */
function claimNameOf(pod: Pod, { name, persistentVolumeClaim }: Volume): string {
  return persistentVolumeClaim?.claimName ?? `${pod.metadata.name}-${name}`
}

/** Somebody else's claim may have the name that an ephemeral volume would get. */
function checkOwner(pod: Pod, volume: Volume, claim: PersistentVolumeClaim): void {
  if (!volume.ephemeral) return
  const isOurs = claim.metadata.ownerReferences?.some(({ uid }) => uid === pod.metadata.uid)
  if (!isOurs) throw new ClaimError('the PVC was not created for this pod')
}

function boundVolume({ metadata, spec, status }: PersistentVolumeClaim): string {
  if (metadata.deletionTimestamp) throw new ClaimError('PVC is being deleted')
  if (status.phase !== 'Bound' || !spec.volumeName) throw new ClaimError('PVC is not bound')
  return spec.volumeName
}

export function pathOf({ metadata, spec }: PersistentVolume): ClaimedPath {
  if (spec.hostPath) return { path: spec.hostPath.path, type: spec.hostPath.type ?? '' }
  if (spec.local) return { path: spec.local.path, type: 'Directory' }
  throw new ClaimError(`volume ${metadata.name} is neither hostPath nor local: this node cannot mount it`)
}
