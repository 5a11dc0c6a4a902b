/**
 * When a volume that we made is to be taken away, and how that is held back until its data is gone. Pure.
 *
 *   policy Delete   carries our finalizer; Released, or being deleted and its claim gone: directory, object, finalizer
 *   policy Retain   carries none (somebody changed the policy to keep the data): nobody but a person removes it
 *
 * The finalizer matters when a volume is deleted before its claim: without it the object would vanish with the claim
 * and the directory stay for ever. Follows upstream's HonorPVReclaimPolicy.
 */

import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { annotations, finalizers, hostPath } from './names.ts'

export type ReclaimStep = { do: 'delete' } | { do: 'set-finalizers'; finalizers: string[] }

/** `claim` is the one that claimRef names, if there is one of that name. */
export function planReclaim(
  { metadata, spec, status }: PersistentVolume,
  claim: PersistentVolumeClaim | undefined,
): ReclaimStep | undefined {
  if (metadata.annotations?.[annotations.provisionedBy] !== hostPath) return undefined
  const isOurs = spec.persistentVolumeReclaimPolicy === 'Delete'
  const isDeleting = metadata.deletionTimestamp !== undefined
  const present = metadata.finalizers ?? []
  const isHeld = present.includes(finalizers.provisioner)

  if (!isOurs) {
    return isHeld ? { do: 'set-finalizers', finalizers: without(present) } : undefined
  }
  if (isDeleting && !isHeld) return undefined
  if ((status.phase === 'Released' || isDeleting) && !isTheClaimOf(spec, claim, metadata.name)) return { do: 'delete' }
  return isHeld ? undefined : { do: 'set-finalizers', finalizers: [...present, finalizers.provisioner] }
}

export function without(present: readonly string[]): string[] {
  return present.filter((one) => one !== finalizers.provisioner)
}

/** A claim that has not chosen yet may still choose this one. */
function isTheClaimOf(
  { claimRef }: PersistentVolume['spec'],
  claim: PersistentVolumeClaim | undefined,
  name: string,
): boolean {
  if (claimRef === undefined || claim === undefined) return false
  if (claimRef.uid && claimRef.uid !== claim.metadata.uid) return false
  return !claim.spec.volumeName || claim.spec.volumeName === name
}
