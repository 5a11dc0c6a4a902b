/**
 * Which pods go first when there are too many: the ones that will be missed least. Pure.
 *
 * The order is upstream's ActivePodsWithRanks. Each rule below only decides when all rules before it see a tie.
 * Where two pods differ only in age, ages are compared by their power of two (LogarithmicScaleDown): pods of about the
 * same age count as equal and the uid decides, so that scaling down does not always empty the newest node.
 */

import type { Pod } from '@dinghy/shared/api/types'
import { isPodReady, readySinceMs } from './pod-state.ts'

/**
 * The `count` pods to delete out of `pods` (active ones of one owner).
 * `related` are all active pods of the same family, which tell how crowded each node is: for a ReplicaSet of a
 * Deployment, the pods of all its ReplicaSets.
 */
export function podsToDelete(pods: Pod[], related: Pod[], count: number, now: number): Pod[] {
  if (count >= pods.length) return pods
  const perNode = new Map<string, number>()
  for (const pod of related) {
    const node = pod.spec.nodeName
    if (node) perNode.set(node, (perNode.get(node) ?? 0) + 1)
  }
  const crowd = (pod: Pod) => perNode.get(pod.spec.nodeName ?? '') ?? 0
  const order = (a: Pod, b: Pod) => {
    for (const rule of rules) {
      const difference = rule(a, b, crowd, now)
      if (difference !== 0) return difference
    }
    return 0
  }
  return [...pods].sort(order).slice(0, count)
}

/** Negative: `a` is deleted before `b`. */
type Rule = (a: Pod, b: Pod, crowd: (pod: Pod) => number, now: number) => number

const rules: Rule[] = [
  // Not yet on a node before assigned.
  (a, b) => Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName)),
  // Pending before unknown before running.
  (a, b) => phaseRank(a) - phaseRank(b),
  // Not ready before ready.
  (a, b) => Number(isPodReady(a)) - Number(isPodReady(b)),
  // What the user says it costs, cheapest first.
  (a, b) => deletionCost(a) - deletionCost(b),
  // From crowded nodes before lonely ones.
  (a, b, crowd) => crowd(b) - crowd(a),
  // Ready for a short time before ready for long.
  (a, b, _crowd, now) =>
    isPodReady(a) && isPodReady(b) ? youngerFirst(a, b, readySinceMs(a), readySinceMs(b), now) : 0,
  // Many restarts before few.
  (a, b) => restarts(b) - restarts(a),
  // Young before old.
  (a, b, _crowd, now) => youngerFirst(a, b, createdMs(a), createdMs(b), now),
]

function phaseRank(pod: Pod): number {
  if (pod.status.phase === 'Running') return 2
  return pod.status.phase === 'Unknown' ? 1 : 0
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost']
  // Anything but a plain integer was refused by validation; a stray one counts as 0, as upstream.
  return text !== undefined && /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0
}

function restarts(pod: Pod): number {
  return Math.max(0, ...(pod.status.containerStatuses ?? []).map((status) => status.restartCount))
}

function createdMs(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp)
}

function youngerFirst(a: Pod, b: Pod, sinceA: number | undefined, sinceB: number | undefined, now: number): number {
  if (sinceA === sinceB) return 0
  // No time known: nothing is younger than that.
  if (sinceA === undefined) return -1
  if (sinceB === undefined) return 1
  const difference = magnitude(now - sinceA) - magnitude(now - sinceB)
  if (difference !== 0) return difference
  return a.metadata.uid < b.metadata.uid ? -1 : 1
}

function magnitude(ageMs: number): number {
  return ageMs > 0 ? Math.floor(Math.log2(ageMs)) : -1
}
