/**
 * schedulePod: the whole decision about one pod, as one pure function.
 *
 *   every plugin prepares ─► filter each node ─► none left: a Diagnosis
 *                                            └─► score those left, each plugin by its weight ─► the best
 *
 * Upstream stops filtering once it has found enough nodes (100 at least); our clusters are smaller than that.
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { Diagnosis } from './fit-error.ts'
import type { Filter, Plugin, Refusal } from './framework.ts'
import { findNode, nameOf, priorityOf, withPodsOn, type NodeInfo, type Snapshot } from './snapshot.ts'

export type Decision =
  | { nodeName: string; feasible: number; evaluated: number }
  | { nodeName: undefined; diagnosis: Diagnosis }

/** Numbers in [0, 1); breaks ties between equally good nodes. */
export type Random = () => number

export function schedulePod(pod: Pod, cluster: Snapshot, plugins: readonly Plugin[], random: Random): Decision {
  const { feasible, diagnosis } = findFeasibleNodes(pod, cluster, plugins)
  const best = selectHost(scoreNodes(pod, cluster, feasible, plugins), random)
  if (best === undefined) return { nodeName: undefined, diagnosis }
  return { nodeName: best, feasible: feasible.length, evaluated: cluster.nodes.length }
}

export function findFeasibleNodes(
  pod: Pod,
  cluster: Snapshot,
  plugins: readonly Plugin[],
): { feasible: NodeInfo[]; diagnosis: Diagnosis } {
  const refusals = new Map<string, Refusal>()
  const refusedBy = new Set<string>()
  const prepared = prepare(pod, cluster, plugins)
  if ('refusal' in prepared) {
    const { refusal, plugin } = prepared
    const everywhere = new Map(cluster.nodes.map((info) => [nameOf(info), refusal]))
    const diagnosis = {
      nodeCount: cluster.nodes.length,
      refusals: everywhere,
      everywhere: refusal,
      refusedBy: new Set([plugin]),
    }
    return { feasible: [], diagnosis }
  }
  const feasible = nodesToTry(pod, cluster).filter((info) => {
    const verdict = check(prepared.filters, info) ?? checkBesideNominated(pod, info, cluster, plugins)
    if (verdict === undefined) return true
    refusals.set(nameOf(info), verdict.refusal)
    refusedBy.add(verdict.plugin)
    return false
  })
  // The promised node does not fit any more: look at all of them after all.
  if (feasible.length === 0 && nominatedNode(pod, cluster)) {
    const { nominatedNodeName: _, ...status } = pod.status
    return findFeasibleNodes({ ...pod, status }, cluster, plugins)
  }
  return { feasible, diagnosis: { nodeCount: cluster.nodes.length, refusals, refusedBy } }
}

/** Whether the pod fits on this one node. Preemption asks it of nodes as they would be. */
export function fitsOn(pod: Pod, nodeName: string, cluster: Snapshot, plugins: readonly Plugin[]): Refusal | undefined {
  const info = findNode(cluster, nodeName)
  if (info === undefined) return { code: 'UnschedulableAndUnresolvable', reasons: ['the node is gone'] }
  const prepared = prepare(pod, cluster, plugins)
  if ('refusal' in prepared) return prepared.refusal
  return (check(prepared.filters, info) ?? checkBesideNominated(pod, info, cluster, plugins))?.refusal
}

export interface Verdict {
  refusal: Refusal
  plugin: string
}

type NamedFilter = { plugin: string; filter: Filter }

function prepare(pod: Pod, cluster: Snapshot, plugins: readonly Plugin[]): { filters: NamedFilter[] } | Verdict {
  const filters: NamedFilter[] = []
  for (const plugin of plugins) {
    const answer = plugin.preFilter?.(pod, cluster)
    if (typeof answer === 'function') filters.push({ plugin: plugin.name, filter: answer })
    else if (answer !== undefined) return { refusal: answer, plugin: plugin.name }
  }
  return { filters }
}

/** The first plugin that refuses decides what is said about the node. */
function check(filters: readonly NamedFilter[], info: NodeInfo): Verdict | undefined {
  for (const { plugin, filter } of filters) {
    const refusal = filter(info)
    if (refusal !== undefined) return { refusal, plugin }
  }
  return undefined
}

/**
 * A pod that preempted others has been promised this node but is not on it yet. Who is not more important than that
 * pod must leave room for it, or the victims would have died for nothing.
 */
export function checkBesideNominated(
  pod: Pod,
  info: NodeInfo,
  cluster: Snapshot,
  plugins: readonly Plugin[],
): Verdict | undefined {
  const promised = (cluster.nominated.get(nameOf(info)) ?? []).filter(
    (other) => other.metadata.uid !== pod.metadata.uid && priorityOf(other) >= priorityOf(pod),
  )
  if (promised.length === 0) return undefined
  const crowded = withPodsOn(cluster, nameOf(info), [...info.pods, ...promised])
  const prepared = prepare(pod, crowded, plugins)
  if ('refusal' in prepared) return prepared
  const there = findNode(crowded, nameOf(info))
  return there && check(prepared.filters, there)
}

/** A pod that was promised a node looks there first: it has paid for it. */
function nodesToTry(pod: Pod, cluster: Snapshot): readonly NodeInfo[] {
  const promised = nominatedNode(pod, cluster)
  return promised ? [promised] : cluster.nodes
}

function nominatedNode(pod: Pod, cluster: Snapshot): NodeInfo | undefined {
  return pod.status.nominatedNodeName ? findNode(cluster, pod.status.nominatedNodeName) : undefined
}

/** What one plugin thinks of the nodes that fit: the numbers stand in the order of the nodes. */
export interface PluginScores {
  plugin: string
  weight: number
  raw: readonly number[]
  /** Brought into 0…maxNodeScore, before its weight. */
  scores: readonly number[]
}

/** Of every plugin that has an opinion. With fewer than two nodes nobody is asked. */
export function scoresByPlugin(
  pod: Pod,
  cluster: Snapshot,
  feasible: readonly NodeInfo[],
  plugins: readonly Plugin[],
): PluginScores[] {
  if (feasible.length < 2) return []
  return plugins.flatMap((plugin) => {
    const scorer = plugin.preScore?.(pod, cluster, feasible)
    if (scorer === undefined) return []
    const raw = feasible.map((info) => scorer.score(info))
    return [{ plugin: plugin.name, weight: plugin.weight ?? 1, raw, scores: scorer.normalize?.(raw, feasible) ?? raw }]
  })
}

/** Node name → the weighted sum of all plugins' scores. */
export function scoreNodes(
  pod: Pod,
  cluster: Snapshot,
  feasible: readonly NodeInfo[],
  plugins: readonly Plugin[],
): Map<string, number> {
  const byPlugin = scoresByPlugin(pod, cluster, feasible, plugins)
  const totalOf = (index: number): number =>
    byPlugin.reduce((sum, { scores, weight }) => sum + (scores[index] ?? 0) * weight, 0)
  return new Map(feasible.map((info, index) => [nameOf(info), totalOf(index)]))
}

/** One of the nodes with the highest score. */
export function selectHost(scores: ReadonlyMap<string, number>, random: Random): string | undefined {
  const best = bestOf(scores)
  return best.length < 2 ? best[0] : best[Math.floor(random() * best.length)]
}

export function bestOf(scores: ReadonlyMap<string, number>): string[] {
  const highest = Math.max(...scores.values())
  return [...scores.keys()].filter((name) => scores.get(name) === highest)
}
