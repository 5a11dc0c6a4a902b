/**
 * From a metric to a number of replicas. Pure; follows podautoscaler/replica_calculator.go.
 *
 *   wanted = ceil(pods that count × used ÷ target), unless used ÷ target is within the tolerance of 1
 *
 * The care lies in the pods that say nothing yet. One that has no metric is assumed to use nothing when the answer
 * would be "more", and exactly its target when it would be "fewer"; if that turns the answer round, there is no answer,
 * and the number stays.
 *
 * All amounts are in thousandths, as upstream compares them ("MilliValue").
 */

import { getCondition } from '@dinghy/shared/api/conditions'
import { parseQuantity } from '@dinghy/shared/api/quantity'
import type { Pod } from '@dinghy/shared/api/types'
import { isPodReady } from '../children/pod-state.ts'

export interface PodMetric {
  milli: number
  timestampMs: number
  windowMs: number
}

/** By the name of the pod. */
export type PodMetrics = ReadonlyMap<string, PodMetric>

export interface Tuning {
  now: number
  /** How far from 1 the ratio may be without a change: 0.1. */
  tolerance: number
  /** How long the CPU that a pod uses to start says nothing of its load. */
  cpuInitializationPeriodMs: number
  /** How long after its start a pod that is not ready may be one that never was. */
  initialReadinessDelayMs: number
}

export interface Proposal {
  replicas: number
  /** What an average pod uses. */
  averageMilli: number
  /** The same as a percentage of its request. */
  utilization?: number
}

/** A metric that nothing can be computed from; the message is upstream's. */
export class NoProposal extends Error {}

interface Scaled {
  pods: readonly Pod[]
  currentReplicas: number
  tuning: Tuning
}

/** Of a resource, as a percentage of what the pods request. `container`: of this container alone. */
export function replicasByUtilization(
  scaled: Scaled,
  metrics: PodMetrics,
  { resource, target, container }: { resource: string; target: number; container?: string | undefined },
): Proposal {
  const requests = requestsOf(scaled.pods, resource, container)
  const ratioOf = (used: ReadonlyMap<string, number>) => utilizationRatio(used, requests, target)
  return propose(scaled, metrics, resource, ratioOf, (pod) => requests.get(pod) ?? 0)
}

/** By what an average pod uses. */
export function replicasByAverage(scaled: Scaled, metrics: PodMetrics, targetMilli: number, resource = ''): Proposal {
  const ratioOf = (used: ReadonlyMap<string, number>) => {
    const averageMilli = average(used)
    return { ratio: averageMilli / targetMilli, averageMilli }
  }
  return propose(scaled, metrics, resource, ratioOf, () => targetMilli)
}

/** By one value for all pods together, such as a queue's length: from nothing, too. */
export function replicasByValue({ pods, currentReplicas, tuning }: Scaled, milli: number, targetMilli: number): number {
  const ratio = milli / targetMilli
  if (currentReplicas === 0) return Math.ceil(ratio)
  if (Math.abs(1 - ratio) <= tuning.tolerance) return currentReplicas
  requirePods(pods)
  return Math.ceil(ratio * pods.filter((pod) => pod.status.phase === 'Running' && isPodReady(pod)).length)
}

/** By one value of which each pod shall get this share. */
export function replicasByShare(
  statusReplicas: number,
  milli: number,
  targetMilli: number,
  { tolerance }: Tuning,
): Proposal {
  const ratio = milli / (targetMilli * statusReplicas)
  const replicas = Math.abs(1 - ratio) > tolerance ? Math.ceil(milli / targetMilli) : statusReplicas
  return { replicas, averageMilli: statusReplicas === 0 ? milli : Math.ceil(milli / statusReplicas) }
}

interface Ratio {
  ratio: number
  averageMilli: number
  utilization?: number
}

function propose(
  { pods, currentReplicas, tuning }: Scaled,
  metrics: PodMetrics,
  resource: string,
  ratioOf: (used: ReadonlyMap<string, number>) => Ratio,
  fullUseOf: (pod: string) => number,
): Proposal {
  requirePods(pods)
  const { ready, unready, missing } = groupPods(pods, metrics, resource, tuning)
  const used = new Map([...metrics].filter(([pod]) => !unready.has(pod)).map(([pod, { milli }]) => [pod, milli]))
  if (used.size === 0) throw new NoProposal('did not receive metrics for any ready pods')
  const { ratio, ...measured } = ratioOf(used)
  const stay = { replicas: currentReplicas, ...measured }
  const countsUnready = unready.size > 0 && ratio > 1
  if (!countsUnready && missing.size === 0) {
    return isWithin(ratio, tuning) ? stay : { replicas: Math.ceil(ratio * ready), ...measured }
  }
  for (const pod of missing) used.set(pod, ratio < 1 ? fullUseOf(pod) : 0)
  if (countsUnready) for (const pod of unready) used.set(pod, 0)
  const { ratio: guarded } = ratioOf(used)
  const turnsRound = (ratio < 1 && guarded > 1) || (ratio > 1 && guarded < 1)
  if (isWithin(guarded, tuning) || turnsRound) return stay
  const replicas = Math.ceil(guarded * used.size)
  const contradicts = (guarded < 1 && replicas > currentReplicas) || (guarded > 1 && replicas < currentReplicas)
  return contradicts ? stay : { replicas, ...measured }
}

function requirePods(pods: readonly Pod[]): void {
  if (pods.length === 0) throw new NoProposal('no pods returned by selector while calculating replica count')
}

function isWithin(ratio: number, { tolerance }: Tuning): boolean {
  return Math.abs(1 - ratio) <= tolerance
}

/** Pods that count, those that are not to be believed yet, and those of which nothing is known. */
export function groupPods(
  pods: readonly Pod[],
  metrics: PodMetrics,
  resource: string,
  tuning: Tuning,
): { ready: number; unready: Set<string>; missing: Set<string> } {
  const unready = new Set<string>()
  const missing = new Set<string>()
  let ready = 0
  for (const pod of pods) {
    const { name, deletionTimestamp } = pod.metadata
    if (deletionTimestamp !== undefined || pod.status.phase === 'Failed') continue
    const metric = metrics.get(name)
    if (pod.status.phase === 'Pending') unready.add(name)
    else if (!metric) missing.add(name)
    else if (resource === 'cpu' && isStarting(pod, metric, tuning)) unready.add(name)
    else ready++
  }
  return { ready, unready, missing }
}

function isStarting(pod: Pod, metric: PodMetric, tuning: Tuning): boolean {
  const condition = getCondition(pod.status.conditions, 'Ready')
  if (!condition || pod.status.startTime === undefined) return true
  const startMs = Date.parse(pod.status.startTime)
  const changedMs = Date.parse(condition.lastTransitionTime ?? '')
  const isReady = condition.status !== 'False'
  if (startMs + tuning.cpuInitializationPeriodMs > tuning.now) {
    return !isReady || metric.timestampMs < changedMs + metric.windowMs
  }
  // It has never been ready: that is how it began.
  return !isReady && startMs + tuning.initialReadinessDelayMs > changedMs
}

function requestsOf(pods: readonly Pod[], resource: string, container: string | undefined): Map<string, number> {
  return new Map(
    pods.map(({ metadata, spec }) => {
      const counted =
        container === undefined ? podContainers(spec) : podContainers(spec).filter((one) => one.name === container)
      const requests = counted.map(({ name, resources }) => {
        const request = resources?.requests?.[resource]
        if (request !== undefined) return milliOf(request)
        throw new NoProposal(`missing request for ${resource} in container ${name} of Pod ${metadata.name}`)
      })
      return [metadata.name, requests.reduce((sum, one) => sum + one, 0)]
    }),
  )
}

/** Sidecars (init containers that run on) count, too. */
function podContainers({ containers, initContainers = [] }: Pod['spec']) {
  return [...containers, ...initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')]
}

function utilizationRatio(
  used: ReadonlyMap<string, number>,
  requests: ReadonlyMap<string, number>,
  target: number,
): Ratio {
  const counted = [...used].filter(([pod]) => requests.has(pod))
  const sum = (numbers: number[]) => numbers.reduce((whole, one) => whole + one, 0)
  const total = sum(counted.map(([, milli]) => milli))
  const requested = sum(counted.map(([pod]) => requests.get(pod) ?? 0))
  if (requested === 0) throw new NoProposal('no metrics returned matched known pods')
  const utilization = Math.floor((total * 100) / requested)
  return { ratio: utilization / target, utilization, averageMilli: Math.floor(total / counted.length) }
}

function average(used: ReadonlyMap<string, number>): number {
  const values = [...used.values()]
  return Math.floor(values.reduce((sum, one) => sum + one, 0) / values.length)
}

/** Rounded up, as Quantity.MilliValue(). */
export function milliOf(quantity: string | number): number {
  const { nano } = parseQuantity(quantity)
  return Number((nano + 999_999n) / 1_000_000n)
}
