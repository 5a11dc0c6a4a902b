/**
 * DaemonSet: one pod on every node, or on every node of a kind: log collectors, network agents, storage drivers.
 *
 *     daemon-pod.ts     which nodes are meant, and what the pod looks like there
 *     daemon-plan.ts    what is missing, what is too much, and the next step of a rolling update
 *     daemon-status.ts  what to tell
 *
 * Its own part of the loop is the same as a ReplicaSet's, down to the expectations. Follows daemon_controller.go.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { ControllerRevisions, DaemonSets, Nodes, Pods } from '@dinghy/shared/api/resources'
import { labelSelectorFrom } from '@dinghy/shared/api/selectors'
import type { ControllerRevision, DaemonSet, Node, Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { adoptersOf, childrenOf, claimChildren, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { createPod, deletePod, isNamespaceTerminating } from '../children/pod-control.ts'
import { nextAvailabilityInMs } from '../children/pod-state.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { allOrFirstFailure, slowStart } from '../children/slow-start.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { removeRevisions, syncRevision } from '../history/revision-control.ts'
import { expiredRevisions, hashOf, revisionHashLabel } from '../history/revision-history.ts'
import { minReadySecondsOf, planDaemons, type DaemonPlan } from './daemon-plan.ts'
import { daemonPod, isWantedOn, nodeOf } from './daemon-pod.ts'
import { daemonSetStatus } from './daemon-status.ts'
import { FailureBackoff } from './failure-backoff.ts'

const name = 'daemonset-controller'
const nothingToDo: DaemonPlan = { create: [], remove: [], finished: [] }

export class DaemonSetController implements Controller {
  readonly #deps: ControllerDeps
  readonly #daemonSets: Informer<DaemonSet>
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  readonly #revisions: Informer<ControllerRevision>
  readonly #events: EventRecorder
  readonly #expectations: Expectations<Pod>
  readonly #backoff = new FailureBackoff()

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#daemonSets = informers.for(DaemonSets)
    this.#pods = informers.for(Pods)
    this.#nodes = informers.for(Nodes)
    this.#revisions = informers.for(ControllerRevisions)
    indexByController(this.#pods)
    indexByController(this.#revisions)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
    this.#expectations = new Expectations(this.#pods)
  }

  async run(signal: AbortSignal): Promise<void> {
    const adopters = (orphan: Pod | ControllerRevision): string[] =>
      adoptersOf(orphan, this.#daemonSets, ({ spec }) => labelSelectorFrom(spec.selector))
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#daemonSets,
        owns: [this.#pods, this.#revisions],
        watches: [
          [this.#pods, adopters],
          [this.#revisions, adopters],
          [this.#nodes, (node: Node) => this.#keysForNode(node)],
        ],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const daemonSet = this.#daemonSets.lister.get(key)
    if (!daemonSet) {
      this.#backoff.forget(`${key}/`)
      this.#expectations.forget(key)
      return undefined
    }
    const selector = labelSelectorFrom(daemonSet.spec.selector)
    if (selector.requirements.length === 0) {
      const message = 'This daemon set is selecting all pods. A non-empty selector is required.'
      this.#events.event(daemonSet, 'Warning', 'SelectingAll', message)
      return undefined
    }
    if (daemonSet.metadata.deletionTimestamp !== undefined) return undefined

    const { client, signal } = context
    const claim = { client, resource: DaemonSets, owner: daemonSet, selector, signal }
    const known = await claimChildren({ ...claim, children: this.#revisions })
    const current = await syncRevision(client, DaemonSets, daemonSet, known, signal)
    const pods = await claimChildren({ ...claim, children: this.#pods })
    const nodes = this.#nodes.lister.list()
    const hash = hashOf(current)
    const now = this.#deps.clock.now()

    const mayAct = this.#expectations.areMet(key)
    const backoffMs = (node: string): number => this.#backoff.remainingMs(`${key}/${node}`, now)
    const plan = mayAct ? planDaemons({ daemonSet, nodes, pods, hash, now, backoffMs }) : nothingToDo
    const failure = await this.#act(daemonSet, plan, hash, context)
    await removeHistory(daemonSet, [...known, current], pods, context)
    await writeStatus(DaemonSets, daemonSet, daemonSetStatus(daemonSet, nodes, pods, hash, now), context)

    if (failure) throw failure.error
    const availability = nextAvailabilityInMs(pods, minReadySecondsOf(daemonSet), now)
    return requeueAfter(mayAct ? undefined : expectationsRetryMs, plan.retryInMs, availability)
  }

  /** A failure is handed back rather than thrown, because the status is written in any case. */
  async #act(
    daemonSet: DaemonSet,
    plan: DaemonPlan,
    hash: string,
    { client, signal }: ReconcileContext,
  ): Promise<{ error: unknown } | undefined> {
    const key = keyOf(daemonSet)
    const control = { client, events: this.#events }
    for (const pod of plan.finished) this.#noteFinished(daemonSet, pod)
    try {
      const waiting = [...plan.create]
      await slowStart(waiting.length, async () => {
        const draft = daemonPod(daemonSet, waiting.shift() ?? '', hash)
        this.#expectations.wrote(key, await createPod(control, daemonSet, draft, signal))
      })
      await allOrFirstFailure(
        plan.remove.map(async (pod) => {
          await deletePod(control, daemonSet, pod, signal)
          this.#expectations.deleted(key, pod)
        }),
      )
    } catch (error) {
      if (signal.aborted) throw error
      if (!isNamespaceTerminating(error)) return { error }
    }
    return undefined
  }

  /** Tells of a pod that ended by itself; after a failure its node has to wait for the next one. */
  #noteFinished(daemonSet: DaemonSet, pod: Pod): void {
    const node = nodeOf(pod)
    const which = `${pod.metadata.namespace}/${pod.metadata.name} on node ${node}`
    if (pod.status.phase !== 'Failed') {
      const message = `Found succeeded daemon pod ${which}, will try to delete it`
      this.#events.event(daemonSet, 'Normal', 'SucceededDaemonPod', message)
      return
    }
    this.#backoff.failed(`${keyOf(daemonSet)}/${node}`, this.#deps.clock.now())
    const message = `Found failed daemon pod ${which}, will try to kill it`
    this.#events.event(daemonSet, 'Warning', 'FailedDaemonPod', message)
  }

  /** A node concerns the sets that want it and have no pod there, and those that have one there that may not stay. */
  #keysForNode(node: Node): string[] {
    const isConcerned = (daemonSet: DaemonSet): boolean => {
      const { shouldRun, mayStay } = isWantedOn(daemonSet, node)
      const hasPod = childrenOf(daemonSet, this.#pods).some((pod) => nodeOf(pod) === node.metadata.name)
      const isGone = this.#nodes.lister.get(node.metadata.name) === undefined
      return shouldRun !== hasPod || (hasPod && !mayStay) || isGone
    }
    return this.#daemonSets.lister.list().filter(isConcerned).map(keyOf)
  }
}

/** Removes revisions beyond the limit that no pod is of any more. */
async function removeHistory(
  daemonSet: DaemonSet,
  history: ControllerRevision[],
  pods: Pod[],
  { client, signal }: ReconcileContext,
): Promise<void> {
  const inUse = new Set(pods.map((pod) => pod.metadata.labels?.[revisionHashLabel]))
  const present = history.at(-1)
  const isInUse = (one: ControllerRevision): boolean =>
    one.metadata.uid === present?.metadata.uid || inUse.has(hashOf(one))
  const limit = daemonSet.spec.revisionHistoryLimit ?? 10
  await removeRevisions(client, expiredRevisions(history, isInUse, limit), signal)
}
