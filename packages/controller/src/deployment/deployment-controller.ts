/**
 * Deployment: from one version of an application to the next, a few pods at a time.
 *
 * It never touches a pod. It creates one ReplicaSet per version and moves replicas from the old ones to the new one;
 * the ReplicaSets do the rest, and their status says how far the rollout has come. The files of this folder:
 *
 *     revision.ts           which ReplicaSet is which version
 *     rolling-update.ts     how far the next step may go: the arithmetic
 *     sizes.ts              following a change of spec.replicas
 *     deployment-plan.ts    what to do next, out of the three above
 *     deployment-status.ts  what to tell
 *     this file             reads, asks the plan, acts, writes the status
 *
 * Nothing is kept in memory. Every write either names the revision it is based on (a stale cache makes a conflict and
 * another try) or creates a ReplicaSet whose name follows from its template (twice is refused by the server).
 * Follows deployment_controller.go.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { messageOf } from '@dinghy/shared/api/message-of'
import { controllerOf, isControlledBy } from '@dinghy/shared/api/owners'
import { Deployments, Pods, ReplicaSets } from '@dinghy/shared/api/resources'
import { labelSelectorFrom } from '@dinghy/shared/api/selectors'
import type { Deployment, DeploymentStatus, Draft, Pod, ReplicaSet } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { adoptersOf, childrenOf, claimChildren, indexByController } from '../children/claim.ts'
import { ifPresent } from '../children/if-present.ts'
import { isNamespaceTerminating } from '../children/pod-control.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { planDeployment, type DeploymentPlan } from './deployment-plan.ts'
import { deadlineCheckInMs, deploymentStatus, type NewReplicaSetNews } from './deployment-status.ts'
import { hasTemplateOf, revisionAnnotation } from './revision.ts'
import { sizeOf } from './sizes.ts'

const name = 'deployment-controller'

/** How the attempt to have a new ReplicaSet went. */
interface Creation {
  fresh: ReplicaSet | undefined
  news?: NewReplicaSetNews
  failure?: unknown
}

/** The ReplicaSets as they are after the plan has been carried out. */
interface Done extends Creation {
  replicaSets: ReplicaSet[]
}

export class DeploymentController implements Controller {
  readonly #deps: ControllerDeps
  readonly #deployments: Informer<Deployment>
  readonly #replicaSets: Informer<ReplicaSet>
  readonly #pods: Informer<Pod>
  readonly #events: EventRecorder

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#deployments = informers.for(Deployments)
    this.#replicaSets = informers.for(ReplicaSets)
    this.#pods = informers.for(Pods)
    indexByController(this.#replicaSets)
    indexByController(this.#pods)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    const adopters = (orphan: ReplicaSet): string[] =>
      adoptersOf(orphan, this.#deployments, ({ spec }) => labelSelectorFrom(spec.selector))
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#deployments,
        owns: [this.#replicaSets],
        watches: [
          [this.#replicaSets, adopters],
          [this.#pods, (pod: Pod) => this.#keysForPod(pod)],
        ],
        workers: 5,
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const deployment = this.#deployments.lister.get(key)
    if (!deployment) return undefined
    const selector = labelSelectorFrom(deployment.spec.selector)
    if (selector.requirements.length === 0) return await this.#refuse(deployment, context)

    const { client, signal } = context
    const claim = { client, resource: Deployments, owner: deployment, selector, children: this.#replicaSets, signal }
    const owned = await claimChildren(claim)
    const pods = owned.flatMap((replicaSet) => childrenOf(replicaSet, this.#pods))
    const plan = planDeployment(deployment, owned, pods)
    const done = await this.#act(deployment, plan, owned, context)

    const now = this.#deps.clock.now()
    const status = deploymentStatus({ deployment, ...done, isStanding: plan.isStanding, now })
    await writeStatus(deployment, status, done.fresh, context)
    if (done.failure) throw done.failure
    return requeueAfter(deadlineCheckInMs(deployment, status, now))
  }

  async #act(
    deployment: Deployment,
    plan: DeploymentPlan,
    owned: ReplicaSet[],
    context: ReconcileContext,
  ): Promise<Done> {
    const { client, signal } = context
    const present = new Map(owned.map((replicaSet) => [replicaSet.metadata.uid, replicaSet]))
    for (const { from, to } of plan.update) {
      present.set(to.metadata.uid, await client.update(ReplicaSets, to, {}, signal))
      this.#tellScaled(deployment, to.metadata.name, sizeOf(from), sizeOf(to))
    }
    for (const { metadata } of plan.remove) {
      const { namespace, name, uid } = metadata
      await ifPresent(client.delete(ReplicaSets, { namespace, name }, { preconditions: { uid } }, signal))
      present.delete(uid)
    }
    const creation = plan.create ? await this.#create(deployment, plan.create, context) : undefined
    if (creation?.fresh) present.set(creation.fresh.metadata.uid, creation.fresh)
    const fresh = plan.fresh ? present.get(plan.fresh.metadata.uid) : undefined
    const found: Creation = fresh ? { fresh, news: { type: 'found', name: fresh.metadata.name } } : { fresh }
    return { replicaSets: [...present.values()], ...(creation ?? found) }
  }

  /** A failure is handed back rather than thrown, because the status tells of it. */
  async #create(deployment: Deployment, draft: Draft<ReplicaSet>, context: ReconcileContext): Promise<Creation> {
    const replicas = draft.spec.replicas ?? 0
    try {
      const fresh = await context.client.create(ReplicaSets, draft, {}, context.signal)
      if (replicas > 0) this.#tellScaled(deployment, fresh.metadata.name, 0, replicas)
      return { fresh, news: { type: 'created', name: fresh.metadata.name } }
    } catch (error) {
      if (context.signal.aborted) throw error
      const name = draft.metadata.name ?? ''
      if (hasReason(error, 'AlreadyExists')) return await useExisting(deployment, name, context)
      if (isNamespaceTerminating(error)) return { fresh: undefined }
      const message = messageOf(error)
      const text = `Failed to create new replica set "${name}": ${message}`
      this.#events.event(deployment, 'Warning', 'ReplicaSetCreateError', text)
      return { fresh: undefined, news: { type: 'failed', name, message }, failure: error }
    }
  }

  /** A selector that matches everything would adopt the ReplicaSets of the whole namespace. */
  async #refuse(deployment: Deployment, { client, signal }: ReconcileContext): Promise<undefined> {
    const message = 'This deployment is selecting all pods. A non-empty selector is required.'
    this.#events.event(deployment, 'Warning', 'SelectingAll', message)
    const observedGeneration = deployment.metadata.generation ?? 0
    if ((deployment.status.observedGeneration ?? 0) >= observedGeneration) return undefined
    const status = { ...deployment.status, observedGeneration }
    await client.update(Deployments, { ...deployment, status }, { subresource: 'status' }, signal)
    return undefined
  }

  #tellScaled(deployment: Deployment, replicaSet: string, from: number, to: number): void {
    if (from === to) return
    const direction = to > from ? 'up' : 'down'
    const message = `Scaled ${direction} replica set ${replicaSet} from ${from} to ${to}`
    this.#events.event(deployment, 'Normal', 'ScalingReplicaSet', message)
  }

  /** Recreate waits for the end of old pods, which their ReplicaSets' status does not tell. */
  #keysForPod(pod: Pod): string[] {
    const { namespace } = pod.metadata
    const parent = controllerOf(pod)
    if (parent?.kind !== 'ReplicaSet') return []
    const replicaSet = this.#replicaSets.lister.get(makeKey(namespace, parent.name))
    const grandparent = replicaSet && controllerOf(replicaSet)
    if (grandparent?.kind !== 'Deployment') return []
    const deployment = this.#deployments.lister.get(makeKey(namespace, grandparent.name))
    return deployment?.spec.strategy?.type === 'Recreate' ? [keyOf(deployment)] : []
  }
}

/** Our own, which the cache did not show yet; or a stranger's, and then we need another name. */
async function useExisting(
  deployment: Deployment,
  name: string,
  { client, signal }: ReconcileContext,
): Promise<Creation> {
  const { namespace } = deployment.metadata
  const existing = await client.get(ReplicaSets, { namespace, name }, {}, signal)
  if (isControlledBy(existing, deployment) && hasTemplateOf(deployment, existing)) return { fresh: existing }
  const collisionCount = (deployment.status.collisionCount ?? 0) + 1
  const status = { ...deployment.status, collisionCount }
  // The answer to this write comes back as a change of the Deployment, and with it another try under another name.
  await client.update(Deployments, { ...deployment, status }, { subresource: 'status' }, signal)
  throw new Error(`the name ${name} is taken by another ReplicaSet; trying collision count ${collisionCount}`)
}

/** The revision annotation travels with the status: the status subresource of Deployments takes annotations along. */
async function writeStatus(
  deployment: Deployment,
  status: DeploymentStatus,
  fresh: ReplicaSet | undefined,
  { client, signal }: ReconcileContext,
): Promise<void> {
  const revision = fresh?.metadata.annotations?.[revisionAnnotation]
  const isRevisionTold = !revision || deployment.metadata.annotations?.[revisionAnnotation] === revision
  if (isRevisionTold && isSemanticallyEqual(status, deployment.status)) return
  const annotations = { ...deployment.metadata.annotations, ...(revision ? { [revisionAnnotation]: revision } : {}) }
  const next = { ...deployment, metadata: { ...deployment.metadata, annotations }, status }
  await client.update(Deployments, next, { subresource: 'status' }, signal)
}
