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
import { keyOf } from '@dinghy/shared/api/keys'
import { controllerOf, isControlledBy } from '@dinghy/shared/api/owners'
import { Deployments, Pods, ReplicaSets } from '@dinghy/shared/api/resources'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { Deployment, DeploymentStatus, Draft, Pod, ReplicaSet } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import { childrenOf, claimChildren, indexByController } from '../children/claim.ts'
import { isNamespaceTerminating } from '../children/pod-control.ts'
import { messageOf } from '@dinghy/shared/api/message-of'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { ControllerDeps } from '../deps.ts'
import { planDeployment, type DeploymentPlan } from './deployment-plan.ts'
import { deadlineCheckInMs, deploymentStatus, type NewReplicaSetNews } from './deployment-status.ts'
import { hasTemplateOf, revisionAnnotation } from './revision.ts'
import { sizeOf } from './sizes.ts'

const name = 'deployment-controller'

export async function startDeploymentController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const deployments = informers.for(Deployments)
  const replicaSets = informers.for(ReplicaSets)
  const pods = informers.for(Pods)
  indexByController(replicaSets)
  indexByController(pods)
  const events = new EventRecorder(client, { component: name, clock, log })

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const deployment = deployments.lister.get(key)
    if (!deployment) return
    const selector = labelSelectorFrom(deployment.spec.selector)
    if (selector.requirements.length === 0) return refuse(deployment, signal)

    const claim = { client, resource: Deployments, owner: deployment, selector, children: replicaSets, signal }
    const owned = await claimChildren(claim)
    const plan = planDeployment(
      deployment,
      owned,
      owned.flatMap((replicaSet) => childrenOf(replicaSet, pods)),
    )
    const done = await act(deployment, plan, owned, signal)

    const status = deploymentStatus({ deployment, ...done, isStanding: plan.isStanding, now: clock.now() })
    await writeStatus(deployment, status, done.fresh, signal)
    if (done.failure) throw done.failure
    const wait = deadlineCheckInMs(deployment, status, clock.now())
    return wait === undefined ? undefined : { requeueAfterMs: wait }
  }

  /** Carries the plan out, and returns the ReplicaSets as they are afterwards. */
  async function act(
    deployment: Deployment,
    plan: DeploymentPlan,
    owned: ReplicaSet[],
    signal: AbortSignal,
  ): Promise<Done> {
    const now = new Map(owned.map((replicaSet) => [replicaSet.metadata.uid, replicaSet]))
    for (const { from, to } of plan.update) {
      now.set(to.metadata.uid, await client.update(ReplicaSets, to, {}, signal))
      tellScaled(deployment, to.metadata.name, sizeOf(from), sizeOf(to))
    }
    for (const { metadata } of plan.remove) {
      await removeReplicaSet(metadata, signal)
      now.delete(metadata.uid)
    }
    const creation = plan.create ? await createReplicaSet(deployment, plan.create, signal) : undefined
    if (creation?.fresh) now.set(creation.fresh.metadata.uid, creation.fresh)
    const fresh = plan.fresh ? now.get(plan.fresh.metadata.uid) : undefined
    const found: Creation = fresh ? { fresh, news: { type: 'found', name: fresh.metadata.name } } : { fresh }
    return { replicaSets: [...now.values()], ...(creation ?? found) }
  }

  async function createReplicaSet(
    deployment: Deployment,
    draft: Draft<ReplicaSet>,
    signal: AbortSignal,
  ): Promise<Creation> {
    const replicas = draft.spec.replicas ?? 0
    try {
      const fresh = await client.create(ReplicaSets, draft, {}, signal)
      if (replicas > 0) tellScaled(deployment, fresh.metadata.name, 0, replicas)
      return { fresh, news: { type: 'created', name: fresh.metadata.name } }
    } catch (error) {
      if (signal.aborted) throw error
      const name = draft.metadata.name ?? ''
      if (hasReason(error, 'AlreadyExists')) return await useExisting(deployment, name, signal)
      if (isNamespaceTerminating(error)) return { fresh: undefined }
      const message = messageOf(error)
      events.event(
        deployment,
        'Warning',
        'ReplicaSetCreateError',
        `Failed to create new replica set "${name}": ${message}`,
      )
      return { fresh: undefined, news: { type: 'failed', name, message }, failure: error }
    }
  }

  /** Our own, which the cache did not show yet; or a stranger's, and then we need another name. */
  async function useExisting(deployment: Deployment, name: string, signal: AbortSignal): Promise<Creation> {
    const { namespace } = deployment.metadata
    const existing = await client.get(ReplicaSets, { namespace, name }, {}, signal)
    if (isControlledBy(existing, deployment) && hasTemplateOf(deployment, existing)) return { fresh: existing }
    const collisionCount = (deployment.status.collisionCount ?? 0) + 1
    const status = { ...deployment.status, collisionCount }
    // The answer to this write comes back as a change of the Deployment, and with it another try under another name.
    await client.update(Deployments, { ...deployment, status }, { subresource: 'status' }, signal)
    throw new Error(`the name ${name} is taken by another ReplicaSet; trying collision count ${collisionCount}`)
  }

  async function removeReplicaSet(
    { namespace, name, uid }: ReplicaSet['metadata'],
    signal: AbortSignal,
  ): Promise<void> {
    // Someone may have been quicker.
    await ifPresent(client.delete(ReplicaSets, { namespace, name }, { preconditions: { uid } }, signal))
  }

  /** The revision annotation travels with the status: the status subresource of Deployments takes annotations along. */
  async function writeStatus(
    deployment: Deployment,
    status: DeploymentStatus,
    fresh: ReplicaSet | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const revision = fresh?.metadata.annotations?.[revisionAnnotation]
    const isRevisionTold = !revision || deployment.metadata.annotations?.[revisionAnnotation] === revision
    if (isRevisionTold && isSemanticallyEqual(status, deployment.status)) return
    const annotations = { ...deployment.metadata.annotations, ...(revision ? { [revisionAnnotation]: revision } : {}) }
    const next = { ...deployment, metadata: { ...deployment.metadata, annotations }, status }
    await client.update(Deployments, next, { subresource: 'status' }, signal)
  }

  /** A selector that matches everything would adopt the ReplicaSets of the whole namespace. */
  async function refuse(deployment: Deployment, signal: AbortSignal): Promise<void> {
    const message = 'This deployment is selecting all pods. A non-empty selector is required.'
    events.event(deployment, 'Warning', 'SelectingAll', message)
    const observedGeneration = deployment.metadata.generation ?? 0
    if ((deployment.status.observedGeneration ?? 0) >= observedGeneration) return
    const status = { ...deployment.status, observedGeneration }
    await client.update(Deployments, { ...deployment, status }, { subresource: 'status' }, signal)
  }

  function tellScaled(deployment: Deployment, replicaSet: string, from: number, to: number): void {
    if (from === to) return
    const direction = to > from ? 'up' : 'down'
    const message = `Scaled ${direction} replica set ${replicaSet} from ${from} to ${to}`
    events.event(deployment, 'Normal', 'ScalingReplicaSet', message)
  }

  /** An orphan concerns every Deployment that might adopt it. */
  function keysForOrphan(replicaSet: ReplicaSet): string[] {
    if (controllerOf(replicaSet)) return []
    const candidates = deployments.lister.list({ namespace: replicaSet.metadata.namespace })
    const { labels } = replicaSet.metadata
    return candidates.filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), labels)).map(keyOf)
  }

  /** Recreate waits for the end of old pods, which their ReplicaSets' status does not tell. */
  function keysForPod(pod: Pod): string[] {
    const { namespace } = pod.metadata
    const parent = controllerOf(pod)
    const replicaSet = parent?.kind === 'ReplicaSet' ? replicaSets.lister.get(`${namespace}/${parent.name}`) : undefined
    const grandparent = replicaSet && controllerOf(replicaSet)
    if (grandparent?.kind !== 'Deployment') return []
    const deployment = deployments.lister.get(`${namespace}/${grandparent.name}`)
    return deployment?.spec.strategy?.type === 'Recreate' ? [keyOf(deployment)] : []
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: deployments,
      owns: [replicaSets],
      watches: [
        [replicaSets, keysForOrphan],
        [pods, keysForPod],
      ],
      workers: 5,
      reconcile,
    },
    signal,
  )
  events.stop()
}

/** How the attempt to have a new ReplicaSet went. */
interface Creation {
  fresh: ReplicaSet | undefined
  news?: NewReplicaSetNews
  failure?: unknown
}

interface Done extends Creation {
  replicaSets: ReplicaSet[]
}
