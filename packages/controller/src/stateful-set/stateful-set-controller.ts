/**
 * StatefulSet: pods with a name and a memory: databases, queues, anything whose members are not interchangeable.
 *
 *     stateful-pod.ts      what makes web-1 web-1
 *     stateful-plan.ts     which pod is created or deleted next, and in which order
 *     stateful-claims.ts   the claims of the pods' volumes
 *     claim-retention.ts   what becomes of them
 *     stateful-status.ts   what to tell
 *
 * Names follow from ordinals, so nothing can be created twice; expectations are kept all the same, because a decision
 * that is taken on an old view of the pods could skip a place in the order. Follows stateful_set_control.go.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { ControllerRevisions, PersistentVolumeClaims, Pods, StatefulSets } from '@dinghy/shared/api/resources'
import { labelSelectorFrom } from '@dinghy/shared/api/selectors'
import type { ControllerRevision, Draft, Pod, StatefulSet } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { adoptersOf, claimChildren, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { isNamespaceTerminating } from '../children/pod-control.ts'
import { messageOf } from '@dinghy/shared/api/message-of'
import { nextAvailabilityInMs } from '../children/pod-state.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { removeRevisions, syncRevision } from '../history/revision-control.ts'
import { expiredRevisions, templateOf } from '../history/revision-history.ts'
import { StatefulClaims } from './stateful-claims.ts'
import { planStatefulSet, revisionOf, type StatefulWorld } from './stateful-plan.ts'
import { identityLabels, ordinalOf, statefulPod } from './stateful-pod.ts'
import { statefulSetStatus } from './stateful-status.ts'

const name = 'statefulset-controller'

export class StatefulSetController implements Controller {
  readonly #deps: ControllerDeps
  readonly #sets: Informer<StatefulSet>
  readonly #pods: Informer<Pod>
  readonly #revisions: Informer<ControllerRevision>
  readonly #events: EventRecorder
  readonly #claims: StatefulClaims
  readonly #expectations: Expectations<Pod>

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#sets = informers.for(StatefulSets)
    this.#pods = informers.for(Pods)
    this.#revisions = informers.for(ControllerRevisions)
    indexByController(this.#pods)
    indexByController(this.#revisions)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
    this.#claims = new StatefulClaims({ claims: informers.for(PersistentVolumeClaims).lister, events: this.#events })
    this.#expectations = new Expectations(this.#pods)
  }

  async run(signal: AbortSignal): Promise<void> {
    const adopters = (orphan: Pod | ControllerRevision): string[] =>
      adoptersOf(orphan, this.#sets, ({ spec }) => labelSelectorFrom(spec.selector))
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#sets,
        owns: [this.#pods, this.#revisions],
        watches: [
          [this.#pods, adopters],
          [this.#revisions, adopters],
          [this.#deps.informers.for(PersistentVolumeClaims), () => []],
        ],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const set = this.#sets.lister.get(key)
    if (!set) {
      this.#expectations.forget(key)
      return undefined
    }
    const pods = await this.#claimPods(set, context)
    if (set.metadata.deletionTimestamp !== undefined) return undefined
    const { current, update, history } = await this.#syncRevisions(set, context)
    const [currentRevision, updateRevision] = [current.metadata.name, update.metadata.name]
    const world = { set, pods, currentRevision, updateRevision, now: this.#deps.clock.now() }

    const mayAct = this.#expectations.areMet(key)
    const failure = mayAct ? await this.#act(world, [current, update], context) : undefined
    await this.#removeHistory(world, history, context)
    await writeStatus(StatefulSets, set, statefulSetStatus(world), context)

    if (failure) throw failure.error
    if (!mayAct) return requeueAfter(expectationsRetryMs)
    return requeueAfter(nextAvailabilityInMs(pods, set.spec.minReadySeconds ?? 0, this.#deps.clock.now()))
  }

  /** Its members; a pod that has no ordinal in its name is none. */
  async #claimPods(set: StatefulSet, { client, signal }: ReconcileContext): Promise<Pod[]> {
    const selector = labelSelectorFrom(set.spec.selector)
    const accepts = (pod: Pod): boolean => ordinalOf(set, pod) !== undefined
    const options = { client, resource: StatefulSets, owner: set, selector, children: this.#pods, accepts, signal }
    return (await claimChildren(options)).filter(accepts)
  }

  /** The revision that most pods are of, the one that they should become, and all that are known. */
  async #syncRevisions(set: StatefulSet, { client, signal }: ReconcileContext) {
    const selector = labelSelectorFrom(set.spec.selector)
    const options = { client, resource: StatefulSets, owner: set, selector, children: this.#revisions, signal }
    const known = await claimChildren(options)
    const update = await syncRevision(client, StatefulSets, set, known, signal)
    const current = known.find(({ metadata }) => metadata.name === set.status.currentRevision) ?? update
    return { current, update, history: [...known, update] }
  }

  /** A failure is handed back rather than thrown, because the status is written in any case. */
  async #act(
    world: StatefulWorld,
    revisions: ControllerRevision[],
    context: ReconcileContext,
  ): Promise<{ error: unknown } | undefined> {
    const { set } = world
    const plan = planStatefulSet(world)
    try {
      for (const pod of world.pods) await keepIdentity(set, pod, context)
      await this.#claims.keepOwners(world, context)
      for (const { ordinal, revision } of plan.create) {
        await this.#claims.create(set, ordinal, context)
        const remembered = revisions.find(({ metadata }) => metadata.name === revision)
        const template = remembered ? templateOf(remembered) : set.spec.template
        await this.#createPod(set, statefulPod(set, ordinal, revision, template), context)
      }
      for (const pod of plan.recreate) this.#tellRecreating(set, pod)
      for (const pod of plan.remove) await this.#deletePod(set, pod, context)
    } catch (error) {
      if (context.signal.aborted) throw error
      if (!isNamespaceTerminating(error)) return { error }
    }
    return undefined
  }

  async #createPod(set: StatefulSet, draft: Draft<Pod>, { client, signal }: ReconcileContext): Promise<void> {
    const what = `create Pod ${draft.metadata.name} in StatefulSet ${set.metadata.name}`
    try {
      this.#expectations.wrote(keyOf(set), await client.create(Pods, draft, {}, signal))
      this.#events.event(set, 'Normal', 'SuccessfulCreate', `${what} successful`)
    } catch (error) {
      if (!signal.aborted && !isNamespaceTerminating(error)) {
        this.#events.event(set, 'Warning', 'FailedCreate', `${what} failed error: ${messageOf(error)}`)
      }
      throw error
    }
  }

  async #deletePod(set: StatefulSet, pod: Pod, { client, signal }: ReconcileContext): Promise<void> {
    const { namespace, name, uid } = pod.metadata
    const what = `delete Pod ${name} in StatefulSet ${set.metadata.name}`
    try {
      await client.delete(Pods, { namespace, name }, { preconditions: { uid } }, signal)
    } catch (error) {
      // Gone, or gone and already succeeded by another of the same name.
      if (hasReason(error, 'NotFound', 'Conflict')) return
      if (!signal.aborted) {
        this.#events.event(set, 'Warning', 'FailedDelete', `${what} failed error: ${messageOf(error)}`)
      }
      throw error
    }
    this.#expectations.deleted(keyOf(set), pod)
    this.#events.event(set, 'Normal', 'SuccessfulDelete', `${what} successful`)
  }

  #tellRecreating(set: StatefulSet, { metadata, status }: Pod): void {
    const isFailed = status.phase === 'Failed'
    const what = `is recreating ${isFailed ? 'failed' : 'terminated'} Pod ${metadata.name}`
    const reason = isFailed ? 'RecreatingFailedPod' : 'RecreatingTerminatedPod'
    this.#events.event(set, isFailed ? 'Warning' : 'Normal', reason, `StatefulSet ${keyOf(set)} ${what}`)
  }

  /** Removes revisions beyond the limit that no pod is of any more. */
  async #removeHistory(
    { set, pods, currentRevision, updateRevision }: StatefulWorld,
    history: ControllerRevision[],
    { client, signal }: ReconcileContext,
  ): Promise<void> {
    const inUse = new Set([currentRevision, updateRevision, ...pods.map(revisionOf)])
    const isInUse = ({ metadata }: ControllerRevision): boolean => inUse.has(metadata.name)
    await removeRevisions(client, expiredRevisions(history, isInUse, set.spec.revisionHistoryLimit ?? 10), signal)
  }
}

/** An adopted pod, or one whose labels were edited, gets the labels of its ordinal. */
async function keepIdentity(set: StatefulSet, pod: Pod, { client, signal }: ReconcileContext): Promise<void> {
  const labels = identityLabels(set, ordinalOf(set, pod) ?? 0)
  if (Object.entries(labels).every(([label, value]) => pod.metadata.labels?.[label] === value)) return
  const { namespace, name, uid } = pod.metadata
  await client.patch(Pods, { namespace, name }, { type: 'merge', body: { metadata: { uid, labels } } }, {}, signal)
}
