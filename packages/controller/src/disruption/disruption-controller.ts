/**
 * PodDisruptionBudget: keeps the status true from which the eviction API decides (`kubectl drain` uses that API).
 * budget.ts has the arithmetic; this file finds the pods and asks their controllers how many there should be.
 * Follows disruption.go; of owners only the built-in workloads are asked, not anything with a scale subresource.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { controllerOf } from '@dinghy/shared/api/owners'
import {
  Deployments,
  PodDisruptionBudgets,
  Pods,
  ReplicaSets,
  ReplicationControllers,
  StatefulSets,
} from '@dinghy/shared/api/resources'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { KubernetesObject, Pod, PodDisruptionBudget } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { ControllerDeps } from '../deps.ts'
import { budgetStatus, disruptedPods, disruptionTimeoutMs, failedStatus, needsExpected } from './budget.ts'

const name = 'disruption-controller'

interface Scaled extends KubernetesObject {
  spec: { replicas?: number }
}

export async function startDisruptionController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const budgets = informers.for(PodDisruptionBudgets)
  const pods = informers.for(Pods)
  const deployments = informers.for(Deployments)
  const replicaSets = informers.for(ReplicaSets)
  const replicationControllers = informers.for(ReplicationControllers)
  const statefulSets = informers.for(StatefulSets)
  const owners: Record<string, { lister: { get(key: string): Scaled | undefined } }> = {
    Deployment: deployments,
    ReplicaSet: replicaSets,
    ReplicationController: replicationControllers,
    StatefulSet: statefulSets,
  }
  const events = new EventRecorder(client, { component: 'controllermanager', clock, log })

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const budget = budgets.lister.get(key)
    if (!budget) return undefined
    const now = clock.now()
    const selector = labelSelectorFrom(budget.spec.selector)
    const selected = pods.lister.list({ namespace: budget.metadata.namespace, selector })
    if (selected.length === 0) events.event(budget, 'Normal', 'NoPods', 'No matching pods found')
    const { expected, problem } = needsExpected(budget) ? expectedPods(budget, selected) : { expected: 0 }
    tellNotDeleted(budget, selected, now)

    const status = problem
      ? failedStatus(budget, problem, now)
      : budgetStatus({ budget, pods: selected, expected, now })
    if (!isSemanticallyEqual(status, budget.status)) {
      await client.update(PodDisruptionBudgets, { ...budget, status }, { subresource: 'status' }, signal)
    }
    const ends = Object.values(status.disruptedPods ?? {}).map((at) => Date.parse(at) + disruptionTimeoutMs - now)
    return ends.length === 0 ? undefined : { requeueAfterMs: Math.min(...ends) }
  }

  /** What the controllers of these pods ask for. Pods that nobody controls say nothing about how many there should be. */
  function expectedPods(budget: PodDisruptionBudget, selected: Pod[]): { expected: number; problem?: string } {
    const replicas = new Map<string, number>()
    const unmanaged: string[] = []
    for (const pod of selected) {
      const reference = controllerOf(pod)
      if (!reference) unmanaged.push(pod.metadata.name)
      else {
        const owner = topOwnerOf(pod)
        if (!owner) return { expected: 0, problem: fail(budget, `found no controllers for pod "${pod.metadata.name}"`) }
        replicas.set(owner.metadata.uid, owner.spec.replicas ?? 1)
      }
    }
    if (unmanaged.length > 0) {
      const message =
        `Pods that no controller manages are selected (${unmanaged.join(', ')}), so the budget cannot be worked out ` +
        'correctly; an integer in .spec.minAvailable would account for them'
      events.event(budget, 'Warning', 'UnmanagedPods', message)
    }
    return { expected: [...replicas.values()].reduce((total, count) => total + count, 0) }
  }

  function fail(budget: PodDisruptionBudget, message: string): string {
    const text = `Failed to calculate the number of expected pods: ${message}`
    events.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', text)
    return message
  }

  /** The Deployment above a ReplicaSet is who decides. */
  function topOwnerOf(object: KubernetesObject): Scaled | undefined {
    const reference = controllerOf(object)
    const owner = reference && owners[reference.kind]?.lister.get(`${object.metadata.namespace}/${reference.name}`)
    if (!owner || owner.metadata.uid !== reference.uid) return undefined
    return topOwnerOf(owner) ?? owner
  }

  function tellNotDeleted(budget: PodDisruptionBudget, selected: Pod[], now: number): void {
    const waiting = disruptedPods({ budget, pods: selected, now })
    const granted = budget.status.disruptedPods ?? {}
    for (const pod of selected) {
      const { name, deletionTimestamp } = pod.metadata
      if (!Object.hasOwn(granted, name) || Object.hasOwn(waiting, name) || deletionTimestamp !== undefined) continue
      const message = `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`
      events.event(pod, 'Warning', 'NotDeleted', message)
    }
  }

  function keysForPod(pod: Pod): string[] {
    const candidates = budgets.lister.list({ namespace: pod.metadata.namespace })
    return candidates
      .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), pod.metadata.labels))
      .map(keyOf)
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: budgets,
      watches: [
        [pods, keysForPod],
        [deployments, () => []],
        [replicaSets, () => []],
        [replicationControllers, () => []],
        [statefulSets, () => []],
      ],
      reconcile,
    },
    signal,
  )
  events.stop()
}
