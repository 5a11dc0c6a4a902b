/**
 * The node lifecycle controller: notices nodes that have gone silent, and says so in the words of the API.
 *
 *     silent for the grace period ──► conditions Unknown ──► taints unreachable ──► pods marked not ready, so that
 *     Services stop using them ──► (taint-eviction-controller.ts) pods evicted ──► their owners make new ones elsewhere
 *
 * and the same way back when the kubelet reports again. Each step is a write of its own, and the next step answers to
 * it, so the whole story of a failure can be read from the causes.
 */

import { setCondition } from '@dinghy/shared/api/conditions'
import { Leases, Nodes, Pods } from '@dinghy/shared/api/resources'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { Node, NodeCondition, Pod } from '@dinghy/shared/api/types'
import { withCause } from '@dinghy/shared/client/causality'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { ControllerDeps } from '../deps.ts'
import { EvictionLimiter, zoneStateOf } from './disruption.ts'
import { conditionsAfterSilence, observeHeartbeat, readyCondition, type Heartbeat } from './heartbeat.ts'
import { taintsToSet } from './node-taints.ts'

const name = 'node-controller'
export const podsOfNodeIndex = 'spec.nodeName'
export function nodeOfPod({ spec }: Pod): string[] {
  return spec.nodeName ? [spec.nodeName] : []
}

export async function startNodeLifecycleController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log, flags } = deps
  const nodes = informers.for(Nodes)
  const leases = informers.for(Leases, { namespace: 'kube-node-lease' })
  const pods = informers.for(Pods)
  pods.addIndex(podsOfNodeIndex, nodeOfPod)
  const recorder = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  const heartbeats = new Map<string, Heartbeat>()
  const limiter = new EvictionLimiter()

  async function reconcile(key: string, context: ReconcileContext) {
    const node = nodes.lister.get(key)
    if (!node) {
      heartbeats.delete(key)
      return undefined
    }
    const known = heartbeats.get(key)
    if (!known)
      recorder.event(node, 'Normal', 'RegisteredNode', `Node ${key} event: Registered Node ${key} in Controller`)
    const heartbeat = observeHeartbeat(known, node, leases.lister.get(`kube-node-lease/${key}`), clock.now())
    heartbeats.set(key, heartbeat)

    const conditions = conditionsAfterSilence(node, heartbeat, clock.now(), flags.nodeMonitorGracePeriodMs)
    if (conditions && conditions !== node.status.conditions) await reportSilence(node, conditions, context)
    else await followConditions(node, context)
    return { requeueAfterMs: flags.nodeMonitorPeriodMs }
  }

  async function reportSilence(node: Node, conditions: NodeCondition[], { client, signal }: ReconcileContext) {
    const wasReady = readyCondition(node)?.status === 'True'
    // Silence is no event: whatever brought this key here last is not the cause.
    await withCause(undefined, () =>
      client.update(Nodes, { ...node, status: { ...node.status, conditions } }, { subresource: 'status' }, signal),
    )
    if (!wasReady) return
    log.warn({ node: node.metadata.name }, 'the node has gone silent')
    recorder.event(node, 'Normal', 'NodeNotReady', `Node ${node.metadata.name} status is now: NodeNotReady`)
  }

  async function followConditions(node: Node, { client, signal }: ReconcileContext) {
    const mode = limiter.modeFor(node, zoneStateOf(nodes.lister.list()), clock.now())
    const taints = taintsToSet(node, mode, nowRfc3339(clock))
    if (taints) {
      await client.update(Nodes, { ...node, spec: { ...node.spec, taints } }, {}, signal)
    }
    const ready = readyCondition(node)
    if (!ready || ready.status === 'True') return
    for (const pod of pods.lister.byIndex(podsOfNodeIndex, node.metadata.name)) await markNotReady(pod, client, signal)
  }

  async function markNotReady(pod: Pod, client: ReconcileContext['client'], signal: AbortSignal) {
    const ready = pod.status.conditions?.find(({ type }) => type === 'Ready')
    if (ready?.status !== 'True') return
    const conditions = setCondition(pod.status.conditions, { ...ready, status: 'False' }, nowRfc3339(clock))
    await client.update(Pods, { ...pod, status: { ...pod.status, conditions } }, { subresource: 'status' }, signal)
    recorder.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready')
  }

  // Pods that land on a failed node are found by the periodic look, as are nodes that fall silent.
  await runController({ ...deps, name, reconciles: nodes, watches: [[leases, () => []]], reconcile }, signal)
}
