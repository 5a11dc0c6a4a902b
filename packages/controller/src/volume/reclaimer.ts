/**
 * Takes away what provisioner.ts made, once its claim is gone: the directory, then the volume.
 *
 *     reclaim-plan.ts       when it may go
 *     volume-directory.ts   the directory itself
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { messageOf } from '@dinghy/shared/api/message-of'
import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { hostPath } from './names.ts'
import { setFinalizers } from './protection-plan.ts'
import { planReclaim, without } from './reclaim-plan.ts'
import { removeDirectory } from './volume-directory.ts'

const name = 'host-path-reclaimer'

export class HostPathReclaimer implements Controller {
  readonly #deps: ControllerDeps
  readonly #claims: Informer<PersistentVolumeClaim>
  readonly #volumes: Informer<PersistentVolume>
  readonly #events: EventRecorder

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#claims = informers.for(PersistentVolumeClaims)
    this.#volumes = informers.for(PersistentVolumes)
    this.#events = new EventRecorder(deps.client.as(name), { component: hostPath, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#deps.flags.volumeRoot === undefined) return
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#volumes,
        watches: [[this.#claims, (claim: PersistentVolumeClaim) => keysOfClaim(this.#volumes.lister.list(), claim)]],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(name: string, context: ReconcileContext): Promise<void> {
    const cached = this.#volumes.lister.get(name)
    if (!cached) return
    const step = planReclaim(cached, this.#claims.lister.get(claimKeyOf(cached)))
    if (step?.do === 'set-finalizers') await setFinalizers(PersistentVolumes, cached, step.finalizers, context)
    if (step?.do !== 'delete') return
    // What is removed does not come back: ask the server, not the cache, and decide again.
    const volume = await ifPresent(context.client.get(PersistentVolumes, { name }, {}, context.signal))
    const claim = volume?.spec.claimRef && (await readClaim(volume, context))
    if (volume && planReclaim(volume, claim)?.do === 'delete') await this.#remove(volume, context)
  }

  /** The directory, then the object, then what held the object back. */
  async #remove(volume: PersistentVolume, { client, signal }: ReconcileContext): Promise<void> {
    const { name, uid } = volume.metadata
    try {
      await removeDirectory(this.#deps.flags.volumeRoot ?? '', volume)
    } catch (error) {
      this.#events.event(volume, 'Warning', 'VolumeFailedDelete', messageOf(error))
      throw error
    }
    await ifPresent(client.delete(PersistentVolumes, { name }, { preconditions: { uid } }, signal))
    const going = await ifPresent(client.get(PersistentVolumes, { name }, {}, signal))
    if (going?.metadata.uid !== uid) return
    const left = without(going.metadata.finalizers ?? [])
    await ifPresent(setFinalizers(PersistentVolumes, going, left, { client, signal }))
  }
}

function claimKeyOf({ spec: { claimRef } }: PersistentVolume): string {
  return makeKey(claimRef?.namespace, claimRef?.name ?? '')
}

function keysOfClaim(volumes: PersistentVolume[], { metadata }: PersistentVolumeClaim): string[] {
  return volumes.filter(({ spec }) => spec.claimRef?.uid === metadata.uid).map((volume) => volume.metadata.name)
}

async function readClaim(
  { spec: { claimRef } }: PersistentVolume,
  { client, signal }: Pick<ReconcileContext, 'client' | 'signal'>,
): Promise<PersistentVolumeClaim | undefined> {
  const ref = { namespace: claimRef?.namespace ?? '', name: claimRef?.name ?? '' }
  return await ifPresent(client.get(PersistentVolumeClaims, ref, {}, signal))
}
