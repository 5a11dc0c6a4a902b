/**
 * The phases of PersistentVolumes: Available, Bound, Released or Failed, as volume-plan.ts decides. What is Released is
 * removed by whoever made it, which waits for just that (reclaimer.ts). Follows pv_controller.go's syncVolume.
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import type { ControllerDeps } from '../deps.ts'
import { annotations } from './names.ts'
import { planVolume } from './volume-plan.ts'

const name = 'persistentvolume-phase-controller'

type Writing = Pick<ReconcileContext, 'client' | 'signal'>

export async function startVolumePhaseController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const claims = informers.for(PersistentVolumeClaims)
  const volumes = informers.for(PersistentVolumes)
  const events = new EventRecorder(deps.client.as(name), { component: name, clock, log })

  async function reconcile(key: string, context: ReconcileContext): Promise<void> {
    const volume = volumes.lister.get(key)
    if (!volume || volume.metadata.deletionTimestamp !== undefined) return
    const step = planVolume(volume, await claimOf(volume, context))
    if (step.do === 'mark') await setVolumeStatus(volume, { phase: step.phase }, context)
    if (step.do === 'free') await free(volume, context)
    if (step.do === 'fail') {
      const { reason, message } = step
      const failed = await setVolumeStatus(volume, { phase: 'Failed', message }, context)
      if (failed !== volume) events.event(volume, 'Warning', reason, message)
    }
  }

  /** The cache may not show yet a claim that was made a moment ago. There is no way back from Released: ask the server. */
  async function claimOf({ spec: { claimRef }, status }: PersistentVolume, { client, signal }: Writing) {
    if (!claimRef?.uid) return undefined
    const ref = { namespace: claimRef.namespace, name: claimRef.name ?? '' }
    const cached = claims.lister.get(makeKey(ref.namespace, ref.name))
    const isKnownGone = status.phase === 'Released' || status.phase === 'Failed'
    if (cached?.metadata.uid === claimRef.uid || isKnownGone) return cached
    return await ifPresent(client.get(PersistentVolumeClaims, ref, {}, signal))
  }

  const volumesOf = ({ metadata: { uid } }: PersistentVolumeClaim): string[] => {
    const naming = volumes.lister.list().filter(({ spec: { claimRef } }) => claimRef?.uid === uid)
    return naming.map(({ metadata }) => metadata.name)
  }
  const watches: [typeof claims, typeof volumesOf][] = [[claims, volumesOf]]
  await runController({ name, client: deps.client, clock, log, reconciles: volumes, watches, reconcile }, signal)
  events.stop()
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

/** Returns the volume itself if there was nothing to write. */
export async function setVolumeStatus(
  volume: PersistentVolume,
  status: { phase: string; message?: string },
  { client, signal }: Writing,
): Promise<PersistentVolume> {
  if (volume.status.phase === status.phase && volume.status.message === status.message) return volume
  return await client.update(PersistentVolumes, { ...volume, status }, { subresource: 'status' }, signal)
}
