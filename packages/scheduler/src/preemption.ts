/**
 * Preemption: a pod that fits nowhere may take the place of less important ones.
 *
 *   on each node that pods' leaving could free: remove all that are less important ─► still no fit: not this node
 *     └► put them back one by one, the most important first; those that no longer fit beside the pod are the victims
 *   of all such nodes choose the one that hurts least: fewest broken budgets, least important victims, fewest of them
 *
 * Pure: it says who would have to go; scheduler.ts does it. Upstream tries a random tenth of the nodes of a large
 * cluster; this tries all.
 */

import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { Pod, PodDisruptionBudget } from '@dinghy/shared/api/types'
import { fitErrorMessage, type Diagnosis } from './fit-error.ts'
import { unresolvable, type Plugin, type Refusal } from './framework.ts'
import { fitsOn } from './schedule.ts'
import { findNode, nameOf, priorityOf, withPodsOn, type NodeInfo, type Snapshot } from './snapshot.ts'

export interface Candidate {
  nodeName: string
  /** The most important first. */
  victims: readonly Pod[]
  /** How many of them leave although their disruption budget does not allow it. */
  violations: number
}

export type Preemption =
  | { candidate: Candidate }
  /** `message` continues the FitError's; `clearNomination` when an earlier promise of a node is void. */
  | { candidate: undefined; message: string; clearNomination: boolean }

export function preempt(
  pod: Pod,
  cluster: Snapshot,
  diagnosis: Diagnosis,
  plugins: readonly Plugin[],
  budgets: readonly PodDisruptionBudget[],
): Preemption {
  const ineligible = whyIneligible(pod, cluster, diagnosis)
  if (ineligible !== undefined) {
    return { candidate: undefined, message: `preemption: ${ineligible}`, clearNomination: false }
  }
  const refusals = new Map<string, Refusal>()
  const candidates: Candidate[] = []
  for (const info of cluster.nodes) {
    const found =
      diagnosis.refusals.get(nameOf(info))?.code === 'Unschedulable'
        ? selectVictims(pod, info, cluster, plugins, budgets)
        : unresolvable('Preemption is not helpful for scheduling')
    if ('victims' in found) candidates.push(found)
    else refusals.set(nameOf(info), found)
  }
  const candidate = leastHarmful(candidates)
  if (candidate !== undefined) return { candidate }
  const message = fitErrorMessage({ nodeCount: cluster.nodes.length, refusals, refusedBy: new Set() })
  return { candidate: undefined, message: `preemption: ${message}`, clearNomination: true }
}

function whyIneligible(pod: Pod, cluster: Snapshot, diagnosis: Diagnosis): string | undefined {
  if (pod.spec.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.'
  const promised = pod.status.nominatedNodeName ?? ''
  if (diagnosis.refusals.get(promised)?.code === 'UnschedulableAndUnresolvable') return undefined
  const leaving = findNode(cluster, promised)?.pods.some(
    (other) => priorityOf(other) < priorityOf(pod) && isLeavingByPreemption(other),
  )
  return leaving ? 'not eligible due to a terminating pod on the nominated node.' : undefined
}

function isLeavingByPreemption({ metadata, status }: Pod): boolean {
  const target = status.conditions?.find((condition) => condition.type === 'DisruptionTarget')
  return Boolean(metadata.deletionTimestamp) && target?.status === 'True' && target.reason === 'PreemptionByScheduler'
}

function selectVictims(
  pod: Pod,
  info: NodeInfo,
  cluster: Snapshot,
  plugins: readonly Plugin[],
  budgets: readonly PodDisruptionBudget[],
): Candidate | Refusal {
  const nodeName = nameOf(info)
  const lesser = info.pods.filter((other) => priorityOf(other) < priorityOf(pod)).sort(byImportance)
  if (lesser.length === 0) return unresolvable('No preemption victims found for incoming pod')

  let kept = info.pods.filter((other) => !lesser.includes(other))
  const fitsBeside = (pods: readonly Pod[]) => fitsOn(pod, nodeName, withPodsOn(cluster, nodeName, pods), plugins)
  const refusal = fitsBeside(kept)
  if (refusal !== undefined) return refusal

  const { violating, others } = splitByBudget(lesser, budgets)
  const victims: Pod[] = []
  for (const other of [...violating, ...others]) {
    if (fitsBeside([...kept, other]) === undefined) kept = [...kept, other]
    else victims.push(other)
  }
  const violations = victims.filter((victim) => violating.includes(victim)).length
  return { nodeName, victims: victims.sort(byImportance), violations }
}

/** More important first; of equals, the one that has run longer. */
function byImportance(a: Pod, b: Pod): number {
  return priorityOf(b) - priorityOf(a) || startTime(a) - startTime(b)
}

function startTime(pod: Pod): number {
  return Date.parse(pod.status.startTime ?? pod.metadata.creationTimestamp)
}

/** Those whose leaving would break a disruption budget, given that those before them in the list leave too. */
function splitByBudget(
  pods: readonly Pod[],
  budgets: readonly PodDisruptionBudget[],
): { violating: Pod[]; others: Pod[] } {
  const allowed = new Map(budgets.map((budget) => [budget, budget.status.disruptionsAllowed]))
  const violating: Pod[] = []
  const others: Pod[] = []
  for (const pod of pods) {
    let breaks = false
    for (const budget of budgets.filter((one) => covers(one, pod))) {
      const left = (allowed.get(budget) ?? 0) - 1
      allowed.set(budget, left)
      if (left < 0) breaks = true
    }
    ;(breaks ? violating : others).push(pod)
  }
  return { violating, others }
}

function covers({ metadata, spec, status }: PodDisruptionBudget, pod: Pod): boolean {
  const selector = labelSelectorFrom(spec.selector)
  if (metadata.namespace !== pod.metadata.namespace || selector.requirements.length === 0) return false
  // One that is listed here has been allowed to go and is counted already.
  return matchesLabels(selector, pod.metadata.labels) && !(pod.metadata.name in (status.disruptedPods ?? {}))
}

/** Compared by one criterion after the other, until one candidate is left. */
function leastHarmful(candidates: readonly Candidate[]): Candidate | undefined {
  const criteria: ((candidate: Candidate) => number)[] = [
    ({ violations }) => violations,
    ({ victims }) => Math.max(...victims.map(priorityOf)),
    // Priorities may be negative; lifted above zero, more victims never weigh less than fewer.
    ({ victims }) => victims.reduce((sum, victim) => sum + priorityOf(victim) + 2 ** 31, 0),
    ({ victims }) => victims.length,
    // The later the most important victims began, the less work is lost.
    ({ victims }) =>
      -Math.min(...victims.filter((one) => priorityOf(one) === Math.max(...victims.map(priorityOf))).map(startTime)),
  ]
  let left = candidates
  for (const harm of criteria) {
    const least = Math.min(...left.map(harm))
    left = left.filter((candidate) => harm(candidate) === least)
  }
  return left[0]
}
