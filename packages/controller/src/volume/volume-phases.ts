/**
 * The phases of PersistentVolumes: Available, Bound, Released or Failed, as volume-plan.ts decides. A Released volume
 * is removed by its provisioner, which waits for that phase (reclaimer.ts). Follows pv_controller.go's syncVolume.
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { annotations } from './names.ts'
import { planVolume } from './volume-plan.ts'

const name = 'persistentvolume-phase-controller'

type Writing = Pick<ReconcileContext, 'client' | 'signal'>

export class VolumePhaseController implements Controller {
  readonly #deps: ControllerDeps
  readonly #claims: Informer<PersistentVolumeClaim>
  readonly #volumes: Informer<PersistentVolume>
  readonly #events: EventRecorder

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#claims = informers.for(PersistentVolumeClaims)
    this.#volumes = informers.for(PersistentVolumes)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    const keysForClaim = ({ metadata: { uid } }: PersistentVolumeClaim): string[] => {
      const naming = this.#volumes.lister.list().filter(({ spec: { claimRef } }) => claimRef?.uid === uid)
      return naming.map(({ metadata }) => metadata.name)
    }
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#volumes,
        watches: [[this.#claims, keysForClaim]],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<void> {
    const volume = this.#volumes.lister.get(key)
    if (!volume || volume.metadata.deletionTimestamp !== undefined) return
    const step = planVolume(volume, await this.#claimOf(volume, context))
    if (step.do === 'mark') await setPhase(volume, { phase: step.phase }, context)
    if (step.do === 'free') await free(volume, context)
    if (step.do === 'fail') {
      const { reason, message } = step
      const failed = await setPhase(volume, { phase: 'Failed', message }, context)
      if (failed !== volume) this.#events.event(volume, 'Warning', reason, message)
    }
  }

  /**
   * The cache may not show yet a claim that was made a moment ago. There is no way back from Released, so the server is
   * asked before a claim counts as gone.
   */
  async #claimOf({ spec: { claimRef }, status }: PersistentVolume, { client, signal }: Writing) {
    if (!claimRef?.uid) return undefined
    const ref = { namespace: claimRef.namespace, name: claimRef.name ?? '' }
    const cached = this.#claims.lister.get(makeKey(ref.namespace, ref.name))
    const isKnownGone = status.phase === 'Released' || status.phase === 'Failed'
    if (cached?.metadata.uid === claimRef.uid || isKnownGone) return cached
    return await ifPresent(client.get(PersistentVolumeClaims, ref, {}, signal))
  }
}

/** The claim that the binder chose is forgotten; one that a user named keeps its name, and loses only the uid. */
async function free(volume: PersistentVolume, { client, signal }: Writing): Promise<void> {
  const { claimRef, ...spec } = volume.spec
  const { [annotations.boundByController]: ours, ...others } = volume.metadata.annotations ?? {}
  const { uid: _uid, ...reserved } = claimRef ?? {}
  const freed = ours === undefined ? { ...spec, claimRef: reserved } : spec
  const metadata = { ...volume.metadata, annotations: others }
  await client.update(PersistentVolumes, { ...volume, metadata, spec: freed }, {}, signal)
}

/**
 * Writes the phase where it changes, and the message that explains it; a message of the phase before goes. All else in
 * the status stays as others have written it, as upstream. Returns the volume itself if there was nothing to write.
 */
export async function setPhase(
  volume: PersistentVolume,
  { phase, message }: { phase: string; message?: string },
  context: Writing,
): Promise<PersistentVolume> {
  if (volume.status.phase === phase) return volume
  return await writeStatus(PersistentVolumes, volume, { ...volume.status, phase, message }, context)
}
