/**
 * The provisioner dinghy.io/host-path: makes a directory of this machine for a claim that needs one.
 *
 *     provision-plan.ts     which volume, and when
 *     volume-directory.ts   the directory itself
 *     reclaimer.ts          takes both away again
 *
 * It knows nothing of the binder, nor the binder of it: the binder annotates a claim with the name of its provisioner; a
 * volume appears whose claimRef names the claim, and the binder ties the two together. So a provisioner written by somebody
 * else works here in just the same way. Capacity is a promise that nobody enforces.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { makeKey } from '@dinghy/shared/api/keys'
import { Nodes, PersistentVolumeClaims, PersistentVolumes, StorageClasses } from '@dinghy/shared/api/resources'
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { ControllerDeps } from '../deps.ts'
import { annotations, hostPath } from './names.ts'
import { planProvisioning } from './provision-plan.ts'
import { makeDirectory } from './volume-directory.ts'

const name = 'host-path-provisioner'

export async function startHostPathProvisioner(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const { volumeRoot } = deps.flags
  if (volumeRoot === undefined) return
  const claims = informers.for(PersistentVolumeClaims)
  const volumes = informers.for(PersistentVolumes)
  const classes = informers.for(StorageClasses)
  const nodes = informers.for(Nodes)
  const events = new EventRecorder(deps.client.as(name), { component: hostPath, clock, log })

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
      const body = { metadata: { annotations: { [annotations.selectedNode]: null } } }
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

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: claims,
      watches: [
        [classes, ({ metadata }: StorageClass) => keysOfClass(claims.lister.list(), metadata.name)],
        // A volume that went, or a node that came, may be what an unbound claim has been waiting for.
        [volumes, (volume: PersistentVolume) => claimKeysOf(volume)],
        [nodes, ({ metadata }: Node) => keysOfNode(claims.lister.list(), metadata.name)],
      ],
      reconcile: provision,
    },
    signal,
  )
  events.stop()
}

function claimKeysOf({ spec: { claimRef } }: PersistentVolume): string[] {
  return claimRef ? [makeKey(claimRef.namespace, claimRef.name ?? '')] : []
}

function keysOfClass(claims: PersistentVolumeClaim[], className: string): string[] {
  return claims
    .filter(({ spec }) => spec.storageClassName === className && !spec.volumeName)
    .map(({ metadata }) => makeKey(metadata.namespace, metadata.name))
}

function keysOfNode(claims: PersistentVolumeClaim[], node: string): string[] {
  return claims
    .filter(({ metadata, spec }) => metadata.annotations?.[annotations.selectedNode] === node && !spec.volumeName)
    .map(({ metadata }) => makeKey(metadata.namespace, metadata.name))
}
