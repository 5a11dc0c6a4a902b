/**
 * Which pods nobody else will take away. Pure.
 *
 * Pods that are stuck Terminating on a node that merely does not answer stay, as upstream: it may be alive and cut off,
 * and then two pods of one StatefulSet would run. Deleting the Node, or tainting it out-of-service, says "it is dead".
 */

import type { Node, Pod } from '@dinghy/shared/api/types'
import { isPodTerminal } from '../children/pod-state.ts'

/** A node that is missing may only be missing from our cache. */
const quarantineMs = 40_000
const outOfService = 'node.kubernetes.io/out-of-service'

export interface PodGcInput {
  pods: Pod[]
  nodes: Map<string, Node>
  /** Node names that pods refer to and that do not exist → since when we know, in ms. */
  missingSince: Map<string, number>
  threshold: number
  nowMs: number
}

export interface PodGcPlan {
  missingSince: Map<string, number>
  /** Deleted as they are. */
  finished: Pod[]
  /** Their node is gone: a last look at the server, then marked Failed and deleted. */
  orphaned: Pod[]
  /** Marked Failed and deleted. */
  abandoned: Pod[]
}

export function planPodGc({ pods, nodes, missingSince, threshold, nowMs }: PodGcInput): PodGcPlan {
  const missing = new Map<string, number>()
  for (const { spec } of pods) {
    const name = spec.nodeName
    if (name && !nodes.has(name)) missing.set(name, missingSince.get(name) ?? nowMs)
  }
  const isOrphaned = ({ spec }: Pod): boolean => {
    const sinceMs = missing.get(spec.nodeName ?? '')
    return sinceMs !== undefined && nowMs - sinceMs >= quarantineMs
  }
  return {
    missingSince: missing,
    finished: oldestBeyond(pods.filter(isPodTerminal), threshold),
    orphaned: pods.filter(isOrphaned),
    abandoned: pods.filter((pod) => isAbandoned(pod, nodes)),
  }
}

function oldestBeyond(pods: Pod[], threshold: number): Pod[] {
  if (threshold <= 0 || pods.length <= threshold) return []
  // Evicted pods say least, and go first.
  const rank = ({ status }: Pod): number => (status.reason === 'Evicted' ? 0 : 1)
  const age = ({ metadata }: Pod): string => metadata.creationTimestamp
  return pods.toSorted((a, b) => rank(a) - rank(b) || (age(a) < age(b) ? -1 : 1)).slice(0, pods.length - threshold)
}

function isAbandoned({ metadata, spec }: Pod, nodes: Map<string, Node>): boolean {
  if (metadata.deletionTimestamp === undefined) return false
  if (!spec.nodeName) return true
  const node = nodes.get(spec.nodeName)
  const isReady = node?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
  return node !== undefined && !isReady && (node.spec.taints ?? []).some(({ key }) => key === outOfService)
}
