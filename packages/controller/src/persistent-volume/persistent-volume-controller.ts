/**
 * PersistentVolumes: brings claims and volumes together, has volumes made for claims, and takes back what is released.
 *
 *     claim-matching.ts   which volume suits
 *     claim-plan.ts       what to do about a claim
 *     volume-plan.ts      what to do about a volume
 *     provisioner.ts      making volumes, and removing their data
 *
 * Two loops, one over claims and one over volumes. A binding takes four writes; each is made only if it is still missing,
 * so a loop that died between two of them goes on where it was. Follows pkg/controller/volume/persistentvolume.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes, StorageClasses } from '@dinghy/shared/api/resources'
import type { KubernetesObject, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { messageOf } from '../children/pod-control.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { ControllerDeps } from '../deps.ts'
import { bindCompleted, boundByController, ownProvisioner, planClaim, storageProvisioner } from './claim-plan.ts'
import { defaultStorageClass, removeData, volumeFor } from './provisioner.ts'
import { planVolume } from './volume-plan.ts'

const name = 'persistentvolume-controller'

export async function startPersistentVolumeController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const { volumeDirectory } = deps.flags
  const client = deps.client.as(name)
  const claims = informers.for(PersistentVolumeClaims)
  const volumes = informers.for(PersistentVolumes)
  const classes = informers.for(StorageClasses)
  const events = new EventRecorder(client, { component: name, clock, log })
  const writtenVolumes = new Expectations(volumes)

  async function reconcileClaim(key: string, { signal }: ReconcileContext) {
    const claim = claims.lister.get(key)
    if (!claim) {
      writtenVolumes.forget(key)
      return undefined
    }
    if (claim.metadata.deletionTimestamp !== undefined) return undefined
    // On an old view a volume that was just made or bound would not be found, and another would be taken.
    if (!writtenVolumes.areMet(key)) return { requeueAfterMs: expectationsRetryMs }
    const step = planClaim({
      claim,
      volumes: volumes.lister.list(),
      storageClass: classes.lister.get(claim.spec.storageClassName ?? ''),
      canProvision: volumeDirectory !== undefined,
    })
    if (step.do === 'bind') await bind(claim, step.volume, signal)
    else if (step.do === 'provision') await provision(claim, step.storageClass, signal)
    else {
      const { type, reason, message } = step.notice
      const phase = step.do === 'lose' ? 'Lost' : 'Pending'
      if (claim.status.phase !== phase || step.do === 'wait') events.event(claim, type, reason, message)
      await setClaimStatus(claim, { ...claim.status, phase }, signal)
    }
    return undefined
  }

  /** The volume names the claim, says so, then the claim names the volume, and says so. */
  async function bind(claim: PersistentVolumeClaim, volume: PersistentVolume, signal: AbortSignal): Promise<void> {
    const bound = await setVolumePhase(await reserve(claim, volume, signal), 'Bound', signal)
    writtenVolumes.wrote(keyOf(claim), bound)
    const named = await nameVolume(claim, volume, signal)
    const { accessModes = [], capacity = {} } = volume.spec
    await setClaimStatus(named, { ...named.status, phase: 'Bound', accessModes, capacity }, signal)
  }

  async function reserve(claim: PersistentVolumeClaim, volume: PersistentVolume, signal: AbortSignal) {
    const { name, namespace, uid } = claim.metadata
    if (volume.spec.claimRef?.uid === uid) return volume
    const isOurChoice = volume.spec.claimRef === undefined
    const { apiVersion, kind } = claim
    const claimRef = { apiVersion, kind, name, namespace: namespace ?? '', uid }
    const metadata = isOurChoice ? annotated(volume, { [boundByController]: 'yes' }) : volume.metadata
    // Based on the revision that we saw: who comes second gets a conflict, and looks again.
    return await client.update(
      PersistentVolumes,
      { ...volume, metadata, spec: { ...volume.spec, claimRef } },
      {},
      signal,
    )
  }

  async function nameVolume(claim: PersistentVolumeClaim, volume: PersistentVolume, signal: AbortSignal) {
    const isNamed = claim.spec.volumeName === volume.metadata.name
    const isMarked = claim.metadata.annotations?.[bindCompleted] !== undefined
    if (isNamed && isMarked) return claim
    const metadata = annotated(claim, { [bindCompleted]: 'yes', ...(isNamed ? {} : { [boundByController]: 'yes' }) })
    const spec = { ...claim.spec, volumeName: volume.metadata.name }
    return await client.update(PersistentVolumeClaims, { ...claim, metadata, spec }, {}, signal)
  }

  async function provision(
    claim: PersistentVolumeClaim,
    storageClass: StorageClass,
    signal: AbortSignal,
  ): Promise<void> {
    if (volumeDirectory === undefined) return
    if (claim.metadata.annotations?.[storageProvisioner] !== ownProvisioner) {
      const metadata = annotated(claim, { [storageProvisioner]: ownProvisioner })
      await client.update(PersistentVolumeClaims, { ...claim, metadata }, {}, signal)
    }
    try {
      const volume = await client.create(PersistentVolumes, volumeFor(claim, storageClass, volumeDirectory), {}, signal)
      writtenVolumes.wrote(keyOf(claim), volume)
      const message = `Successfully provisioned volume ${volume.metadata.name} using ${ownProvisioner}`
      events.event(claim, 'Normal', 'ProvisioningSucceeded', message)
    } catch (error) {
      // Made before; its change will bring the claim back here.
      if (hasReason(error, 'AlreadyExists')) return
      if (!signal.aborted) {
        const message = `Failed to provision volume with StorageClass "${storageClass.metadata.name}": ${messageOf(error)}`
        events.event(claim, 'Warning', 'ProvisioningFailed', message)
      }
      throw error
    }
  }

  async function reconcileVolume(key: string, { signal }: ReconcileContext) {
    const volume = volumes.lister.get(key)
    if (!volume || volume.metadata.deletionTimestamp !== undefined) return
    const { claimRef } = volume.spec
    const claim = claimRef ? claims.lister.get(makeKey(claimRef.namespace, claimRef.name ?? '')) : undefined
    const step = planVolume(volume, claim)
    if (step.do === 'mark') await setVolumePhase(volume, step.phase, signal)
    if (step.do === 'free') await free(volume, signal)
    // The cache may not show yet a claim that was made a moment ago; the server knows.
    if (step.do === 'delete' && (await isClaimGone(volume, signal))) await remove(volume, signal)
  }

  async function isClaimGone({ spec: { claimRef } }: PersistentVolume, signal: AbortSignal): Promise<boolean> {
    try {
      const ref = { namespace: claimRef?.namespace, name: claimRef?.name ?? '' }
      const claim = await client.get(PersistentVolumeClaims, ref, {}, signal)
      return claim.metadata.uid !== claimRef?.uid
    } catch (error) {
      if (hasReason(error, 'NotFound')) return true
      throw error
    }
  }

  async function remove(volume: PersistentVolume, signal: AbortSignal): Promise<void> {
    const { name, uid } = volume.metadata
    try {
      const released = await setVolumePhase(volume, 'Released', signal)
      if (volumeDirectory === undefined) throw new Error('it was made in a volume directory that is not known any more')
      await removeData(released, volumeDirectory)
      await client.delete(PersistentVolumes, { name }, { preconditions: { uid } }, signal)
    } catch (error) {
      if (hasReason(error, 'NotFound')) return
      if (!signal.aborted) events.event(volume, 'Warning', 'VolumeFailedDelete', messageOf(error))
      throw error
    }
  }

  async function free(volume: PersistentVolume, signal: AbortSignal): Promise<void> {
    const { claimRef: _claimRef, ...spec } = volume.spec
    const { [boundByController]: _bound, ...annotations } = volume.metadata.annotations ?? {}
    const metadata = { ...volume.metadata, annotations }
    await client.update(PersistentVolumes, { ...volume, metadata, spec }, {}, signal)
  }

  async function setVolumePhase(
    volume: PersistentVolume,
    phase: string,
    signal: AbortSignal,
  ): Promise<PersistentVolume> {
    if (volume.status.phase === phase) return volume
    const status = { ...volume.status, phase }
    return await client.update(PersistentVolumes, { ...volume, status }, { subresource: 'status' }, signal)
  }

  async function setClaimStatus(
    claim: PersistentVolumeClaim,
    status: PersistentVolumeClaim['status'],
    signal: AbortSignal,
  ): Promise<void> {
    if (isSemanticallyEqual(status, claim.status)) return
    await client.update(PersistentVolumeClaims, { ...claim, status }, { subresource: 'status' }, signal)
  }

  /** Every volume concerns the claim it names, and a free one every claim that still waits. */
  function keysForVolume({ spec: { claimRef } }: PersistentVolume): string[] {
    if (claimRef) return [makeKey(claimRef.namespace, claimRef.name ?? '')]
    return waitingClaims().map(keyOf)
  }

  function waitingClaims(): PersistentVolumeClaim[] {
    return claims.lister.list().filter(({ status }) => status.phase !== 'Bound')
  }

  /** Claims that name no class get this one; made anew at each start if somebody has deleted it. */
  async function createDefaultClass(): Promise<void> {
    if (volumeDirectory === undefined || classes.lister.get(defaultStorageClass().metadata.name ?? '')) return
    try {
      await client.create(StorageClasses, defaultStorageClass(), {}, signal)
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error
    }
  }

  const common = { client: deps.client, clock, log }
  await Promise.all([
    runController(
      {
        ...common,
        name,
        reconciles: claims,
        watches: [
          [volumes, keysForVolume],
          [classes, () => waitingClaims().map(keyOf)],
        ],
        // One after the other: two claims that want the same volume would only get in each other's way.
        workers: 1,
        reconcile: reconcileClaim,
      },
      signal,
    ),
    runController(
      {
        ...common,
        name: 'persistentvolume-reclaimer',
        reconciles: volumes,
        watches: [[claims, volumesOf]],
        workers: 1,
        reconcile: reconcileVolume,
      },
      signal,
    ),
    classes.synced().then(createDefaultClass),
  ])
  events.stop()

  function volumesOf(claim: PersistentVolumeClaim): string[] {
    const naming = volumes.lister.list().filter(({ spec: { claimRef } }) => claimRef?.uid === claim.metadata.uid)
    return naming.map(keyOf)
  }
}

function annotated<T extends KubernetesObject>({ metadata }: T, annotations: Record<string, string>): T['metadata'] {
  return { ...metadata, annotations: { ...metadata.annotations, ...annotations } }
}
