/**
 * What to do about a claim. Pure.
 *
 *     not bound yet    a volume fits ─► bind · none does ─► have one made, or wait
 *     bound            finish the binding if it is half done · its volume is gone or another's ─► lost
 *
 * A binding is written on both sides, volume first, so a half-done one can be told from none: the volume names the claim.
 * A claim that was bound once is never given another volume; its data is in the first one. Follows pv_controller.go.
 */

import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { findVolume, fits, isForClaim } from './claim-matching.ts'

export const bindCompleted = 'pv.kubernetes.io/bind-completed'
export const boundByController = 'pv.kubernetes.io/bound-by-controller'
export const provisionedBy = 'pv.kubernetes.io/provisioned-by'
export const storageProvisioner = 'volume.kubernetes.io/storage-provisioner'
/** Written by the scheduler when it knows the node of the claim's first pod. */
export const selectedNode = 'volume.kubernetes.io/selected-node'
/** The provisioner of this controller: directories of this machine. */
export const ownProvisioner = 'dinghy.dev/host-path'

export interface Notice {
  type: 'Normal' | 'Warning'
  reason: string
  message: string
}

export type ClaimStep =
  | { do: 'bind'; volume: PersistentVolume }
  | { do: 'provision'; storageClass: StorageClass }
  | { do: 'wait'; notice: Notice }
  | { do: 'lose'; notice: Notice }

export interface ClaimWorld {
  claim: PersistentVolumeClaim
  volumes: PersistentVolume[]
  /** That the claim names, if it exists. */
  storageClass: StorageClass | undefined
  /** Whether volumes of our own provisioner can be made here. */
  canProvision: boolean
}

export function planClaim(world: ClaimWorld): ClaimStep {
  const { claim, volumes } = world
  const named = volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName)
  if (claim.metadata.annotations?.[bindCompleted] !== undefined) return keepBound(claim, named)
  return claim.spec.volumeName ? bindNamed(claim, named) : findOrMake(world)
}

function keepBound(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ClaimStep {
  const lost = (reason: string, message: string): ClaimStep => ({
    do: 'lose',
    notice: { type: 'Warning', reason, message },
  })
  if (!claim.spec.volumeName) {
    return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!')
  }
  if (!volume) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!')
  if (volume.spec.claimRef && !isForClaim(volume, claim)) {
    return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly')
  }
  return { do: 'bind', volume }
}

/** The user has chosen the volume. */
function bindNamed(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ClaimStep {
  const name = claim.spec.volumeName
  if (!volume) return wait('FailedBinding', `volume "${name}" does not exist`)
  if (volume.spec.claimRef && !isForClaim(volume, claim)) {
    return wait('FailedBinding', `volume "${name}" already bound to a different claim.`)
  }
  if (!fits(volume, claim)) return wait('VolumeMismatch', `Cannot bind to requested volume "${name}": it does not fit`)
  return { do: 'bind', volume }
}

function findOrMake({ claim, volumes, storageClass, canProvision }: ClaimWorld): ClaimStep {
  const waitsForPod = storageClass?.volumeBindingMode === 'WaitForFirstConsumer'
  const isNodeKnown = claim.metadata.annotations?.[selectedNode] !== undefined
  // Until a pod's node is known only a volume that was reserved for the claim is certain to be in the right place.
  const candidates = waitsForPod ? volumes.filter((volume) => isForClaim(volume, claim)) : volumes
  const volume = findVolume(claim, candidates)
  if (volume) return { do: 'bind', volume }
  if (waitsForPod && !isNodeKnown) {
    return wait('WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
  }
  const className = claim.spec.storageClassName ?? ''
  if (className === '') {
    return wait('FailedBinding', 'no persistent volumes available for this claim and no storage class is set')
  }
  if (!storageClass) {
    const notice = {
      type: 'Warning',
      reason: 'ProvisioningFailed',
      message: `storageclass.storage.k8s.io "${className}" not found`,
    } as const
    return { do: 'wait', notice }
  }
  return make(storageClass, canProvision)
}

function make(storageClass: StorageClass, canProvision: boolean): ClaimStep {
  const { provisioner } = storageClass
  if (provisioner === ownProvisioner && canProvision) return { do: 'provision', storageClass }
  if (provisioner === 'kubernetes.io/no-provisioner') {
    return wait('FailedBinding', 'no persistent volumes available for this claim and its storage class makes none')
  }
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system ` +
    'administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.'
  return wait('ExternalProvisioning', message)
}

function wait(reason: string, message: string): ClaimStep {
  return { do: 'wait', notice: { type: reason === 'VolumeMismatch' ? 'Warning' : 'Normal', reason, message } }
}
