/**
 * What to do about a volume. Pure.
 *
 *     no claim ─────────────────────────► Available
 *     its claim names it ───────────────► Bound
 *     its claim is gone ────────────────► Released: kept (Retain), or deleted with its data (Delete)
 *     its claim took another volume ────► free again, or deleted if it was made for that claim alone
 *
 * A released volume is never given to another claim by itself: the data of the first is still on it.
 */

import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { boundByController, ownProvisioner, provisionedBy } from './claim-plan.ts'

export type VolumeStep =
  | { do: 'mark'; phase: 'Available' | 'Bound' | 'Released' }
  /** Forget the claim: we, not a user, had chosen it. */
  | { do: 'free' }
  /** The data, then the object. */
  | { do: 'delete' }
  /** The claim's own loop is at work on it. */
  | { do: 'nothing' }

/** `claim` is the one that the volume names, if there is one of that name. */
export function planVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumeStep {
  const { claimRef } = volume.spec
  if (!claimRef?.uid) return { do: 'mark', phase: 'Available' }
  if (claim?.metadata.uid !== claimRef.uid) return reclaim(volume)
  if (claim.spec.volumeName === volume.metadata.name) return { do: 'mark', phase: 'Bound' }
  if (!claim.spec.volumeName) return { do: 'nothing' }
  if (isOurs(volume)) return reclaim(volume)
  return volume.metadata.annotations?.[boundByController] === undefined ? { do: 'nothing' } : { do: 'free' }
}

/** Only what we have made ourselves do we know how to delete. */
function reclaim(volume: PersistentVolume): VolumeStep {
  const isDeleted = volume.spec.persistentVolumeReclaimPolicy === 'Delete' && isOurs(volume)
  return isDeleted ? { do: 'delete' } : { do: 'mark', phase: 'Released' }
}

export function isOurs({ metadata }: PersistentVolume): boolean {
  return metadata.annotations?.[provisionedBy] === ownProvisioner
}
