/**
 * How many pods of a PodDisruptionBudget may be evicted right now. Pure.
 *
 *     allowed = healthy pods − pods that must stay healthy,  and never below 0
 *
 * The budget speaks of the pods that *should* be there, so percentages are taken of what the pods' controllers ask for
 * (spec.replicas), not of what happens to exist. Only the eviction API asks for permission; a plain delete does not.
 */

import { setCondition } from '@dinghy/shared/api/conditions'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { Pod, PodDisruptionBudget } from '@dinghy/shared/api/types'
import { resolveIntOrPercent } from '../children/int-or-percent.ts'
import { isPodReady } from '../children/pod-state.ts'

/** An evicted pod that is still there after this time was not deleted after all, and counts again. */
export const disruptionTimeoutMs = 2 * 60_000

type BudgetStatus = PodDisruptionBudget['status']

export interface BudgetInput {
  budget: PodDisruptionBudget
  /** Those that the selector matches. */
  pods: Pod[]
  /** How many pods their controllers ask for, all together. */
  expected: number
  now: number
}

/** The pods for which an eviction was granted and that have not gone yet: name → when. */
export function disruptedPods({ budget, pods, now }: Omit<BudgetInput, 'expected'>): Record<string, string> {
  const granted = budget.status.disruptedPods ?? {}
  const waiting = pods.filter(({ metadata }) => {
    const at = granted[metadata.name]
    return at !== undefined && metadata.deletionTimestamp === undefined && Date.parse(at) + disruptionTimeoutMs > now
  })
  return Object.fromEntries(waiting.map(({ metadata: { name } }) => [name, granted[name] ?? '']))
}

export function budgetStatus(input: BudgetInput): BudgetStatus {
  const { budget, pods, now } = input
  const disrupted = disruptedPods(input)
  const isHealthy = (pod: Pod) =>
    pod.metadata.deletionTimestamp === undefined && !Object.hasOwn(disrupted, pod.metadata.name) && isPodReady(pod)
  const currentHealthy = pods.filter(isHealthy).length
  const { expectedPods, desiredHealthy } = demand(input)
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy)
  const observedGeneration = budget.metadata.generation ?? 0
  const condition = {
    type: 'DisruptionAllowed',
    status: disruptionsAllowed > 0 ? 'True' : 'False',
    reason: disruptionsAllowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration,
    lastTransitionTime: rfc3339(now),
  }
  return {
    // What others have written stays.
    ...budget.status,
    observedGeneration,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    disruptionsAllowed,
    disruptedPods: Object.keys(disrupted).length > 0 ? disrupted : undefined,
    conditions: setCondition(budget.status.conditions, condition, rfc3339(now)),
  }
}

/** When the budget can't be worked out, nothing may be evicted. */
export function failedStatus(budget: PodDisruptionBudget, message: string, now: number): BudgetStatus {
  const observedGeneration = budget.metadata.generation ?? 0
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'SyncFailed',
    message,
    observedGeneration,
    lastTransitionTime: rfc3339(now),
  }
  const conditions = setCondition(budget.status.conditions, condition, rfc3339(now))
  return { ...budget.status, observedGeneration, disruptionsAllowed: 0, conditions }
}

/** Whether the pods' controllers have to be asked. */
export function needsExpected({ spec }: PodDisruptionBudget): boolean {
  return spec.maxUnavailable !== undefined || typeof spec.minAvailable === 'string'
}

function demand({ budget: { spec }, pods, expected }: BudgetInput): { expectedPods: number; desiredHealthy: number } {
  if (spec.maxUnavailable !== undefined) {
    const unavailable = resolveIntOrPercent(spec.maxUnavailable, expected, Math.ceil)
    return { expectedPods: expected, desiredHealthy: Math.max(0, expected - unavailable) }
  }
  const { minAvailable = 1 } = spec
  if (typeof minAvailable === 'number') return { expectedPods: pods.length, desiredHealthy: minAvailable }
  return { expectedPods: expected, desiredHealthy: resolveIntOrPercent(minAvailable, expected, Math.ceil) }
}
