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
import type { Lease, Node, NodeCondition, Pod } from '@dinghy/shared/api/types'
import { withCause } from '@dinghy/shared/client/causality'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { EvictionLimiter, zoneStateOf } from './eviction-limiter.ts'
import { conditionsAfterSilence, observeHeartbeat, readyCondition, type Heartbeat } from './heartbeat.ts'
import { taintsToSet } from './node-taints.ts'

const name = 'node-controller'
export const podsOfNodeIndex = 'spec.nodeName'
export function nodeOfPod({ spec }: Pod): string[] {
  return spec.nodeName ? [spec.nodeName] : []
}

export class NodeLifecycleController implements Controller {
  readonly #deps: ControllerDeps
  readonly #nodes: Informer<Node>
  readonly #leases: Informer<Lease>
  readonly #pods: Informer<Pod>
  readonly #recorder: EventRecorder
  readonly #heartbeats = new Map<string, Heartbeat>()
  readonly #limiter = new EvictionLimiter()

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#nodes = informers.for(Nodes)
    this.#leases = informers.for(Leases, { namespace: 'kube-node-lease' })
    this.#pods = informers.for(Pods)
    this.#pods.addIndex(podsOfNodeIndex, nodeOfPod)
    this.#recorder = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  }

  /** Pods that land on a failed node are found by the periodic look, as are nodes that fall silent. */
  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#nodes,
        watches: [[this.#leases, () => []]],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#recorder.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const { clock, flags } = this.#deps
    const node = this.#nodes.lister.get(key)
    if (!node) {
      this.#heartbeats.delete(key)
      return undefined
    }
    const heartbeat = this.#observe(node)
    const conditions = conditionsAfterSilence(node, heartbeat, clock.now(), flags.nodeMonitorGracePeriodMs)
    if (conditions && conditions !== node.status.conditions) await this.#reportSilence(node, conditions, context)
    else await this.#followConditions(node, context)
    return requeueAfter(flags.nodeMonitorPeriodMs)
  }

  #observe(node: Node): Heartbeat {
    const { name } = node.metadata
    const known = this.#heartbeats.get(name)
    const message = `Node ${name} event: Registered Node ${name} in Controller`
    if (!known) this.#recorder.event(node, 'Normal', 'RegisteredNode', message)
    const lease = this.#leases.lister.get(`kube-node-lease/${name}`)
    const heartbeat = observeHeartbeat(known, node, lease, this.#deps.clock.now())
    this.#heartbeats.set(name, heartbeat)
    return heartbeat
  }

  async #reportSilence(node: Node, conditions: NodeCondition[], { client, signal }: ReconcileContext): Promise<void> {
    const { name } = node.metadata
    const wasReady = readyCondition(node)?.status === 'True'
    // Silence is no event: whatever brought this key here last is not the cause.
    await withCause(undefined, () =>
      client.update(Nodes, { ...node, status: { ...node.status, conditions } }, { subresource: 'status' }, signal),
    )
    if (!wasReady) return
    this.#deps.log.warn({ node: name }, 'the node has gone silent')
    this.#recorder.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`)
  }

  async #followConditions(node: Node, context: ReconcileContext): Promise<void> {
    const { clock } = this.#deps
    const mode = this.#limiter.modeFor(node, zoneStateOf(this.#nodes.lister.list()), clock.now())
    const taints = taintsToSet(node, mode, nowRfc3339(clock))
    if (taints) {
      await context.client.update(Nodes, { ...node, spec: { ...node.spec, taints } }, {}, context.signal)
    }
    const ready = readyCondition(node)
    if (!ready || ready.status === 'True') return
    const pods = this.#pods.lister.byIndex(podsOfNodeIndex, node.metadata.name)
    for (const pod of pods) await this.#markNotReady(pod, context)
  }

  async #markNotReady(pod: Pod, { client, signal }: ReconcileContext): Promise<void> {
    const ready = pod.status.conditions?.find(({ type }) => type === 'Ready')
    if (ready?.status !== 'True') return
    const now = nowRfc3339(this.#deps.clock)
    const conditions = setCondition(pod.status.conditions, { ...ready, status: 'False' }, now)
    await client.update(Pods, { ...pod, status: { ...pod.status, conditions } }, { subresource: 'status' }, signal)
    this.#recorder.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready')
  }
}
