/**
 * The provisioner dinghy.io/host-path: makes a directory of this machine for a claim that needs one.
 *
 *     provision-plan.ts     which volume, and when
 *     volume-directory.ts   the directory itself
 *     reclaimer.ts          takes both away again
 *
 * It knows nothing of the binder, nor the binder of it: the binder annotates a claim with the name of its provisioner;
 * a volume appears whose claimRef names the claim, and the binder ties the two together. So a provisioner written by
 * somebody else works here in just the same way. Capacity is a promise that nobody enforces.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { messageOf } from '@dinghy/shared/api/message-of'
import { Nodes, PersistentVolumeClaims, PersistentVolumes, StorageClasses } from '@dinghy/shared/api/resources'
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { Controller, ControllerDeps } from '../deps.ts'
import { annotations, hostPath } from './names.ts'
import { planProvisioning, type NamedVolume } from './provision-plan.ts'
import { makeDirectory } from './volume-directory.ts'

const name = 'host-path-provisioner'

export class HostPathProvisioner implements Controller {
  readonly #deps: ControllerDeps
  readonly #claims: Informer<PersistentVolumeClaim>
  readonly #volumes: Informer<PersistentVolume>
  readonly #classes: Informer<StorageClass>
  readonly #nodes: Informer<Node>
  readonly #events: EventRecorder

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#claims = informers.for(PersistentVolumeClaims)
    this.#volumes = informers.for(PersistentVolumes)
    this.#classes = informers.for(StorageClasses)
    this.#nodes = informers.for(Nodes)
    this.#events = new EventRecorder(deps.client.as(name), { component: hostPath, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#deps.flags.volumeRoot === undefined) return
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#claims,
        watches: [
          [this.#classes, ({ metadata }: StorageClass) => this.#keysForClass(metadata.name)],
          // A volume that went, or a node that came, may be what an unbound claim has been waiting for.
          [this.#volumes, claimKeysOf],
          [this.#nodes, ({ metadata }: Node) => this.#keysForNode(metadata.name)],
        ],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<void> {
    const { volumeRoot } = this.#deps.flags
    const claim = this.#claims.lister.get(key)
    if (!claim || volumeRoot === undefined) return
    const storageClass = this.#classes.lister.get(claim.spec.storageClassName ?? '')
    const [volumes, nodes] = [this.#volumes.lister.list(), this.#nodes.lister.list()]
    const step = planProvisioning({ claim, storageClass, volumes, nodes, volumeRoot })
    if (step?.do === 'refuse') this.#tellFailure(claim, step.message)
    if (step?.do === 'reschedule') {
      const body = { metadata: { annotations: { [annotations.selectedNode]: null } } }
      await context.client.patch(PersistentVolumeClaims, claim.metadata, { type: 'merge', body }, {}, context.signal)
      this.#tellFailure(claim, 'the selected node does not exist')
    }
    if (step?.do === 'create') await this.#create(claim, step.volume, volumeRoot, context)
  }

  async #create(
    claim: PersistentVolumeClaim,
    volume: NamedVolume,
    volumeRoot: string,
    { client, signal }: ReconcileContext,
  ): Promise<void> {
    const { name } = volume.metadata
    const announcement = `External provisioner is provisioning volume for claim "${keyOf(claim)}"`
    this.#events.event(claim, 'Normal', 'Provisioning', announcement)
    try {
      await makeDirectory(volumeRoot, name)
      await client.create(PersistentVolumes, volume, {}, signal)
    } catch (error) {
      // Made before; our cache does not show it yet.
      if (hasReason(error, 'AlreadyExists')) return
      if (!signal.aborted) this.#tellFailure(claim, messageOf(error))
      throw error
    }
    this.#events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`)
  }

  #tellFailure(claim: PersistentVolumeClaim, message: string): void {
    const text = `failed to provision volume with StorageClass "${claim.spec.storageClassName}": ${message}`
    this.#events.event(claim, 'Warning', 'ProvisioningFailed', text)
  }

  #keysForClass(className: string): string[] {
    const claims = this.#claims.lister.list()
    return claims.filter(({ spec }) => spec.storageClassName === className && !spec.volumeName).map(keyOf)
  }

  #keysForNode(node: string): string[] {
    const isWaiting = ({ metadata, spec }: PersistentVolumeClaim): boolean =>
      metadata.annotations?.[annotations.selectedNode] === node && !spec.volumeName
    return this.#claims.lister.list().filter(isWaiting).map(keyOf)
  }
}

function claimKeysOf({ spec: { claimRef } }: PersistentVolume): string[] {
  return claimRef ? [makeKey(claimRef.namespace, claimRef.name ?? '')] : []
}
