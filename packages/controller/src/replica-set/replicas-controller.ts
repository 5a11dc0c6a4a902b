/**
 * The loop that keeps N pods alive, for both kinds that ask for it: ReplicaSet and ReplicationController.
 *
 *     claim the pods ─► plan: how many to create, which to delete ─► act ─► write the status if it changed
 *
 * It never looks at *why* a pod is missing. A pod that finished or is being deleted does not count, so it is replaced;
 * a pod that is merely not ready does count, so a slow start never makes a crowd.
 * Follows replica_set.go, which serves both kinds as well.
 */

import { controllerOf } from '@dinghy/shared/api/owners'
import { Pods, ReplicaSets, type Resource } from '@dinghy/shared/api/resources'
import { matchesLabels, type Selector } from '@dinghy/shared/api/selectors'
import type { Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { keyOf } from '@dinghy/shared/api/keys'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { childrenOf, claimChildren, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { createPod, deletePod, isNamespaceTerminating, podFromTemplate } from '../children/pod-control.ts'
import { messageOf } from '@dinghy/shared/api/message-of'
import { isPodActive, nextAvailabilityInMs } from '../children/pod-state.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import { allOrFirstFailure, slowStart } from '../children/slow-start.ts'
import type { ControllerDeps } from '../deps.ts'
import { planReplicas, type ReplicaPlan } from './replica-plan.ts'
import { replicaStatus, type ReplicaFailure, type Replicated } from './replica-status.ts'

/** What differs between the two kinds. */
export interface ReplicatedKind<T extends Replicated> {
  /** The actor of the writes and the source of the events. */
  controller: string
  resource: Resource<T>
  selectorOf(owner: T): Selector
}

export async function startReplicasController<T extends Replicated>(
  kind: ReplicatedKind<T>,
  { client: anyClient, informers, clock, log }: ControllerDeps,
  signal: AbortSignal,
): Promise<void> {
  const client = anyClient.as(kind.controller)
  const owners = informers.for(kind.resource)
  const pods = informers.for(Pods)
  const replicaSets = informers.for(ReplicaSets)
  indexByController(pods)
  indexByController(replicaSets)
  const events = new EventRecorder(client, { component: kind.controller, clock, log })
  const expectations = new Expectations(pods)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const owner = owners.lister.get(key)
    if (!owner) return expectations.forget(key)
    const selector = kind.selectorOf(owner)
    const claimed = await claimChildren({ client, resource: kind.resource, owner, selector, children: pods, signal })
    const active = claimed.filter(isPodActive)

    // Until the cache shows what we did last time, the numbers below are not true, and acting on them would do it twice.
    const mayAct = expectations.areMet(key) && owner.metadata.deletionTimestamp === undefined
    const plan = mayAct
      ? planReplicas(owner.spec.replicas ?? 1, active, () => familyOf(owner), clock.now())
      : nothingToDo
    const failure = await act(owner, plan, signal)

    const status = replicaStatus(owner, active, failure?.told, clock.now())
    if (!isSemanticallyEqual(status, owner.status)) {
      await client.update(kind.resource, { ...owner, status }, { subresource: 'status' }, signal)
    }
    if (failure) throw failure.error

    if (!mayAct) return { requeueAfterMs: expectationsRetryMs }
    const wait = nextAvailabilityInMs(active, owner.spec.minReadySeconds ?? 0, clock.now())
    return wait === undefined ? undefined : { requeueAfterMs: wait }
  }

  /** All active pods under the same roof: those of every ReplicaSet of our Deployment, if there is one. */
  function familyOf(owner: T): Pod[] {
    const deployment = controllerOf(owner)
    const siblings = deployment ? replicaSets.lister.list({ namespace: owner.metadata.namespace }) : []
    const family = siblings.filter((sibling) => controllerOf(sibling)?.uid === deployment?.uid)
    return (family.length > 0 ? family : [owner]).flatMap((member) => childrenOf(member, pods)).filter(isPodActive)
  }

  async function act(owner: T, plan: ReplicaPlan, signal: AbortSignal): Promise<Failure | undefined> {
    const control = { client, events }
    const key = keyOf(owner)
    try {
      const draft = podFromTemplate(owner.spec.template, owner, kind.resource)
      await slowStart(plan.create, async () => expectations.wrote(key, await createPod(control, owner, draft, signal)))
      await allOrFirstFailure(
        plan.remove.map(async (pod) => {
          await deletePod(control, owner, pod, signal)
          expectations.deleted(key, pod)
        }),
      )
    } catch (error) {
      if (signal.aborted) throw error
      if (isNamespaceTerminating(error)) return undefined
      const reason = plan.create > 0 ? 'FailedCreate' : 'FailedDelete'
      return { told: { reason, message: messageOf(error) }, error }
    }
    return undefined
  }

  /** An orphan concerns every owner that might adopt it. */
  function keysForOrphan(pod: Pod): string[] {
    if (controllerOf(pod)) return []
    const candidates = owners.lister.list({ namespace: pod.metadata.namespace })
    return candidates.filter((owner) => matchesLabels(kind.selectorOf(owner), pod.metadata.labels)).map(keyOf)
  }

  await runController(
    {
      name: kind.controller,
      client: anyClient,
      clock,
      log,
      reconciles: owners,
      owns: [pods],
      watches: [
        [pods, keysForOrphan],
        [replicaSets, () => []],
      ],
      workers: 5,
      reconcile,
    },
    signal,
  )
  events.stop()
}

interface Failure {
  told: ReplicaFailure
  error: unknown
}

const nothingToDo: ReplicaPlan = { create: 0, remove: [] }
