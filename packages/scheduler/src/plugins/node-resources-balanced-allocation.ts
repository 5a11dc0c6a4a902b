/**
 * NodeResourcesBalancedAllocation: prefers nodes where cpu and memory would be used to a similar degree, so that
 * no node ends with much of one and nothing of the other.
 */

import { maxNodeScore, type Plugin } from '../framework.ts'
import { podRequests, type Resources } from '../resources.ts'
import { cpuAndMemory, type ScoredResource } from './node-resources-fit.ts'

export function nodeResourcesBalancedAllocation(
  args: { resources?: readonly Pick<ScoredResource, 'name'>[] } = {},
): Plugin {
  const names = (args.resources ?? cpuAndMemory).map(({ name }) => name)
  return {
    name: 'NodeResourcesBalancedAllocation',
    weight: 1,

    preScore(pod) {
      const requests = podRequests(pod)
      // A pod that asks for none of them changes no balance; scoring it would send them all to one node.
      if (names.every((name) => !requests[name])) return undefined
      return { score: (info) => balance(names.flatMap((name) => used(name, requests, info))) }
    },
  }
}

function used(name: string, requests: Resources, info: { allocatable: Resources; requested: Resources }): number[] {
  const all = info.allocatable[name] ?? 0
  return all === 0 ? [] : [Math.min(1, ((info.requested[name] ?? 0) + (requests[name] ?? 0)) / all)]
}

/** 100 when all fractions are equal, less the more they deviate from their mean. */
function balance(fractions: readonly number[]): number {
  const mean = fractions.reduce((sum, fraction) => sum + fraction, 0) / fractions.length
  const variance = fractions.reduce((sum, fraction) => sum + (fraction - mean) ** 2, 0) / fractions.length
  return fractions.length < 2 ? maxNodeScore : Math.trunc((1 - Math.sqrt(variance)) * maxNodeScore)
}
