/**
 * Generic ephemeral volumes: a pod that brings its own claim. For each `ephemeral` volume of a pod this makes the claim
 * `<pod>-<volume>`, owned by the pod and gone with it; from there on it is a claim like any other.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { makeKey } from '@dinghy/shared/api/keys'
import { isControlledBy, ownerReferenceTo } from '@dinghy/shared/api/owners'
import { PersistentVolumeClaims, Pods } from '@dinghy/shared/api/resources'
import type { Draft, PersistentVolumeClaim, Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { ControllerDeps } from '../deps.ts'

const name = 'ephemeral-volume-controller'

export async function startEphemeralVolumeController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const pods = informers.for(Pods)
  const claims = informers.for(PersistentVolumeClaims)
  const events = new EventRecorder(client, { component: name, clock, log })

  async function reconcile(key: string, { signal }: ReconcileContext): Promise<void> {
    const pod = pods.lister.get(key)
    if (!pod || pod.metadata.deletionTimestamp !== undefined) return
    for (const draft of ephemeralClaims(pod)) {
      const existing = claims.lister.get(makeKey(pod.metadata.namespace, draft.metadata.name ?? ''))
      if (!existing) await create(draft, signal)
      else if (!isControlledBy(existing, pod)) {
        const message = `PVC ${existing.metadata.name} was not created for pod ${key} (pod is not owner)`
        events.event(pod, 'Warning', 'EphemeralVolumeConflict', message)
      }
    }
  }

  async function create(draft: Draft<PersistentVolumeClaim>, signal: AbortSignal): Promise<void> {
    try {
      await client.create(PersistentVolumeClaims, draft, {}, signal)
    } catch (error) {
      // Ours, which the cache did not show yet; somebody else's is found out about when it does.
      if (!hasReason(error, 'AlreadyExists')) throw error
    }
  }

  await runController({ name, client: deps.client, clock, log, reconciles: pods, owns: [claims], reconcile }, signal)
  events.stop()
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
