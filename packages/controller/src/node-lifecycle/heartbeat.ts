/**
 * Heartbeats: is a node still there? Pure.
 *
 * A kubelet renews its Lease every few seconds, and now and then writes its node's status. Either counts. What is
 * measured is how long *we* have seen neither change, by our own clock, so that the clocks of nodes do not matter.
 * A node that has been silent for longer than the grace period gets Unknown in every condition that its kubelet is
 * responsible for: not "False", because nobody knows.
 */

import { setCondition } from '@dinghy/shared/api/conditions'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { Lease, Node, NodeCondition } from '@dinghy/shared/api/types'

export interface Heartbeat {
  renewTime: string | undefined
  reportTime: string | undefined
  /** When, by our clock, one of the two last changed. */
  seenMs: number
}

/** A kubelet that has only just registered may take a while to report for the first time. */
const startupGraceMs = 60_000

const reported = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']

export function observeHeartbeat(
  previous: Heartbeat | undefined,
  node: Node,
  lease: Lease | undefined,
  nowMs: number,
): Heartbeat {
  const renewTime = lease?.spec.renewTime ?? previous?.renewTime
  const reportTime = readyCondition(node)?.lastHeartbeatTime
  const isSilent = previous?.renewTime === renewTime && previous?.reportTime === reportTime
  // After a restart of ours every node gets a full grace period: we do not know what we missed.
  return { renewTime, reportTime, seenMs: previous && isSilent ? previous.seenMs : nowMs }
}

/** The conditions that the node should have: the same list (same identity) while it is heard of. */
export function conditionsAfterSilence(
  node: Node,
  heartbeat: Heartbeat,
  nowMs: number,
  graceMs: number,
): NodeCondition[] | undefined {
  const present = node.status.conditions
  const allowedMs = readyCondition(node) ? graceMs : startupGraceMs
  if (nowMs - heartbeat.seenMs <= allowedMs) return present
  return reported.reduce((conditions, type) => {
    const known = conditions?.find((condition) => condition.type === type)
    return known?.status === 'Unknown'
      ? conditions
      : setCondition(conditions, unknown(node, type, known), rfc3339(nowMs))
  }, present)
}

function unknown(node: Node, type: string, known: NodeCondition | undefined): NodeCondition {
  return {
    type,
    status: 'Unknown',
    reason: known ? 'NodeStatusUnknown' : 'NodeStatusNeverUpdated',
    message: known ? 'Kubelet stopped posting node status.' : 'Kubelet never posted node status.',
    lastHeartbeatTime: known?.lastHeartbeatTime ?? node.metadata.creationTimestamp,
  }
}

export function readyCondition(node: Node): NodeCondition | undefined {
  return node.status.conditions?.find(({ type }) => type === 'Ready')
}
