/**
 * Takes away what provisioner.ts made, once its claim is gone: the directory, then the volume.
 *
 *     reclaim-plan.ts       when it may go
 *     volume-directory.ts   the directory itself
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { ControllerDeps } from '../deps.ts'
import { hostPath } from './names.ts'
import { setFinalizers } from './protection-plan.ts'
import { planReclaim, without } from './reclaim-plan.ts'
import { removeDirectory } from './volume-directory.ts'

const name = 'host-path-reclaimer'

export async function startHostPathReclaimer(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const { volumeRoot } = deps.flags
  if (volumeRoot === undefined) return
  const claims = informers.for(PersistentVolumeClaims)
  const volumes = informers.for(PersistentVolumes)
  const events = new EventRecorder(deps.client.as(name), { component: hostPath, clock, log })

  async function reclaim(name: string, { client, signal }: ReconcileContext): Promise<void> {
    const cached = volumes.lister.get(name)
    if (!cached) return
    const step = planReclaim(cached, claims.lister.get(claimKeyOf(cached)))
    if (step?.do === 'set-finalizers') {
      await setFinalizers(PersistentVolumes, cached, step.finalizers, { client, signal })
    }
    if (step?.do !== 'delete') return
    // What is removed does not come back: ask the server, not the cache, and decide again.
    const volume = await ifPresent(client.get(PersistentVolumes, { name }, {}, signal))
    const claim = volume?.spec.claimRef && (await readClaim(volume, { client, signal }))
    if (!volume || planReclaim(volume, claim)?.do !== 'delete') return
    try {
      await removeDirectory(volumeRoot ?? '', volume)
    } catch (error) {
      events.event(volume, 'Warning', 'VolumeFailedDelete', messageOf(error))
      throw error
    }
    const { uid } = volume.metadata
    await ifPresent(client.delete(PersistentVolumes, { name }, { preconditions: { uid } }, signal))
    const going = await ifPresent(client.get(PersistentVolumes, { name }, {}, signal))
    if (going?.metadata.uid !== uid) return
    const left = without(going.metadata.finalizers ?? [])
    await ifPresent(setFinalizers(PersistentVolumes, going, left, { client, signal }))
  }

  const volumesOf = (claim: PersistentVolumeClaim) => keysOfClaim(volumes.lister.list(), claim)
  const watches: [typeof claims, typeof volumesOf][] = [[claims, volumesOf]]
  await runController(
    { name, client: deps.client, clock, log, reconciles: volumes, watches, reconcile: reclaim },
    signal,
  )
  events.stop()
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
