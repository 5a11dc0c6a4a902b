/**
 * The binder: brings PersistentVolumeClaims and PersistentVolumes together.
 *
 *     shared/api/volume-matching.ts   which volume suits
 *     claim-plan.ts                   what to do about a claim
 *     volume-phases.ts                the other loop: what becomes of the volumes
 *
 * It makes and removes no volume; that is a provisioner's work (provisioner.ts and reclaimer.ts, or somebody else's).
 * A binding takes four writes; each is made only if it is still missing, so a loop that died between two of them goes
 * on where it was. Follows pkg/controller/volume/persistentvolume.
 */

import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes, Pods, StorageClasses } from '@dinghy/shared/api/resources'
import type {
  KubernetesObject,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { planClaim } from './claim-plan.ts'
import { claimKeysOf } from './claim-protection.ts'
import { annotations } from './names.ts'
import { setPhase } from './volume-phases.ts'

const name = 'persistentvolume-controller'
const podIndex = 'volume-claims'

export class PersistentVolumeBinder implements Controller {
  readonly #deps: ControllerDeps
  readonly #claims: Informer<PersistentVolumeClaim>
  readonly #volumes: Informer<PersistentVolume>
  readonly #classes: Informer<StorageClass>
  readonly #pods: Informer<Pod>
  readonly #events: EventRecorder
  readonly #writtenVolumes: Expectations<PersistentVolume>

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#claims = informers.for(PersistentVolumeClaims)
    this.#volumes = informers.for(PersistentVolumes)
    this.#classes = informers.for(StorageClasses)
    this.#pods = informers.for(Pods)
    this.#pods.addIndex(podIndex, claimKeysOf)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
    this.#writtenVolumes = new Expectations(this.#volumes)
  }

  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#claims,
        watches: [
          [this.#volumes, (volume: PersistentVolume) => this.#keysForVolume(volume)],
          [this.#classes, () => this.#waitingClaims()],
          [this.#pods, (pod: Pod) => this.#keysForPod(pod)],
        ],
        // One after the other: two claims that want the same volume would only get in each other's way.
        workers: 1,
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const claim = this.#claims.lister.get(key)
    if (!claim) {
      this.#writtenVolumes.forget(key)
      return undefined
    }
    if (claim.metadata.deletionTimestamp !== undefined) return undefined
    // On an old view a volume that was just bound would not be found, and another would be taken.
    if (!this.#writtenVolumes.areMet(key)) return requeueAfter(expectationsRetryMs)
    const step = planClaim({
      claim,
      volumes: this.#volumes.lister.list(),
      storageClass: this.#classes.lister.get(claim.spec.storageClassName ?? ''),
      pods: this.#pods.lister.byIndex(podIndex, key),
    })
    if (step.do === 'bind') {
      await this.#bind(claim, step.volume, context)
      return undefined
    }
    const { type, reason, message } = step.notice
    const phase = step.do === 'lose' ? 'Lost' : 'Pending'
    if (claim.status.phase !== phase || step.do !== 'lose') this.#events.event(claim, type, reason, message)
    const current = step.do === 'request' ? await nameProvisioner(claim, step.provisioner, context) : claim
    await writeStatus(PersistentVolumeClaims, current, { ...current.status, phase }, context)
    return undefined
  }

  /** The volume names the claim, says so, then the claim names the volume, and says so. */
  async #bind(claim: PersistentVolumeClaim, volume: PersistentVolume, context: ReconcileContext): Promise<void> {
    const bound = await setPhase(await reserve(claim, volume, context), { phase: 'Bound' }, context)
    this.#writtenVolumes.wrote(keyOf(claim), bound)
    const named = await nameVolume(claim, volume, context)
    const { accessModes = [], capacity = {} } = volume.spec
    const status = { ...named.status, phase: 'Bound', accessModes, capacity }
    await writeStatus(PersistentVolumeClaims, named, status, context)
  }

  /** Every volume concerns the claim it names, and a free one every claim that still waits. */
  #keysForVolume({ spec: { claimRef } }: PersistentVolume): string[] {
    return claimRef ? [makeKey(claimRef.namespace, claimRef.name ?? '')] : this.#waitingClaims()
  }

  #waitingClaims(): string[] {
    return this.#claims.lister.list().filter(isWaiting).map(keyOf)
  }

  /** Only to tell a claim for which pod it waits. */
  #keysForPod(pod: Pod): string[] {
    return claimKeysOf(pod).filter((key) => {
      const claim = this.#claims.lister.get(key)
      return claim !== undefined && isWaiting(claim)
    })
  }
}

async function reserve(
  claim: PersistentVolumeClaim,
  volume: PersistentVolume,
  { client, signal }: ReconcileContext,
): Promise<PersistentVolume> {
  const { name, namespace, uid } = claim.metadata
  if (volume.spec.claimRef?.uid === uid) return volume
  const isOurChoice = volume.spec.claimRef === undefined
  const { apiVersion, kind } = claim
  const claimRef = { apiVersion, kind, name, namespace: namespace ?? '', uid }
  const metadata = isOurChoice ? annotated(volume, { [annotations.boundByController]: 'yes' }) : volume.metadata
  // Based on the revision that we saw: who comes second gets a conflict, and looks again.
  const reserved = { ...volume, metadata, spec: { ...volume.spec, claimRef } }
  return await client.update(PersistentVolumes, reserved, {}, signal)
}

async function nameVolume(
  claim: PersistentVolumeClaim,
  volume: PersistentVolume,
  { client, signal }: ReconcileContext,
): Promise<PersistentVolumeClaim> {
  const isNamed = claim.spec.volumeName === volume.metadata.name
  const isMarked = claim.metadata.annotations?.[annotations.bindCompleted] !== undefined
  if (isNamed && isMarked) return claim
  const marks = { [annotations.bindCompleted]: 'yes', ...(isNamed ? {} : { [annotations.boundByController]: 'yes' }) }
  const spec = { ...claim.spec, volumeName: volume.metadata.name }
  const named = { ...claim, metadata: annotated(claim, marks), spec }
  return await client.update(PersistentVolumeClaims, named, {}, signal)
}

/** This is what a provisioner waits for. */
async function nameProvisioner(
  claim: PersistentVolumeClaim,
  provisioner: string,
  { client, signal }: ReconcileContext,
): Promise<PersistentVolumeClaim> {
  const keys = [annotations.storageProvisioner, annotations.betaStorageProvisioner]
  if (keys.every((key) => claim.metadata.annotations?.[key] === provisioner)) return claim
  const metadata = annotated(claim, Object.fromEntries(keys.map((key) => [key, provisioner])))
  return await client.update(PersistentVolumeClaims, { ...claim, metadata }, {}, signal)
}

function isWaiting({ status }: PersistentVolumeClaim): boolean {
  return status.phase !== 'Bound'
}

function annotated<T extends KubernetesObject>({ metadata }: T, more: Record<string, string>): T['metadata'] {
  return { ...metadata, annotations: { ...metadata.annotations, ...more } }
}
