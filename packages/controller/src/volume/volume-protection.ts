/**
 * pv-protection: a volume that is bound does not go away under its claim. Deleted, it stays Terminating until the claim
 * is gone. Follows pkg/controller/volume/pvprotection, which reads the phase alone; here a volume that still says Bound
 * after its claim has gone is let go as well, because no controller would change the phase of a volume that is being
 * deleted.
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { finalizers } from './names.ts'
import { planProtection, setFinalizers } from './protection-plan.ts'

export class VolumeProtectionController implements Controller {
  readonly #deps: ControllerDeps
  readonly #volumes: Informer<PersistentVolume>
  readonly #claims: Informer<PersistentVolumeClaim>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#volumes = deps.informers.for(PersistentVolumes)
    this.#claims = deps.informers.for(PersistentVolumeClaims)
    this.#volumes.addIndex('claim', ({ spec: { claimRef } }) => {
      return claimRef?.name ? [makeKey(claimRef.namespace, claimRef.name)] : []
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const keysForClaim = ({ metadata: { namespace, name } }: PersistentVolumeClaim): string[] =>
      this.#volumes.lister.byIndex('claim', makeKey(namespace, name)).map((volume) => volume.metadata.name)
    await runController(
      {
        ...this.#deps,
        name: 'persistentvolume-protection-controller',
        reconciles: this.#volumes,
        watches: [[this.#claims, keysForClaim]],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
  }

  async reconcile(key: string, context: ReconcileContext): Promise<void> {
    const volume = this.#volumes.lister.get(key)
    const step = volume && planProtection(volume, finalizers.volumeProtection)
    if (!step || (step.isRemoval && (await isInUse(volume, context)))) return
    await setFinalizers(PersistentVolumes, volume, step.finalizers, context)
  }
}

async function isInUse({ spec, status }: PersistentVolume, { client, signal }: ReconcileContext): Promise<boolean> {
  const { namespace = '', name, uid } = spec.claimRef ?? {}
  if (status.phase !== 'Bound') return false
  if (!name) return true
  const claim = await ifPresent(client.get(PersistentVolumeClaims, { namespace, name }, {}, signal))
  return claim?.metadata.uid === uid
}
