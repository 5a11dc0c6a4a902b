/**
 * explainSchedule: what every plugin says of every node about one pod. Pure; the same plugins and the same sums as
 * schedulePod, but nothing is cut short: a node that one plugin refuses is shown to the others, too.
 *
 * What it cannot know is the moment's tie: of nodes with the same total the scheduler takes any.
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { Plugin } from './framework.ts'
import { bestOf, checkBesideNominated, scoresByPlugin } from './schedule.ts'
import { nameOf, type NodeInfo, type Snapshot } from './snapshot.ts'

export interface NodeExplanation {
  node: string
  /** Empty: the pod fits. */
  refusals: { plugin: string; reasons: readonly string[] }[]
  /** Of those nodes that fit, if there are two or more. */
  scores: { plugin: string; weight: number; raw: number; score: number }[]
  /** The sum of all scores, each times its weight. */
  total?: number
}

export interface Explanation {
  /** In the cluster's order. */
  nodes: NodeExplanation[]
  /** Those that the scheduler chooses from; empty if the pod fits nowhere. */
  best: string[]
}

export function explainSchedule(pod: Pod, cluster: Snapshot, plugins: readonly Plugin[]): Explanation {
  const refusals = new Map(cluster.nodes.map((info) => [nameOf(info), refusalsOf(pod, info, cluster, plugins)]))
  const feasible = cluster.nodes.filter((info) => refusals.get(nameOf(info))?.length === 0)
  const byPlugin = scoresByPlugin(pod, cluster, feasible, plugins)
  const nodes = cluster.nodes.map((info): NodeExplanation => {
    const node = nameOf(info)
    const place = feasible.indexOf(info)
    const scores = byPlugin.flatMap(({ plugin, weight, raw, scores }) =>
      place < 0 ? [] : [{ plugin, weight, raw: raw[place] ?? 0, score: scores[place] ?? 0 }],
    )
    const total = scores.reduce((sum, { score, weight }) => sum + score * weight, 0)
    return { node, refusals: refusals.get(node) ?? [], scores, ...(place < 0 ? {} : { total }) }
  })
  const totals = nodes.flatMap(({ node, total }): [string, number][] => (total === undefined ? [] : [[node, total]]))
  return { nodes, best: bestOf(new Map(totals)) }
}

function refusalsOf(
  pod: Pod,
  info: NodeInfo,
  cluster: Snapshot,
  plugins: readonly Plugin[],
): NodeExplanation['refusals'] {
  const refusals = plugins.flatMap((plugin) => {
    const answer = plugin.preFilter?.(pod, cluster)
    const refusal = typeof answer === 'function' ? answer(info) : answer
    return refusal === undefined ? [] : [{ plugin: plugin.name, reasons: refusal.reasons }]
  })
  if (refusals.length > 0) return refusals
  // It fits beside the pods that are there, but not beside those that were promised the node by a preemption.
  const verdict = checkBesideNominated(pod, info, cluster, plugins)
  return verdict === undefined ? [] : [{ plugin: verdict.plugin, reasons: verdict.refusal.reasons }]
}
