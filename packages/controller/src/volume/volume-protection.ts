/**
 * pv-protection: a volume that is bound does not go away under its claim. Deleted, it stays Terminating until the claim
 * is gone. Follows pkg/controller/volume/pvprotection, which reads the phase alone; here a volume that still says Bound
 * after its claim has gone is let go as well, so that nothing waits for a phase that nobody is going to write.
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import type { ControllerDeps } from '../deps.ts'
import { finalizers } from './names.ts'
import { planProtection, setFinalizers } from './protection-plan.ts'

export async function startVolumeProtectionController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const volumes = deps.informers.for(PersistentVolumes)
  const claims = deps.informers.for(PersistentVolumeClaims)
  volumes.addIndex('claim', ({ spec: { claimRef } }) => {
    return claimRef?.name ? [makeKey(claimRef.namespace, claimRef.name)] : []
  })
  const volumesOf = ({ metadata: { namespace, name } }: PersistentVolumeClaim): string[] =>
    volumes.lister.byIndex('claim', makeKey(namespace, name)).map((volume) => volume.metadata.name)

  await runController(
    {
      ...deps,
      name: 'persistentvolume-protection-controller',
      reconciles: volumes,
      watches: [[claims, volumesOf]],
      reconcile: async (key, context) => {
        const volume = volumes.lister.get(key)
        const step = volume && planProtection(volume, finalizers.volumeProtection)
        if (!step || (step.isRemoval && (await isInUse(volume, context)))) return
        await setFinalizers(PersistentVolumes, volume, step.finalizers, context)
      },
    },
    signal,
  )
}

async function isInUse({ spec, status }: PersistentVolume, { client, signal }: ReconcileContext): Promise<boolean> {
  const { namespace = '', name, uid } = spec.claimRef ?? {}
  if (status.phase !== 'Bound') return false
  if (!name) return true
  const claim = await ifPresent(client.get(PersistentVolumeClaims, { namespace, name }, {}, signal))
  return claim?.metadata.uid === uid
}
