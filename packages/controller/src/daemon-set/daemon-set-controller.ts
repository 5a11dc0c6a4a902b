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
import { controllerOf } from '@dinghy/shared/api/owners'
import { ControllerRevisions, DaemonSets, Nodes, Pods } from '@dinghy/shared/api/resources'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { ControllerRevision, DaemonSet, Node, Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { childrenOf, claimChildren, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { createPod, deletePod, isNamespaceTerminating } from '../children/pod-control.ts'
import { nextAvailabilityInMs } from '../children/pod-state.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import { allOrFirstFailure, slowStart } from '../children/slow-start.ts'
import type { ControllerDeps } from '../deps.ts'
import { removeRevisions, syncRevision } from '../history/revision-control.ts'
import { expiredRevisions, hashOf, revisionHashLabel } from '../history/revision-history.ts'
import { daemonPod, isWantedOn, nodeOf } from './daemon-pod.ts'
import { minReadySecondsOf, planDaemons, type DaemonPlan } from './daemon-plan.ts'
import { daemonSetStatus } from './daemon-status.ts'
import { FailureBackoff } from './failure-backoff.ts'

const name = 'daemonset-controller'

export async function startDaemonSetController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const daemonSets = informers.for(DaemonSets)
  const pods = informers.for(Pods)
  const nodes = informers.for(Nodes)
  const revisions = informers.for(ControllerRevisions)
  indexByController(pods)
  indexByController(revisions)
  const events = new EventRecorder(client, { component: name, clock, log })
  const control = { client, events }
  const expectations = new Expectations(pods)
  const backoff = new FailureBackoff()

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const daemonSet = daemonSets.lister.get(key)
    if (!daemonSet) {
      backoff.forget(`${key}/`)
      return expectations.forget(key)
    }
    const selector = labelSelectorFrom(daemonSet.spec.selector)
    if (selector.requirements.length === 0) {
      const message = 'This daemon set is selecting all pods. A non-empty selector is required.'
      return events.event(daemonSet, 'Warning', 'SelectingAll', message)
    }
    if (daemonSet.metadata.deletionTimestamp !== undefined) return

    const claim = { client, resource: DaemonSets, owner: daemonSet, selector, signal }
    const history = await claimChildren({ ...claim, children: revisions })
    const current = await syncRevision(client, DaemonSets, daemonSet, history, signal)
    const owned = await claimChildren({ ...claim, children: pods })
    const allNodes = nodes.lister.list()
    const hash = hashOf(current)

    const mayAct = expectations.areMet(key)
    const backoffMs = (node: string) => backoff.remainingMs(`${key}/${node}`, clock.now())
    const world = { daemonSet, nodes: allNodes, pods: owned, hash, now: clock.now(), backoffMs }
    const plan = mayAct ? planDaemons(world) : nothingToDo
    const failure = await act(daemonSet, plan, hash, signal)
    await forgetHistory(daemonSet, [...history, current], owned, signal)

    const status = daemonSetStatus(daemonSet, allNodes, owned, hash, clock.now())
    if (!isSemanticallyEqual(status, daemonSet.status)) {
      await client.update(DaemonSets, { ...daemonSet, status }, { subresource: 'status' }, signal)
    }
    if (failure) throw failure.error
    const waits = [
      mayAct ? undefined : expectationsRetryMs,
      plan.retryInMs,
      nextAvailabilityInMs(owned, minReadySecondsOf(daemonSet), clock.now()),
    ].filter((wait) => wait !== undefined)
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.min(...waits) }
  }

  /** A failure is handed back rather than thrown, because the status is written in any case. */
  async function act(daemonSet: DaemonSet, plan: DaemonPlan, hash: string, signal: AbortSignal) {
    const key = keyOf(daemonSet)
    tellFinished(daemonSet, plan.finished)
    try {
      const waiting = [...plan.create]
      await slowStart(waiting.length, async () => {
        const draft = daemonPod(daemonSet, waiting.shift() ?? '', hash)
        expectations.wrote(key, await createPod(control, daemonSet, draft, signal))
      })
      await allOrFirstFailure(
        plan.remove.map(async (pod) => {
          await deletePod(control, daemonSet, pod, signal)
          expectations.deleted(key, pod)
        }),
      )
    } catch (error) {
      if (signal.aborted) throw error
      if (!isNamespaceTerminating(error)) return { error }
    }
    return undefined
  }

  function tellFinished(daemonSet: DaemonSet, finished: Pod[]): void {
    for (const pod of finished) {
      const which = `${pod.metadata.namespace}/${pod.metadata.name} on node ${nodeOf(pod)}`
      if (pod.status.phase === 'Failed') {
        backoff.failed(`${keyOf(daemonSet)}/${nodeOf(pod)}`, clock.now())
        events.event(daemonSet, 'Warning', 'FailedDaemonPod', `Found failed daemon pod ${which}, will try to kill it`)
      } else {
        events.event(
          daemonSet,
          'Normal',
          'SucceededDaemonPod',
          `Found succeeded daemon pod ${which}, will try to delete it`,
        )
      }
    }
  }

  /** Revisions that no pod is of any more, beyond the limit. */
  async function forgetHistory(daemonSet: DaemonSet, history: ControllerRevision[], owned: Pod[], signal: AbortSignal) {
    const inUse = new Set(owned.map((pod) => pod.metadata.labels?.[revisionHashLabel]))
    const present = history.at(-1)
    const isInUse = (one: ControllerRevision) => one.metadata.uid === present?.metadata.uid || inUse.has(hashOf(one))
    const limit = daemonSet.spec.revisionHistoryLimit ?? 10
    await removeRevisions(client, expiredRevisions(history, isInUse, limit), signal)
  }

  function keysForOrphan(orphan: Pod | ControllerRevision): string[] {
    if (controllerOf(orphan)) return []
    const { namespace, labels } = orphan.metadata
    const candidates = daemonSets.lister.list({ namespace })
    return candidates.filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), labels)).map(keyOf)
  }

  /** A node concerns the sets that want it, and those that have a pod there. Heartbeats touch neither. */
  function keysForNode(node: Node): string[] {
    return daemonSets.lister
      .list()
      .filter((daemonSet) => isConcerned(daemonSet, node))
      .map(keyOf)
  }

  function isConcerned(daemonSet: DaemonSet, node: Node): boolean {
    const { shouldRun, mayStay } = isWantedOn(daemonSet, node)
    const hasPod = childrenOf(daemonSet, pods).some((pod) => nodeOf(pod) === node.metadata.name)
    return shouldRun !== hasPod || (hasPod && !mayStay) || nodes.lister.get(node.metadata.name) === undefined
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: daemonSets,
      owns: [pods, revisions],
      watches: [
        [pods, keysForOrphan],
        [revisions, keysForOrphan],
        [nodes, keysForNode],
      ],
      reconcile,
    },
    signal,
  )
  events.stop()
}

const nothingToDo: DaemonPlan = { create: [], remove: [], finished: [] }
