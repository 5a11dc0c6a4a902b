/**
 * What the binder does about a volume. Pure. Follows pv_controller.go's syncVolume and reclaimVolume.
 *
 *     no claim ─────────────────────────► Available
 *     its claim names it ───────────────► Bound
 *     its claim is gone ────────────────► Released: kept (Retain), or left to whoever made it (Delete)
 *                                         Failed: to be deleted or recycled, and nobody knows how
 *     its claim took another volume ────► free again, or Released if it was made for that claim alone
 *
 * A released volume is never given to another claim by itself: the data of the first is still on it.
 */

import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { annotations } from './names.ts'

export type VolumeStep =
  | { do: 'mark'; phase: 'Available' | 'Bound' | 'Released' }
  /** The phase Failed, and an event that says why. */
  | { do: 'fail'; reason: string; message: string }
  /** Forget the claim; one that a user has named stays reserved for that name. */
  | { do: 'free' }
  /** The claim's own loop is at work on it, or nobody has to be. */
  | { do: 'nothing' }

/** `claim` is the one that the volume names, if there is one of that name. */
export function planVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumeStep {
  const { claimRef, persistentVolumeReclaimPolicy } = volume.spec
  if (!claimRef?.uid) return { do: 'mark', phase: 'Available' }
  if (claim?.metadata.uid !== claimRef.uid) return reclaim(volume)
  if (claim.spec.volumeName === volume.metadata.name) return { do: 'mark', phase: 'Bound' }
  if (!claim.spec.volumeName) return { do: 'nothing' }
  const isMadeForClaim = makerOf(volume) !== undefined && persistentVolumeReclaimPolicy === 'Delete'
  return isMadeForClaim ? reclaim(volume) : { do: 'free' }
}

function reclaim(volume: PersistentVolume): VolumeStep {
  const { persistentVolumeReclaimPolicy: policy = 'Retain' } = volume.spec
  const maker = makerOf(volume)
  if (policy === 'Recycle') {
    return { do: 'fail', reason: 'VolumeFailedRecycle', message: 'No recycler plugin found for the volume!' }
  }
  // Provisioners of the controller manager itself are named kubernetes.io/…; there are none here.
  if (policy === 'Delete' && (maker === undefined || maker.startsWith('kubernetes.io/'))) {
    const { name } = volume.metadata
    const message = `error getting deleter volume plugin for volume "${name}": no deletable volume plugin matched`
    return { do: 'fail', reason: 'VolumeFailedDelete', message }
  }
  // What went wrong once stays to be seen.
  return volume.status.phase === 'Failed' ? { do: 'nothing' } : { do: 'mark', phase: 'Released' }
}

function makerOf({ metadata }: PersistentVolume): string | undefined {
  return metadata.annotations?.[annotations.provisionedBy]
}
