/**
 * PodDisruptionBudget: keeps the status true from which the eviction API decides (`kubectl drain` uses that API).
 * budget.ts has the arithmetic; this file finds the pods and asks their controllers how many there should be.
 * Follows disruption.go; of owners only the built-in workloads are asked, not anything with a scale subresource.
 */

import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { controllerOf } from '@dinghy/shared/api/owners'
import {
  Deployments,
  PodDisruptionBudgets,
  Pods,
  ReplicaSets,
  ReplicationControllers,
  StatefulSets,
  type Resource,
} from '@dinghy/shared/api/resources'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { KubernetesObject, Pod, PodDisruptionBudget } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import {
  runController,
  type ChangeSource,
  type ReconcileContext,
  type Watch,
} from '@dinghy/shared/reconcile/controller'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { budgetStatus, disruptedPods, disruptionTimeoutMs, failedStatus, needsExpected } from './budget.ts'

const name = 'disruption-controller'

/** What decides how many pods there should be. */
interface Scaled extends KubernetesObject {
  spec: { replicas?: number }
}

/** How many pods the controllers of the selected ones ask for; or why that cannot be told. */
type Expected = { count: number; unmanaged: string[] } | { problem: string }

export class DisruptionController implements Controller {
  readonly #deps: ControllerDeps
  readonly #budgets: Informer<PodDisruptionBudget>
  readonly #pods: Informer<Pod>
  /** By the kind that an owner reference names. */
  readonly #owners: Map<string, ChangeSource & { lister: { get(key: string): Scaled | undefined } }>
  readonly #events: EventRecorder

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#budgets = informers.for(PodDisruptionBudgets)
    this.#pods = informers.for(Pods)
    const owners = [Deployments, ReplicaSets, ReplicationControllers, StatefulSets] as Resource<Scaled>[]
    this.#owners = new Map(owners.map((resource) => [resource.kind, informers.for(resource)]))
    this.#events = new EventRecorder(deps.client.as(name), { component: 'controllermanager', clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#budgets,
        watches: [
          [this.#pods, (pod: Pod) => this.#keysForPod(pod)],
          ...[...this.#owners.values()].map((owners): Watch => [owners, () => []]),
        ],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const budget = this.#budgets.lister.get(key)
    if (!budget) return undefined
    const now = this.#deps.clock.now()
    const selector = labelSelectorFrom(budget.spec.selector)
    const pods = this.#pods.lister.list({ namespace: budget.metadata.namespace, selector })
    const expected = needsExpected(budget) ? this.#expectedOf(pods) : { count: 0, unmanaged: [] }
    this.#tell(budget, pods, expected, now)

    const status =
      'problem' in expected
        ? failedStatus(budget, expected.problem, now)
        : budgetStatus({ budget, pods, expected: expected.count, now })
    await writeStatus(PodDisruptionBudgets, budget, status, context)
    const granted = Object.values(status.disruptedPods ?? {})
    return requeueAfter(...granted.map((at) => Date.parse(at) + disruptionTimeoutMs - now))
  }

  /** Pods that nobody controls say nothing about how many there should be. */
  #expectedOf(pods: Pod[]): Expected {
    const replicas = new Map<string, number>()
    const unmanaged: string[] = []
    for (const pod of pods) {
      if (!controllerOf(pod)) {
        unmanaged.push(pod.metadata.name)
        continue
      }
      const owner = this.#topOwnerOf(pod)
      if (!owner) return { problem: `found no controllers for pod "${pod.metadata.name}"` }
      replicas.set(owner.metadata.uid, owner.spec.replicas ?? 1)
    }
    return { count: [...replicas.values()].reduce((total, count) => total + count, 0), unmanaged }
  }

  /** The Deployment above a ReplicaSet is who decides. */
  #topOwnerOf(object: KubernetesObject): Scaled | undefined {
    const reference = controllerOf(object)
    if (!reference) return undefined
    const key = makeKey(object.metadata.namespace, reference.name)
    const owner = this.#owners.get(reference.kind)?.lister.get(key)
    if (!owner || owner.metadata.uid !== reference.uid) return undefined
    return this.#topOwnerOf(owner) ?? owner
  }

  #tell(budget: PodDisruptionBudget, pods: Pod[], expected: Expected, now: number): void {
    if (pods.length === 0) this.#events.event(budget, 'Normal', 'NoPods', 'No matching pods found')
    if ('problem' in expected) {
      const message = `Failed to calculate the number of expected pods: ${expected.problem}`
      this.#events.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', message)
    } else if (expected.unmanaged.length > 0) {
      const message =
        `Pods that no controller manages are selected (${expected.unmanaged.join(', ')}), so the budget cannot be ` +
        'worked out correctly; an integer in .spec.minAvailable would account for them'
      this.#events.event(budget, 'Warning', 'UnmanagedPods', message)
    }
    const granted = budget.status.disruptedPods ?? {}
    const waiting = disruptedPods({ budget, pods, now })
    for (const pod of pods) {
      const { name, deletionTimestamp } = pod.metadata
      if (!Object.hasOwn(granted, name) || Object.hasOwn(waiting, name) || deletionTimestamp !== undefined) continue
      const message = `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`
      this.#events.event(pod, 'Warning', 'NotDeleted', message)
    }
  }

  #keysForPod(pod: Pod): string[] {
    const { namespace, labels } = pod.metadata
    const candidates = this.#budgets.lister.list({ namespace })
    return candidates.filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), labels)).map(keyOf)
  }
}
