/**
 * What the binder does about a claim. Pure.
 *
 *     not bound yet    a volume fits ─► bind · none does ─► say who is to make one, or wait
 *     bound            finish the binding if it is half done · its volume is gone or another's ─► lost
 *
 * A binding is written on both sides, volume first, so a half-done one can be told from none: the volume names the
 * claim. A claim that was bound once is never given another volume; its data is in the first one. Follows
 * pv_controller.go.
 */

import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@dinghy/shared/api/types'
import { findVolume, isForClaim, misfit } from '@dinghy/shared/api/volume-matching'
import { isPodTerminal } from '../children/pod-state.ts'
import { annotations } from './names.ts'

interface Notice {
  type: 'Normal' | 'Warning'
  reason: string
  message: string
}

export type ClaimStep =
  | { do: 'bind'; volume: PersistentVolume }
  /** Somebody else's work; they wait for the claim to be annotated with their name. */
  | { do: 'request'; provisioner: string; notice: Notice }
  | { do: 'wait'; notice: Notice }
  | { do: 'lose'; notice: Notice }

export interface ClaimWorld {
  claim: PersistentVolumeClaim
  volumes: PersistentVolume[]
  /** That the claim names, if it exists. */
  storageClass: StorageClass | undefined
  /** Those that name the claim. */
  pods: Pod[]
}

export function planClaim(world: ClaimWorld): ClaimStep {
  const { claim, volumes } = world
  const named = volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName)
  if (claim.metadata.annotations?.[annotations.bindCompleted] !== undefined) return keepBound(claim, named)
  return claim.spec.volumeName ? bindNamed(claim, named) : findOrRequest(world)
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
  if (!volume) return wait('Warning', 'FailedBinding', `volume "${name}" does not exist`)
  if (volume.spec.claimRef && !isForClaim(volume, claim)) {
    return wait('Warning', 'FailedBinding', `volume "${name}" already bound to a different claim.`)
  }
  const fault = misfit(volume, claim)
  if (fault !== undefined)
    return wait('Warning', 'VolumeMismatch', `Cannot bind to requested volume "${name}": ${fault}`)
  return { do: 'bind', volume }
}

function findOrRequest({ claim, volumes, storageClass, pods }: ClaimWorld): ClaimStep {
  const waitsForPod = storageClass?.volumeBindingMode === 'WaitForFirstConsumer'
  const isNodeKnown = claim.metadata.annotations?.[annotations.selectedNode] !== undefined
  // Which volume is in the right place only the scheduler can tell; it reserves that one for the claim.
  const candidates = waitsForPod ? volumes.filter((volume) => isForClaim(volume, claim)) : volumes
  const volume = findVolume(claim, candidates)
  if (volume) return { do: 'bind', volume }
  if (waitsForPod && !isNodeKnown) return waitForPod(pods)
  const className = claim.spec.storageClassName ?? ''
  if (className === '') {
    const message = 'no persistent volumes available for this claim and no storage class is set'
    return wait('Normal', 'FailedBinding', message)
  }
  if (!storageClass) {
    return wait('Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${className}" not found`)
  }
  return request(storageClass)
}

function waitForPod(pods: Pod[]): ClaimStep {
  const unscheduled = pods.filter((pod) => !pod.spec.nodeName && !isPodTerminal(pod))
  if (unscheduled.length === 0) {
    return wait('Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
  }
  const names = unscheduled.map(({ metadata }) => metadata.name).sort()
  const message = `waiting for ${names.length > 1 ? 'pods' : 'pod'} ${names.join(',')} to be scheduled`
  return wait('Normal', 'WaitForPodScheduled', message)
}

function request({ provisioner }: StorageClass): ClaimStep {
  // These would be part of the controller manager itself, and there are none: kubernetes.io/no-provisioner says so.
  if (provisioner.startsWith('kubernetes.io/')) {
    return wait('Warning', 'ProvisioningFailed', `no volume plugin matched name: ${provisioner}`)
  }
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system ` +
    'administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.'
  return { do: 'request', provisioner, notice: { type: 'Normal', reason: 'ExternalProvisioning', message } }
}

function wait(type: Notice['type'], reason: string, message: string): ClaimStep {
  return { do: 'wait', notice: { type, reason, message } }
}
