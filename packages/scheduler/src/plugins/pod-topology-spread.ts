/**
 * PodTopologySpread: keeps the numbers of matching pods per domain (host, zone, …) from drifting apart by more than
 * maxSkew. Hard constraints (DoNotSchedule) filter nodes, soft ones (ScheduleAnyway, and the cluster's defaults) score.
 */

import { matchesLabels } from '@dinghy/shared/api/selectors'
import type { TopologySpreadConstraint } from '@dinghy/shared/api/types'
import { maxNodeScore, unresolvable, unschedulable, type Plugin } from '../framework.ts'
import { labelsOf, nameOf, type NodeInfo } from '../snapshot.ts'
import { mayMoveDomains } from './inter-pod-affinity.ts'
import {
  constraintsOf,
  countMatching,
  hasAllDomains,
  hostname,
  systemDefaults,
  type Constraint,
} from './spread-constraints.ts'

export interface PodTopologySpreadArgs {
  /** For pods that have none; their selectors are found out. */
  defaultConstraints?: readonly TopologySpreadConstraint[]
}

export function podTopologySpread(args: PodTopologySpreadArgs = {}): Plugin {
  const defaults = args.defaultConstraints ?? systemDefaults
  return {
    name: 'PodTopologySpread',
    weight: 2,

    preFilter(pod, cluster) {
      const constraints = constraintsOf(pod, cluster, defaults, 'DoNotSchedule')
      if (constraints.length === 0) return undefined
      const eligible = cluster.nodes.filter((info) => hasAllDomains(info, constraints))
      const counted = constraints.map((constraint) => {
        const counts = countByDomain(eligible, constraint, pod.metadata.namespace)
        // With fewer domains than the pod demands, the missing ones count as empty.
        const least = counts.size < constraint.minDomains ? 0 : Math.min(...counts.values())
        return { ...constraint, counts, least, self: matchesLabels(constraint.selector, pod.metadata.labels) ? 1 : 0 }
      })
      return (info) => {
        for (const { topologyKey, maxSkew, counts, least, self } of counted) {
          const domain = labelsOf(info)[topologyKey]
          if (domain === undefined) {
            return unresolvable("node(s) didn't match pod topology spread constraints (missing required label)")
          }
          if ((counts.get(domain) ?? 0) + self - least > maxSkew) {
            return unschedulable("node(s) didn't match pod topology spread constraints")
          }
        }
        return undefined
      }
    },

    preScore(pod, cluster, feasible) {
      const constraints = constraintsOf(pod, cluster, defaults, 'ScheduleAnyway')
      if (constraints.length === 0) return undefined
      // The system's defaults must work on clusters whose nodes have no zone; all others mean what they say.
      const hasOwn = (pod.spec.topologySpreadConstraints ?? []).length > 0
      const needsAll = hasOwn || args.defaultConstraints !== undefined
      const takesPart = (info: NodeInfo) => !needsAll || hasAllDomains(info, constraints)
      const ignored = new Set(feasible.filter((info) => !takesPart(info)).map(nameOf))
      const weighted = constraints.map((constraint) => {
        const counts = countByDomain(cluster.nodes.filter(takesPart), constraint, pod.metadata.namespace)
        return { ...constraint, counts, weight: domainWeight(constraint, feasible.filter(takesPart)) }
      })
      return {
        score(info) {
          if (ignored.has(nameOf(info))) return 0
          const parts = weighted.map(({ topologyKey, maxSkew, counts, weight }) => {
            const domain = labelsOf(info)[topologyKey]
            return domain === undefined ? 0 : (counts.get(domain) ?? 0) * weight + (maxSkew - 1)
          })
          return Math.round(parts.reduce((sum, part) => sum + part, 0))
        },
        normalize: (scores, nodes) =>
          fewestFirst(
            scores,
            nodes.map((info) => ignored.has(nameOf(info))),
          ),
      }
    },

    isHelpedBy: mayMoveDomains,
  }
}

/** Topology value → matching pods. A domain of which no node is included is not there at all. */
function countByDomain(
  nodes: readonly NodeInfo[],
  constraint: Constraint,
  namespace: string | undefined,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const info of nodes) {
    const domain = labelsOf(info)[constraint.topologyKey]
    if (domain === undefined || !constraint.includes(info.node)) continue
    counts.set(domain, (counts.get(domain) ?? 0) + countMatching(info, constraint, namespace))
  }
  return counts
}

/** Three zones hold more pods each than a hundred hosts: the logarithm keeps the one from drowning the other. */
function domainWeight({ topologyKey }: Constraint, nodes: readonly NodeInfo[]): number {
  const domains = new Set(nodes.map((info) => labelsOf(info)[topologyKey]).filter((value) => value !== undefined))
  return Math.log((topologyKey === hostname ? nodes.length : domains.size) + 2)
}

function fewestFirst(scores: readonly number[], ignored: readonly boolean[]): number[] {
  const taking = scores.filter((_score, index) => !ignored[index])
  const most = Math.max(0, ...taking)
  const fewest = Math.min(...taking)
  return scores.map((score, index) => {
    if (ignored[index]) return 0
    return most === 0 ? maxNodeScore : Math.trunc((maxNodeScore * (most + fewest - score)) / most)
  })
}
