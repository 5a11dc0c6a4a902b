/**
 * VolumeBinder: carries out the plan of plugins/volume-binding.ts once a pod's node is known, and waits until every
 * claim is bound. The binding itself is the volume controller's work: we only say which volume, or for which node to
 * make one.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { notFound, serverTimeout } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Informers } from '@dinghy/shared/client/informer'
import { isBound, planVolumes, selectedNode } from './plugins/volume-binding.ts'
import type { Lookups } from './snapshot.ts'

const defaultBindTimeoutMs = 10 * 60_000
/** A look into our own cache costs nothing. */
const pollMs = 100
const boundByController = 'pv.kubernetes.io/bound-by-controller'

export class VolumeBinder {
  readonly #client: ApiClient
  readonly #informers: Informers
  readonly #lookups: Lookups
  readonly #clock: Clock

  constructor(options: { client: ApiClient; informers: Informers; lookups: Lookups; clock: Clock }) {
    this.#client = options.client
    this.#informers = options.informers
    this.#lookups = options.lookups
    this.#clock = options.clock
  }

  /** Resolves when all of the pod's claims are bound; throws ServerTimeout when that takes too long. */
  async bindVolumes(pod: Pod, node: Node, timeoutMs: number | undefined, signal: AbortSignal): Promise<void> {
    const deadline = this.#clock.now() + (timeoutMs ?? defaultBindTimeoutMs)
    const { bind, provision } = planVolumes(pod, node, this.#lookups)
    for (const { claim, volume } of bind) await this.#reserve(volume, claim, signal)
    for (const claim of provision) await this.#selectNode(claim, node, signal)
    for (const claim of [...bind.map(({ claim }) => claim), ...provision]) await this.#bound(claim, deadline, signal)
  }

  /** The volume controller finds the claim in the volume and completes the other direction. */
  async #reserve(volume: PersistentVolume, claim: PersistentVolumeClaim, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid } = claim.metadata
    const { resourceVersion } = volume.metadata
    const body = {
      // Makes the patch fail if somebody else took the volume meanwhile.
      metadata: { resourceVersion, annotations: { [boundByController]: 'yes' } },
      spec: { claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid } },
    }
    await this.#client.patch(PersistentVolumes, { name: volume.metadata.name }, { type: 'merge', body }, {}, signal)
  }

  async #selectNode(claim: PersistentVolumeClaim, node: Node, signal: AbortSignal): Promise<void> {
    const { name, namespace } = claim.metadata
    const body = { metadata: { annotations: { [selectedNode]: node.metadata.name } } }
    await this.#client.patch(PersistentVolumeClaims, { namespace, name }, { type: 'merge', body }, {}, signal)
  }

  async #bound(claim: PersistentVolumeClaim, deadline: number, signal: AbortSignal): Promise<void> {
    const { lister } = this.#informers.for(PersistentVolumeClaims)
    for (;;) {
      const current = lister.get(keyOf(claim))
      if (current === undefined) throw notFound('', 'persistentvolumeclaims', claim.metadata.name)
      if (isBound(current)) return
      if (this.#clock.now() > deadline) throw serverTimeout('', 'persistentvolumeclaims', 'bind')
      await this.#clock.sleep(pollMs, signal)
    }
  }
}
