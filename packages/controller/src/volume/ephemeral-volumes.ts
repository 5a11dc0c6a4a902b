/**
 * Generic ephemeral volumes: a pod that brings its own claim. For each `ephemeral` volume of a pod this makes the claim
 * `<pod>-<volume>`, owned by the pod and gone with it; from there on it is a claim like any other.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { makeKey } from '@dinghy/shared/api/keys'
import { isControlledBy, ownerReferenceTo } from '@dinghy/shared/api/owners'
import { PersistentVolumeClaims, Pods } from '@dinghy/shared/api/resources'
import type { Draft, PersistentVolumeClaim, Pod } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { Controller, ControllerDeps } from '../deps.ts'

const name = 'ephemeral-volume-controller'

export class EphemeralVolumeController implements Controller {
  readonly #deps: ControllerDeps
  readonly #pods: Informer<Pod>
  readonly #claims: Informer<PersistentVolumeClaim>
  readonly #events: EventRecorder

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#pods = informers.for(Pods)
    this.#claims = informers.for(PersistentVolumeClaims)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    const reconcile = (key: string, context: ReconcileContext): Promise<void> => this.reconcile(key, context)
    await runController({ ...this.#deps, name, reconciles: this.#pods, owns: [this.#claims], reconcile }, signal)
    this.#events.stop()
  }

  async reconcile(key: string, { client, signal }: ReconcileContext): Promise<void> {
    const pod = this.#pods.lister.get(key)
    if (!pod || pod.metadata.deletionTimestamp !== undefined) return
    for (const draft of ephemeralClaims(pod)) {
      const existing = this.#claims.lister.get(makeKey(pod.metadata.namespace, draft.metadata.name ?? ''))
      if (!existing) await createClaim(client, draft, signal)
      else if (!isControlledBy(existing, pod)) {
        const message = `PVC ${existing.metadata.name} was not created for pod ${key} (pod is not owner)`
        this.#events.event(pod, 'Warning', 'EphemeralVolumeConflict', message)
      }
    }
  }
}

async function createClaim(client: ApiClient, draft: Draft<PersistentVolumeClaim>, signal: AbortSignal): Promise<void> {
  try {
    await client.create(PersistentVolumeClaims, draft, {}, signal)
  } catch (error) {
    // Ours, which the cache did not show yet; somebody else's is found out about when it does.
    if (!hasReason(error, 'AlreadyExists')) throw error
  }
}

export function ephemeralClaims(pod: Pod): Draft<PersistentVolumeClaim>[] {
  return (pod.spec.volumes ?? []).flatMap(({ name, ephemeral }) => {
    const template = ephemeral?.volumeClaimTemplate
    if (!template) return []
    const { labels, annotations } = template.metadata ?? {}
    const metadata = {
      name: `${pod.metadata.name}-${name}`,
      namespace: pod.metadata.namespace ?? '',
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ownerReferences: [ownerReferenceTo(pod, Pods)],
    }
    return [{ metadata, spec: template.spec }]
  })
}
