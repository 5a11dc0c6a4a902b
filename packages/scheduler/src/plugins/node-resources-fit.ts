/**
 * NodeResourcesFit: what the pod asks for must be free on the node; of the nodes where it is, the one with the most
 * left is best (the LeastAllocated strategy, over cpu and memory).
 */

import type { Pod } from '@dinghy/shared/api/types'
import { maxNodeScore, nodeIn, type Plugin, type Refusal } from '../framework.ts'
import { allocatable, podRequests, podRequestsAssumed, type Resources } from '../resources.ts'
import type { NodeInfo } from '../snapshot.ts'

export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  weight: 1,

  preFilter: (pod) => (info) => fits(podRequests(pod), info),

  preScore: (pod) => ({ score: (info) => leastAllocatedScore(podRequestsAssumed(pod), info) }),

  isHelpedBy(event, pod) {
    if (event.type === 'AssignedPodDeleted') return true // if nothing else, it leaves one place for a pod
    if (event.type === 'AssignedPodUpdated') return asksForLess(event.previous, event.pod)
    const node = nodeIn(event)
    return (
      node !== undefined &&
      Object.entries(podRequests(pod)).every(([name, amount]) => amount <= (allocatable(node)[name] ?? 0))
    )
  },
}

function fits(requests: Resources, info: NodeInfo): Refusal | undefined {
  const reasons: string[] = []
  if (info.pods.length + 1 > (info.allocatable['pods'] ?? 0)) reasons.push('Too many pods')
  let unresolvable = false
  for (const [name, amount] of Object.entries(requests)) {
    const all = info.allocatable[name] ?? 0
    if (amount === 0 || amount <= all - (info.requested[name] ?? 0)) continue
    reasons.push(`Insufficient ${name}`)
    // It would not fit on the empty node either.
    if (amount > all) unresolvable = true
  }
  if (reasons.length === 0) return undefined
  return { code: unresolvable ? 'UnschedulableAndUnresolvable' : 'Unschedulable', reasons }
}

/** The mean share that stays free, in whole percent, of those resources that the node has at all. */
function leastAllocatedScore(requests: Resources, { allocatable, requestedAssumed }: NodeInfo): number {
  const shares = ['cpu', 'memory'].flatMap((name) => {
    const all = allocatable[name] ?? 0
    if (all === 0) return []
    const used = (requestedAssumed[name] ?? 0) + (requests[name] ?? 0)
    return used > all ? [0] : [Math.trunc(((all - used) * maxNodeScore) / all)]
  })
  return shares.length === 0 ? 0 : Math.trunc(shares.reduce((sum, share) => sum + share, 0) / shares.length)
}

function asksForLess(previous: Pod, pod: Pod): boolean {
  const now = podRequests(pod)
  return Object.entries(podRequests(previous)).some(([name, amount]) => (now[name] ?? 0) < amount)
}
