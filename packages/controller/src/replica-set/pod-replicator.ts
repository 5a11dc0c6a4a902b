/**
 * PodReplicator: keeps N pods alive, for both kinds that ask for it: ReplicaSet and ReplicationController.
 *
 *     claim the pods ─► plan: how many to create, which to delete ─► act ─► write the status if it changed
 *
 * It never looks at *why* a pod is missing. A pod that finished or is being deleted does not count, so it is replaced;
 * a pod that is merely not ready does count, so a slow start never makes a crowd.
 * Follows replica_set.go, which serves both kinds as well.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { messageOf } from '@dinghy/shared/api/message-of'
import { controllerOf } from '@dinghy/shared/api/owners'
import { Pods, ReplicaSets, type Resource } from '@dinghy/shared/api/resources'
import type { Selector } from '@dinghy/shared/api/selectors'
import type { Pod, ReplicaSet } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { adoptersOf, childrenOf, claimChildren, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { createPod, deletePod, isNamespaceTerminating, podFromTemplate } from '../children/pod-control.ts'
import { isPodActive, nextAvailabilityInMs } from '../children/pod-state.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { allOrFirstFailure, slowStart } from '../children/slow-start.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { planReplicas, type ReplicaPlan } from './replica-plan.ts'
import { replicaStatus, type ReplicaFailure, type Replicated } from './replica-status.ts'

/** What differs between the two kinds. */
export interface ReplicatedKind<T extends Replicated> {
  /** The actor of the writes and the source of the events. */
  controller: string
  resource: Resource<T>
  selectorOf: (owner: T) => Selector
}

/** What went wrong: as the status tells it, and as it was thrown. */
interface Failure {
  told: ReplicaFailure
  error: unknown
}

const nothingToDo: ReplicaPlan = { create: 0, remove: [] }

export class PodReplicator<T extends Replicated> implements Controller {
  readonly #kind: ReplicatedKind<T>
  readonly #deps: ControllerDeps
  readonly #owners: Informer<T>
  readonly #pods: Informer<Pod>
  readonly #replicaSets: Informer<ReplicaSet>
  readonly #events: EventRecorder
  readonly #expectations: Expectations<Pod>

  constructor(kind: ReplicatedKind<T>, deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#kind = kind
    this.#deps = deps
    this.#owners = informers.for(kind.resource)
    this.#pods = informers.for(Pods)
    this.#replicaSets = informers.for(ReplicaSets)
    indexByController(this.#pods)
    indexByController(this.#replicaSets)
    this.#events = new EventRecorder(deps.client.as(kind.controller), { component: kind.controller, clock, log })
    this.#expectations = new Expectations(this.#pods)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { controller, selectorOf } = this.#kind
    await runController(
      {
        ...this.#deps,
        name: controller,
        reconciles: this.#owners,
        owns: [this.#pods],
        watches: [
          [this.#pods, (pod: Pod) => adoptersOf(pod, this.#owners, selectorOf)],
          [this.#replicaSets, () => []],
        ],
        workers: 5,
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const owner = this.#owners.lister.get(key)
    if (!owner) {
      this.#expectations.forget(key)
      return undefined
    }
    const { resource, selectorOf } = this.#kind
    const { client, signal } = context
    const claim = { client, resource, owner, selector: selectorOf(owner), children: this.#pods, signal }
    const active = (await claimChildren(claim)).filter(isPodActive)

    // Until the cache shows what we did last time, the numbers below are not true, and acting on them would do it
    // twice.
    const mayAct = this.#expectations.areMet(key) && owner.metadata.deletionTimestamp === undefined
    const now = this.#deps.clock.now()
    const wanted = owner.spec.replicas ?? 1
    const plan = mayAct ? planReplicas(wanted, active, () => this.#familyOf(owner), now) : nothingToDo
    const failure = await this.#act(owner, plan, context)
    await writeStatus<Replicated>(resource, owner, replicaStatus(owner, active, failure?.told, now), context)

    if (failure) throw failure.error
    if (!mayAct) return requeueAfter(expectationsRetryMs)
    return requeueAfter(nextAvailabilityInMs(active, owner.spec.minReadySeconds ?? 0, now))
  }

  /** The active pods of the owner and its siblings: of every ReplicaSet of the same Deployment, if there is one. */
  #familyOf(owner: T): Pod[] {
    const deployment = controllerOf(owner)
    const siblings = deployment ? this.#replicaSets.lister.list({ namespace: owner.metadata.namespace }) : []
    const family = siblings.filter((sibling) => controllerOf(sibling)?.uid === deployment?.uid)
    const members = family.length > 0 ? family : [owner]
    return members.flatMap((member) => childrenOf(member, this.#pods)).filter(isPodActive)
  }

  /** A failure is handed back rather than thrown, because the status tells of it. */
  async #act(owner: T, plan: ReplicaPlan, { client, signal }: ReconcileContext): Promise<Failure | undefined> {
    const control = { client, events: this.#events }
    const key = keyOf(owner)
    try {
      const draft = podFromTemplate(owner.spec.template, owner, this.#kind.resource)
      await slowStart(plan.create, async () => {
        this.#expectations.wrote(key, await createPod(control, owner, draft, signal))
      })
      await allOrFirstFailure(
        plan.remove.map(async (pod) => {
          await deletePod(control, owner, pod, signal)
          this.#expectations.deleted(key, pod)
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
}
