/**
 * pvc-protection: a claim that a pod uses does not go away under it. Deleted, it stays Terminating, held by a
 * finalizer, until the last such pod is gone; then its volume is released.
 *
 * In use means: a pod that has a node names the claim, even one that has finished, until its object goes. A pod without
 * a node does not count, because it will not start with a claim that is being deleted. Before the finalizer is taken
 * away the server itself is asked, for our cache may not show a pod of a moment ago. Follows
 * pkg/controller/volume/pvcprotection.
 */

import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, Pods } from '@dinghy/shared/api/resources'
import type { PersistentVolumeClaim, Pod } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { Controller, ControllerDeps } from '../deps.ts'
import { finalizers } from './names.ts'
import { planProtection, setFinalizers } from './protection-plan.ts'

/** The claims that the pod names, as keys; a generic ephemeral volume brings one that is named after both. */
export function claimKeysOf({ metadata, spec }: Pod): string[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [makeKey(metadata.namespace, persistentVolumeClaim.claimName)]
    return ephemeral ? [makeKey(metadata.namespace, `${metadata.name}-${name}`)] : []
  })
}

/** Whether the pod's node may have the volume open. One deleted without any grace left is over for its kubelet too. */
export function mayHaveMounted({ metadata, spec }: Pod): boolean {
  const isShutDown = metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0
  return Boolean(spec.nodeName) && !isShutDown
}

export class ClaimProtectionController implements Controller {
  readonly #deps: ControllerDeps
  readonly #claims: Informer<PersistentVolumeClaim>
  readonly #pods: Informer<Pod>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#claims = deps.informers.for(PersistentVolumeClaims)
    this.#pods = deps.informers.for(Pods)
    this.#pods.addIndex('claim', claimKeysOf)
  }

  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name: 'persistentvolumeclaim-protection-controller',
        reconciles: this.#claims,
        watches: [[this.#pods, claimKeysOf]],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
  }

  async reconcile(key: string, context: ReconcileContext): Promise<void> {
    const claim = this.#claims.lister.get(key)
    const step = claim && planProtection(claim, finalizers.claimProtection)
    if (!step || (step.isRemoval && (await this.#isInUse(claim, context)))) return
    await setFinalizers(PersistentVolumeClaims, claim, step.finalizers, context)
  }

  async #isInUse(claim: PersistentVolumeClaim, { client, signal }: ReconcileContext): Promise<boolean> {
    const key = keyOf(claim)
    if (this.#pods.lister.byIndex('claim', key).some(mayHaveMounted)) return true
    const { items } = await client.list(Pods, { namespace: claim.metadata.namespace ?? '' }, signal)
    return items.some((pod) => mayHaveMounted(pod) && claimKeysOf(pod).includes(key))
  }
}
