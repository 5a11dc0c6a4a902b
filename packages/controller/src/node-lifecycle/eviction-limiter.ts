/**
 * Disruption: is it the nodes that fail, or is it we who cannot see? Pure but for the limiter's memory.
 *
 *   no node is ready            FullDisruption     most likely we are cut off: evict nobody, call off what began
 *   > 2 and ≥ 55 % not ready    PartialDisruption  in a cluster of our size: no further evictions
 *   otherwise                   Normal             one node in ten seconds at most is told to let its pods go
 *
 * Numbers and states are those of kube-controller-manager; all our nodes are in one zone, and never more than fifty.
 */

import type { Node } from '@dinghy/shared/api/types'
import { readyCondition } from './heartbeat.ts'
import { isEvicting, type EvictionMode } from './node-taints.ts'

export type ZoneState = 'Normal' | 'PartialDisruption' | 'FullDisruption'

const unhealthyThreshold = 0.55
/** --node-eviction-rate 0.1: nodes in a second. */
const evictionEveryMs = 10_000

export function zoneStateOf(nodes: Node[]): ZoneState {
  // A node that has never reported is neither: its kubelet is still starting.
  const states = nodes.map((node) => readyCondition(node)?.status).filter((status) => status !== undefined)
  const notReady = states.filter((status) => status !== 'True').length
  if (notReady > 0 && notReady === states.length) return 'FullDisruption'
  return notReady > 2 && notReady / states.length >= unhealthyThreshold ? 'PartialDisruption' : 'Normal'
}

export class EvictionLimiter {
  #nextMs = 0

  /** How to treat this node now. A node for which the answer is 'allow' for the first time uses up the allowance. */
  modeFor(node: Node, zone: ZoneState, nowMs: number): EvictionMode {
    if (zone === 'FullDisruption') return 'cancel'
    if (zone === 'PartialDisruption') return 'hold'
    const needsTaint =
      readyCondition(node) !== undefined && readyCondition(node)?.status !== 'True' && !isEvicting(node)
    if (!needsTaint) return 'allow'
    if (nowMs < this.#nextMs) return 'hold'
    this.#nextMs = nowMs + evictionEveryMs
    return 'allow'
  }
}
