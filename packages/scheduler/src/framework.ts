/**
 * The scheduling framework: what a plugin is, and what the answers of one mean.
 *
 *   preFilter(pod, cluster) ─► a Filter: does this node fit?      asked of every node
 *   preScore(pod, cluster, feasible) ─► a Scorer: how well?       asked of every node that fits
 *   isHelpedBy(event, pod): after I refused this pod, is the event a reason to try it again?
 *
 * A plugin prepares once for a pod and then answers for each node, so upstream's pairs PreFilter + Filter and PreScore
 * + Score are one function here that returns the other; what upstream passes between them in a CycleState is simply in
 * scope. Plugins are pure: they read the snapshot, and neither keep nor change anything.
 */

import type { Node, Pod } from '@dinghy/shared/api/types'
import type { NodeInfo, Snapshot } from './snapshot.ts'

export const maxNodeScore = 100

/** Why a pod cannot be on a node. Plugins return undefined where it can. */
export interface Refusal {
  /**
   * Unschedulable: it might fit if other pods left, so preemption is worth a try.
   * UnschedulableAndUnresolvable: no pod's leaving would help.
   */
  code: 'Unschedulable' | 'UnschedulableAndUnresolvable'
  /** Shown to people and counted over all nodes: "Insufficient cpu". */
  reasons: readonly string[]
}

export type Filter = (info: NodeInfo) => Refusal | undefined

export interface Scorer {
  score(info: NodeInfo): number
  /** Brings the scores of all feasible nodes into 0…maxNodeScore; left out if they already are. */
  normalize?(scores: readonly number[], nodes: readonly NodeInfo[]): number[]
}

/** Something that happened in the cluster and may let a refused pod fit. */
export type ClusterEvent =
  | { type: 'NodeAdded'; node: Node }
  | { type: 'NodeUpdated'; node: Node; previous: Node }
  | { type: 'NodeDeleted'; node: Node }
  | { type: 'AssignedPodAdded' | 'AssignedPodDeleted'; pod: Pod }
  | { type: 'AssignedPodUpdated'; pod: Pod; previous: Pod }
  /** A claim, a volume or a storage class. */
  | { type: 'VolumeChanged' }
  | { type: 'NamespaceChanged' }

export interface Plugin {
  readonly name: string
  /** How much its score counts in the sum. */
  readonly weight?: number
  /** undefined: this plugin has nothing against any node. A Refusal: no node will do, whichever it is. */
  readonly preFilter?: (pod: Pod, cluster: Snapshot) => Filter | Refusal | undefined
  /** undefined: this plugin does not care which node it is. */
  readonly preScore?: (pod: Pod, cluster: Snapshot, feasible: readonly NodeInfo[]) => Scorer | undefined
  /** Only asked about pods that this plugin refused. Saying yes too often costs an attempt, too seldom five minutes. */
  readonly isHelpedBy?: (event: ClusterEvent, pod: Pod) => boolean
}

export function unschedulable(...reasons: string[]): Refusal {
  return { code: 'Unschedulable', reasons }
}

/** A refusal that no preemption can lift. */
export function unresolvable(...reasons: string[]): Refusal {
  return { code: 'UnschedulableAndUnresolvable', reasons }
}

/**
 * The usual normalization: the best score becomes 100 and the others shrink in proportion; reversed if less is better.
 */
export function normalizeByMax(scores: readonly number[], { reverse = false } = {}): number[] {
  const max = Math.max(0, ...scores)
  if (max === 0) return scores.map(() => (reverse ? maxNodeScore : 0))
  return scores.map((score) => {
    const scaled = Math.trunc((maxNodeScore * score) / max)
    return reverse ? maxNodeScore - scaled : scaled
  })
}

/** The node of a node event, if the event can bring room or another property: added or changed, but not gone. */
export function nodeIn(event: ClusterEvent): Node | undefined {
  return event.type === 'NodeAdded' || event.type === 'NodeUpdated' ? event.node : undefined
}
