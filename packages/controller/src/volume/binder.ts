/**
 * The binder: brings PersistentVolumeClaims and PersistentVolumes together.
 *
 *     shared/api/volume-matching.ts   which volume suits
 *     claim-plan.ts                   what to do about a claim
 *     volume-phases.ts                the other loop: what becomes of the volumes
 *
 * It makes and removes no volume; that is a provisioner's work (provisioner.ts and reclaimer.ts, or somebody else's).
 * A binding takes four writes; each is made only if it is still missing, so a loop that died between two of them goes on
 * where it was. Follows pkg/controller/volume/persistentvolume.
 */

import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes, Pods, StorageClasses } from '@dinghy/shared/api/resources'
import type { KubernetesObject, PersistentVolume, PersistentVolumeClaim, Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { ControllerDeps } from '../deps.ts'
import { claimKeysOf } from './claim-protection.ts'
import { planClaim } from './claim-plan.ts'
import { annotations } from './names.ts'
import { setVolumeStatus } from './volume-phases.ts'

const name = 'persistentvolume-controller'
const podIndex = 'volume-claims'

export async function startPersistentVolumeBinder(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const claims = informers.for(PersistentVolumeClaims)
  const volumes = informers.for(PersistentVolumes)
  const classes = informers.for(StorageClasses)
  const pods = informers.for(Pods)
  pods.addIndex(podIndex, claimKeysOf)
  const events = new EventRecorder(client, { component: name, clock, log })
  const writtenVolumes = new Expectations(volumes)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const claim = claims.lister.get(key)
    if (!claim) {
      writtenVolumes.forget(key)
      return undefined
    }
    if (claim.metadata.deletionTimestamp !== undefined) return undefined
    // On an old view a volume that was just bound would not be found, and another would be taken.
    if (!writtenVolumes.areMet(key)) return { requeueAfterMs: expectationsRetryMs }
    const step = planClaim({
      claim,
      volumes: volumes.lister.list(),
      storageClass: classes.lister.get(claim.spec.storageClassName ?? ''),
      pods: pods.lister.byIndex(podIndex, key),
    })
    if (step.do === 'bind') {
      await bind(claim, step.volume, signal)
      return undefined
    }
    const { type, reason, message } = step.notice
    const phase = step.do === 'lose' ? 'Lost' : 'Pending'
    if (claim.status.phase !== phase || step.do !== 'lose') events.event(claim, type, reason, message)
    const current = step.do === 'request' ? await nameProvisioner(claim, step.provisioner, signal) : claim
    await setClaimStatus(current, { ...current.status, phase }, signal)
    return undefined
  }

  /** The volume names the claim, says so, then the claim names the volume, and says so. */
  async function bind(claim: PersistentVolumeClaim, volume: PersistentVolume, signal: AbortSignal): Promise<void> {
    const bound = await setVolumeStatus(await reserve(claim, volume, signal), { phase: 'Bound' }, { client, signal })
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
    const metadata = isOurChoice ? annotated(volume, { [annotations.boundByController]: 'yes' }) : volume.metadata
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
    const isMarked = claim.metadata.annotations?.[annotations.bindCompleted] !== undefined
    if (isNamed && isMarked) return claim
    const marks = { [annotations.bindCompleted]: 'yes', ...(isNamed ? {} : { [annotations.boundByController]: 'yes' }) }
    const spec = { ...claim.spec, volumeName: volume.metadata.name }
    return await client.update(
      PersistentVolumeClaims,
      { ...claim, metadata: annotated(claim, marks), spec },
      {},
      signal,
    )
  }

  /** This is what a provisioner waits for. */
  async function nameProvisioner(claim: PersistentVolumeClaim, provisioner: string, signal: AbortSignal) {
    const keys = [annotations.storageProvisioner, annotations.betaStorageProvisioner]
    if (keys.every((key) => claim.metadata.annotations?.[key] === provisioner)) return claim
    const metadata = annotated(claim, Object.fromEntries(keys.map((key) => [key, provisioner])))
    return await client.update(PersistentVolumeClaims, { ...claim, metadata }, {}, signal)
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
    return claims.lister.list().filter(isWaiting)
  }

  /** Only to tell a claim for which pod it waits. */
  function keysForPod(pod: Pod): string[] {
    return claimKeysOf(pod).filter((key) => {
      const claim = claims.lister.get(key)
      return claim !== undefined && isWaiting(claim)
    })
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: claims,
      watches: [
        [volumes, keysForVolume],
        [classes, () => waitingClaims().map(keyOf)],
        [pods, keysForPod],
      ],
      // One after the other: two claims that want the same volume would only get in each other's way.
      workers: 1,
      reconcile,
    },
    signal,
  )
  events.stop()
}

function isWaiting({ status }: PersistentVolumeClaim): boolean {
  return status.phase !== 'Bound'
}

function annotated<T extends KubernetesObject>({ metadata }: T, more: Record<string, string>): T['metadata'] {
  return { ...metadata, annotations: { ...metadata.annotations, ...more } }
}
