/**
 * The volumes of a StatefulSet's pods: their claims are made before the pods are, and carry the set's retention policy
 * (claim-retention.ts) as owner references from then on.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { makeKey } from '@dinghy/shared/api/keys'
import { messageOf } from '@dinghy/shared/api/message-of'
import { PersistentVolumeClaims } from '@dinghy/shared/api/resources'
import type { Draft, OwnerReference, PersistentVolumeClaim, StatefulSet } from '@dinghy/shared/api/types'
import type { EventRecorder } from '@dinghy/shared/client/events'
import type { Lister } from '@dinghy/shared/client/lister'
import type { ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { retentionOwners } from './claim-retention.ts'
import { condemnedPods, type StatefulWorld } from './stateful-plan.ts'
import { claimsFor, ordinalOf, podNameOf } from './stateful-pod.ts'

export class StatefulClaims {
  readonly #claims: Lister<PersistentVolumeClaim>
  readonly #events: EventRecorder

  constructor(deps: { claims: Lister<PersistentVolumeClaim>; events: EventRecorder }) {
    this.#claims = deps.claims
    this.#events = deps.events
  }

  /** Makes the claims that the pod of this ordinal still lacks. Throws while one of them is being deleted. */
  async create(set: StatefulSet, ordinal: number, context: ReconcileContext): Promise<void> {
    for (const draft of claimsFor(set, ordinal)) {
      const existing = this.#claims.get(makeKey(set.metadata.namespace, draft.metadata.name ?? ''))
      // The pod must not start on a volume of its predecessor that is about to go.
      if (existing?.metadata.deletionTimestamp !== undefined) {
        throw new Error(`pvc ${existing.metadata.name} is being deleted`)
      }
      if (!existing) await this.#createOne(set, ordinal, draft, context)
    }
  }

  /** Puts the retention policy on the claims of all pods, those that are about to go included. */
  async keepOwners({ set, pods }: StatefulWorld, context: ReconcileContext): Promise<void> {
    if ((set.spec.volumeClaimTemplates ?? []).length === 0) return
    const condemned = new Set(condemnedPods(set, pods))
    for (const pod of pods) {
      for (const { metadata } of claimsFor(set, ordinalOf(set, pod) ?? 0)) {
        const claim = this.#claims.get(makeKey(set.metadata.namespace, metadata.name ?? ''))
        if (claim) await setOwners(claim, retentionOwners(set, pod, condemned.has(pod), claim), context)
      }
    }
  }

  async #createOne(
    set: StatefulSet,
    ordinal: number,
    draft: Draft<PersistentVolumeClaim>,
    context: ReconcileContext,
  ): Promise<void> {
    const pod = podNameOf(set, ordinal)
    const what = `create Claim ${draft.metadata.name} Pod ${pod} in StatefulSet ${set.metadata.name}`
    try {
      const created = await context.client.create(PersistentVolumeClaims, draft, {}, context.signal)
      this.#events.event(set, 'Normal', 'SuccessfulCreate', `${what} success`)
      await setOwners(created, retentionOwners(set, undefined, false, created), context)
    } catch (error) {
      // Ours, which the cache does not show yet, or one that was prepared for us.
      if (hasReason(error, 'AlreadyExists')) return
      if (!context.signal.aborted) {
        this.#events.event(set, 'Warning', 'FailedCreate', `${what} failed error: ${messageOf(error)}`)
      }
      throw error
    }
  }
}

async function setOwners(
  claim: PersistentVolumeClaim,
  ownerReferences: OwnerReference[] | undefined,
  { client, signal }: ReconcileContext,
): Promise<void> {
  if (!ownerReferences) return
  const metadata = { ...claim.metadata, ownerReferences }
  await client.update(PersistentVolumeClaims, { ...claim, metadata }, {}, signal)
}
