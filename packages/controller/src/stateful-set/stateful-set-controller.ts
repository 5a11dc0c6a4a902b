/**
 * StatefulSet: pods with a name and a memory: databases, queues, anything whose members are not interchangeable.
 *
 *     stateful-pod.ts      what makes web-1 web-1
 *     stateful-plan.ts     which pod is created or deleted next, and in which order
 *     claim-retention.ts   what becomes of the volumes
 *     stateful-status.ts   what to tell
 *
 * Names follow from ordinals, so nothing can be created twice; expectations are kept all the same, because a decision
 * that is taken on an old view of the pods could skip a place in the order. Follows stateful_set_control.go.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { controllerOf } from '@dinghy/shared/api/owners'
import { ControllerRevisions, PersistentVolumeClaims, Pods, StatefulSets } from '@dinghy/shared/api/resources'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { ControllerRevision, Draft, PersistentVolumeClaim, Pod, StatefulSet } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { claimChildren, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { isNamespaceTerminating } from '../children/pod-control.ts'
import { messageOf } from '@dinghy/shared/api/message-of'
import { nextAvailabilityInMs } from '../children/pod-state.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { ControllerDeps } from '../deps.ts'
import { removeRevisions, syncRevision } from '../history/revision-control.ts'
import { expiredRevisions, templateOf } from '../history/revision-history.ts'
import { retentionOwners } from './claim-retention.ts'
import { claimsFor, identityLabels, ordinalOf, statefulPod } from './stateful-pod.ts'
import { condemnedPods, planStatefulSet, revisionOf, type StatefulWorld } from './stateful-plan.ts'
import { statefulSetStatus } from './stateful-status.ts'

const name = 'statefulset-controller'

export async function startStatefulSetController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const sets = informers.for(StatefulSets)
  const pods = informers.for(Pods)
  const claims = informers.for(PersistentVolumeClaims)
  const revisions = informers.for(ControllerRevisions)
  indexByController(pods)
  indexByController(revisions)
  const events = new EventRecorder(client, { component: name, clock, log })
  const expectations = new Expectations(pods)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const set = sets.lister.get(key)
    if (!set) return expectations.forget(key)
    const selector = labelSelectorFrom(set.spec.selector)
    const claim = { client, resource: StatefulSets, owner: set, selector, signal }
    const accepts = (pod: Pod) => ordinalOf(set, pod) !== undefined
    const owned = (await claimChildren({ ...claim, children: pods, accepts })).filter(accepts)
    if (set.metadata.deletionTimestamp !== undefined) return

    const history = await claimChildren({ ...claim, children: revisions })
    const update = await syncRevision(client, StatefulSets, set, history, signal)
    const current = history.find(({ metadata }) => metadata.name === set.status.currentRevision) ?? update
    const [currentRevision, updateRevision] = [current.metadata.name, update.metadata.name]
    const world = { set, pods: owned, currentRevision, updateRevision, now: clock.now() }

    const mayAct = expectations.areMet(key)
    const failure = mayAct ? await act(world, [current, update], signal) : undefined
    await forgetHistory(world, [...history, update], signal)

    const status = statefulSetStatus(world)
    if (!isSemanticallyEqual(status, set.status)) {
      await client.update(StatefulSets, { ...set, status }, { subresource: 'status' }, signal)
    }
    if (failure) throw failure.error
    if (!mayAct) return { requeueAfterMs: expectationsRetryMs }
    const wait = nextAvailabilityInMs(owned, set.spec.minReadySeconds ?? 0, clock.now())
    return wait === undefined ? undefined : { requeueAfterMs: wait }
  }

  /** A failure is handed back rather than thrown, because the status is written in any case. */
  async function act(world: StatefulWorld, known: ControllerRevision[], signal: AbortSignal) {
    const { set } = world
    const plan = planStatefulSet(world)
    try {
      await keepIdentities(world, signal)
      await keepClaims(world, signal)
      for (const { ordinal, revision } of plan.create) {
        await createClaims(set, ordinal, signal)
        const template = known.find(({ metadata }) => metadata.name === revision)
        await create(
          set,
          statefulPod(set, ordinal, revision, template ? templateOf(template) : set.spec.template),
          signal,
        )
      }
      for (const pod of plan.recreate) tellRecreating(set, pod)
      for (const pod of plan.remove) await remove(set, pod, signal)
    } catch (error) {
      if (signal.aborted) throw error
      if (!isNamespaceTerminating(error)) return { error }
    }
    return undefined
  }

  async function create(set: StatefulSet, draft: Draft<Pod>, signal: AbortSignal): Promise<void> {
    const what = `create Pod ${draft.metadata.name} in StatefulSet ${set.metadata.name}`
    try {
      expectations.wrote(keyOf(set), await client.create(Pods, draft, {}, signal))
      events.event(set, 'Normal', 'SuccessfulCreate', `${what} successful`)
    } catch (error) {
      if (!signal.aborted && !isNamespaceTerminating(error)) {
        events.event(set, 'Warning', 'FailedCreate', `${what} failed error: ${messageOf(error)}`)
      }
      throw error
    }
  }

  async function remove(set: StatefulSet, pod: Pod, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid } = pod.metadata
    const what = `delete Pod ${name} in StatefulSet ${set.metadata.name}`
    try {
      await client.delete(Pods, { namespace, name }, { preconditions: { uid } }, signal)
    } catch (error) {
      // Gone, or gone and already succeeded by another of the same name.
      if (hasReason(error, 'NotFound', 'Conflict')) return
      if (!signal.aborted) events.event(set, 'Warning', 'FailedDelete', `${what} failed error: ${messageOf(error)}`)
      throw error
    }
    expectations.deleted(keyOf(set), pod)
    events.event(set, 'Normal', 'SuccessfulDelete', `${what} successful`)
  }

  function tellRecreating(set: StatefulSet, { metadata, status }: Pod): void {
    const isFailed = status.phase === 'Failed'
    const what = `is recreating ${isFailed ? 'failed' : 'terminated'} Pod ${metadata.name}`
    const reason = isFailed ? 'RecreatingFailedPod' : 'RecreatingTerminatedPod'
    events.event(set, isFailed ? 'Warning' : 'Normal', reason, `StatefulSet ${keyOf(set)} ${what}`)
  }

  /** The pod's claims exist before the pod does: its volumes must not be someone else's on their way out. */
  async function createClaims(set: StatefulSet, ordinal: number, signal: AbortSignal): Promise<void> {
    for (const draft of claimsFor(set, ordinal)) {
      const existing = claims.lister.get(makeKey(set.metadata.namespace, draft.metadata.name ?? ''))
      if (existing?.metadata.deletionTimestamp !== undefined) {
        throw new Error(`pvc ${existing.metadata.name} is being deleted`)
      }
      if (!existing) await createClaim(set, ordinal, draft, signal)
    }
  }

  async function createClaim(
    set: StatefulSet,
    ordinal: number,
    draft: Draft<PersistentVolumeClaim>,
    signal: AbortSignal,
  ): Promise<void> {
    const what = `create Claim ${draft.metadata.name} Pod ${set.metadata.name}-${ordinal} in StatefulSet ${set.metadata.name}`
    try {
      const created = await client.create(PersistentVolumeClaims, draft, {}, signal)
      events.event(set, 'Normal', 'SuccessfulCreate', `${what} success`)
      await setOwners(created, retentionOwners(set, undefined, false, created), signal)
    } catch (error) {
      // Ours, which the cache does not show yet, or one that was prepared for us.
      if (hasReason(error, 'AlreadyExists')) return
      if (!signal.aborted) events.event(set, 'Warning', 'FailedCreate', `${what} failed error: ${messageOf(error)}`)
      throw error
    }
  }

  /** Puts the retention policy on the claims of all pods, those that are about to go included. */
  async function keepClaims({ set, pods: owned }: StatefulWorld, signal: AbortSignal): Promise<void> {
    if ((set.spec.volumeClaimTemplates ?? []).length === 0) return
    const condemned = new Set(condemnedPods(set, owned))
    for (const pod of owned) {
      for (const { metadata } of claimsFor(set, ordinalOf(set, pod) ?? 0)) {
        const claim = claims.lister.get(makeKey(set.metadata.namespace, metadata.name ?? ''))
        if (claim) await setOwners(claim, retentionOwners(set, pod, condemned.has(pod), claim), signal)
      }
    }
  }

  async function setOwners(
    claim: PersistentVolumeClaim,
    ownerReferences: PersistentVolumeClaim['metadata']['ownerReferences'],
    signal: AbortSignal,
  ): Promise<void> {
    if (!ownerReferences) return
    const metadata = { ...claim.metadata, ownerReferences }
    await client.update(PersistentVolumeClaims, { ...claim, metadata }, {}, signal)
  }

  /** An adopted pod, or one whose labels were edited, gets the labels of its ordinal. */
  async function keepIdentities({ set, pods: owned }: StatefulWorld, signal: AbortSignal): Promise<void> {
    for (const pod of owned) {
      const labels = identityLabels(set, ordinalOf(set, pod) ?? 0)
      const isRight = Object.entries(labels).every(([label, value]) => pod.metadata.labels?.[label] === value)
      if (isRight) continue
      const { namespace, name, uid } = pod.metadata
      await client.patch(Pods, { namespace, name }, { type: 'merge', body: { metadata: { uid, labels } } }, {}, signal)
    }
  }

  async function forgetHistory(
    world: StatefulWorld,
    history: ControllerRevision[],
    signal: AbortSignal,
  ): Promise<void> {
    const { set, pods: owned, currentRevision, updateRevision } = world
    const inUse = new Set([currentRevision, updateRevision, ...owned.map(revisionOf)])
    const expired = expiredRevisions(
      history,
      ({ metadata }) => inUse.has(metadata.name),
      set.spec.revisionHistoryLimit ?? 10,
    )
    await removeRevisions(client, expired, signal)
  }

  function keysForOrphan(orphan: Pod | ControllerRevision): string[] {
    if (controllerOf(orphan)) return []
    const { namespace, labels } = orphan.metadata
    const candidates = sets.lister.list({ namespace })
    return candidates.filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), labels)).map(keyOf)
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: sets,
      owns: [pods, revisions],
      watches: [
        [pods, keysForOrphan],
        [revisions, keysForOrphan],
        [claims, () => []],
      ],
      reconcile,
    },
    signal,
  )
  events.stop()
}
