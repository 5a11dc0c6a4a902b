/** What a DaemonSet says about its nodes. Pure. All counts are of nodes, not of pods. */

import type { DaemonSet, DaemonSetStatus, Node, Pod } from '@dinghy/shared/api/types'
import { isPodAvailable, isPodReady } from '../children/pod-state.ts'
import { nonZero } from '../children/status.ts'
import { isWantedOn } from './daemon-pod.ts'
import { isNew, minReadySecondsOf, oldestFirst, podsByNode } from './daemon-plan.ts'

export function daemonSetStatus(
  daemonSet: DaemonSet,
  nodes: Node[],
  pods: Pod[],
  hash: string,
  now: number,
): DaemonSetStatus {
  const byNode = podsByNode(pods)
  const wanted = nodes.filter((node) => isWantedOn(daemonSet, node).shouldRun)
  const others = nodes.filter((node) => !wanted.includes(node))
  const firstPods = wanted.flatMap((node) => oldestFirst(byNode.get(node.metadata.name) ?? []).slice(0, 1))
  const available = firstPods.filter((pod) => isPodAvailable(pod, minReadySecondsOf(daemonSet), now)).length
  const updated = firstPods.filter((pod) => isNew(pod, hash)).length
  const unavailable = wanted.length - available
  return {
    // What others have written stays, conditions among it.
    ...daemonSet.status,
    currentNumberScheduled: firstPods.length,
    desiredNumberScheduled: wanted.length,
    numberMisscheduled: others.filter((node) => byNode.has(node.metadata.name)).length,
    numberReady: firstPods.filter(isPodReady).length,
    // Unlike the four above, these are left out when zero.
    numberAvailable: nonZero(available),
    numberUnavailable: nonZero(unavailable),
    updatedNumberScheduled: nonZero(updated),
    observedGeneration: daemonSet.metadata.generation ?? 0,
  }
}
