/**
 * NodeResourcesBalancedAllocation: prefers nodes where cpu and memory would be used to a similar degree, so that
 * no node ends with much of one and nothing of the other.
 */

import { maxNodeScore, type Plugin } from '../framework.ts'
import { podRequests, type Resources } from '../resources.ts'

export const nodeResourcesBalancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,

  preScore(pod) {
    const requests = podRequests(pod)
    // A pod that asks for neither changes no balance; scoring it would send them all to one node.
    if (!requests['cpu'] && !requests['memory']) return undefined
    return { score: (info) => balance(['cpu', 'memory'].flatMap((name) => used(name, requests, info))) }
  },
}

function used(name: string, requests: Resources, info: { allocatable: Resources; requested: Resources }): number[] {
  const all = info.allocatable[name] ?? 0
  return all === 0 ? [] : [Math.min(1, ((info.requested[name] ?? 0) + (requests[name] ?? 0)) / all)]
}

/** 100 when all fractions are equal, less the more they deviate. */
function balance(fractions: readonly number[]): number {
  const [a, b] = fractions
  const deviation = a === undefined || b === undefined ? 0 : Math.abs(a - b) / 2
  return Math.trunc((1 - deviation) * maxNodeScore)
}
