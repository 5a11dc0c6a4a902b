/**
 * The provisioner dinghy.io/host-path: makes a directory of this machine for a claim that needs one, and removes it when
 * the claim is gone.
 *
 *     provision-plan.ts     which volume, and when
 *     reclaim-plan.ts       when it may go
 *     volume-directory.ts   the directory itself
 *
 * It knows nothing of the binder, nor the binder of it: a volume appears whose claimRef names a claim, and the binder ties
 * the two together; a volume is Released, and this loop removes it. So a provisioner written by somebody else works here
 * in just the same way. Capacity is a promise that nobody enforces.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { makeKey } from '@dinghy/shared/api/keys'
import { Nodes, PersistentVolumeClaims, PersistentVolumes, StorageClasses } from '@dinghy/shared/api/resources'
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { messageOf } from '../children/pod-control.ts'
import type { ControllerDeps } from '../deps.ts'
import { selectedNode } from '../persistent-volume/claim-plan.ts'
import { hostPath } from './names.ts'
import { setFinalizers } from './protection-plan.ts'
import { planProvisioning } from './provision-plan.ts'
import { planReclaim, without } from './reclaim-plan.ts'
import { makeDirectory, removeDirectory } from './volume-directory.ts'

export async function startHostPathProvisioner(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const { volumeRoot } = deps.flags
  if (volumeRoot === undefined) return
  const claims = informers.for(PersistentVolumeClaims)
  const volumes = informers.for(PersistentVolumes)
  const classes = informers.for(StorageClasses)
  const nodes = informers.for(Nodes)
  const events = new EventRecorder(deps.client.as('host-path-provisioner'), { component: hostPath, clock, log })

  async function provision(key: string, { client, signal }: ReconcileContext): Promise<void> {
    const claim = claims.lister.get(key)
    if (!claim) return
    const storageClass = classes.lister.get(claim.spec.storageClassName ?? '')
    const world = { volumes: volumes.lister.list(), nodes: nodes.lister.list(), volumeRoot: volumeRoot ?? '' }
    const step = planProvisioning({ claim, storageClass, ...world })
    const fail = (message: string) => {
      const className = storageClass?.metadata.name
      const text = `failed to provision volume with StorageClass "${className}": ${message}`
      events.event(claim, 'Warning', 'ProvisioningFailed', text)
    }
    if (step?.do === 'refuse') return fail(step.message)
    if (step?.do === 'reschedule') {
      const body = { metadata: { annotations: { [selectedNode]: null } } }
      await client.patch(PersistentVolumeClaims, claim.metadata, { type: 'merge', body }, {}, signal)
      return fail('the selected node does not exist')
    }
    if (step?.do !== 'create') return
    const { name } = step.volume.metadata
    events.event(claim, 'Normal', 'Provisioning', `External provisioner is provisioning volume for claim "${key}"`)
    try {
      await makeDirectory(volumeRoot ?? '', name)
      await client.create(PersistentVolumes, step.volume, {}, signal)
    } catch (error) {
      // Made before; our cache does not show it yet.
      if (hasReason(error, 'AlreadyExists')) return
      if (!signal.aborted) fail(messageOf(error))
      throw error
    }
    events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`)
  }

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

  const common = { client: deps.client, clock, log }
  await Promise.all([
    runController(
      {
        ...common,
        name: 'host-path-provisioner',
        reconciles: claims,
        watches: [
          [classes, ({ metadata }: StorageClass) => keysOfClass(claims.lister.list(), metadata.name)],
          // A volume that went, or a node that came, may be what an unbound claim has been waiting for.
          [volumes, (volume: PersistentVolume) => (volume.spec.claimRef ? [claimKeyOf(volume)] : [])],
          [nodes, ({ metadata }: Node) => keysOfNode(claims.lister.list(), metadata.name)],
        ],
        reconcile: provision,
      },
      signal,
    ),
    runController(
      {
        ...common,
        name: 'host-path-reclaimer',
        reconciles: volumes,
        watches: [[claims, (claim: PersistentVolumeClaim) => keysOfClaim(volumes.lister.list(), claim)]],
        reconcile: reclaim,
      },
      signal,
    ),
  ])
  events.stop()
}

function claimKeyOf({ spec: { claimRef } }: PersistentVolume): string {
  return makeKey(claimRef?.namespace, claimRef?.name ?? '')
}

function keysOfClass(claims: PersistentVolumeClaim[], className: string): string[] {
  return claims
    .filter(({ spec }) => spec.storageClassName === className && !spec.volumeName)
    .map(({ metadata }) => makeKey(metadata.namespace, metadata.name))
}

function keysOfNode(claims: PersistentVolumeClaim[], node: string): string[] {
  return claims
    .filter(({ metadata, spec }) => metadata.annotations?.[selectedNode] === node && !spec.volumeName)
    .map(({ metadata }) => makeKey(metadata.namespace, metadata.name))
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

/** "Not there" is an answer. */
async function ifPresent<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined
    throw error
  }
}
