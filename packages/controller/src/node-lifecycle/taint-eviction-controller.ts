/**
 * The taint eviction controller: makes pods leave nodes with a NoExecute taint that they do not tolerate, or no longer.
 * The DefaultTolerationSeconds admission gives every pod some patience with not-ready and unreachable nodes, so that a
 * node that is back soon loses nothing.
 *
 * Deleting is all it does: the pod's owner makes a new one, and the scheduler finds it a better place.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { Nodes, Pods } from '@dinghy/shared/api/resources'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { Node, Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { ControllerDeps } from '../deps.ts'
import { nodeOfPod, podsOfNodeIndex } from './node-lifecycle-controller.ts'
import { evictionTimeOf } from './eviction-time.ts'

const name = 'taint-eviction-controller'
const disruption = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'DeletionByTaintManager',
  message: 'Taint manager: deleting due to NoExecute taint',
}

export async function startTaintEvictionController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const pods = informers.for(Pods)
  const nodes = informers.for(Nodes)
  pods.addIndex(podsOfNodeIndex, nodeOfPod)
  const recorder = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  /** Pods whose time runs out; only so that a reprieve can be told. */
  const scheduled = new Set<string>()
  /** Pods that we have deleted, by uid, until the cache shows it: our own writes bring us back here before it does. */
  const evicted = new Map<string, string>()

  async function reconcile(key: string, context: ReconcileContext) {
    const pod = pods.lister.get(key)
    if (!pod || pod.metadata.deletionTimestamp !== undefined || !pod.spec.nodeName) {
      scheduled.delete(key)
      evicted.delete(key)
      return undefined
    }
    if (evicted.get(key) === pod.metadata.uid) return undefined
    const evictAtMs = evictionTimeOf(pod, nodes.lister.get(pod.spec.nodeName)?.spec.taints, clock.now())
    if (evictAtMs === undefined) {
      if (scheduled.delete(key))
        recorder.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`)
      return undefined
    }
    if (evictAtMs > clock.now()) {
      scheduled.add(key)
      return { requeueAfterMs: evictAtMs - clock.now() }
    }
    scheduled.delete(key)
    await evict(pod, context)
    evicted.set(key, pod.metadata.uid)
    return undefined
  }

  async function evict(pod: Pod, { client, signal }: ReconcileContext) {
    recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${keyOf(pod)}`)
    log.info({ pod: keyOf(pod), node: pod.spec.nodeName }, 'evicting: the pod does not tolerate the taints of its node')
    const { namespace, name, uid } = pod.metadata
    try {
      // Strategic: the list is merged by type, so what the kubelet has written meanwhile stays.
      const conditions = [{ ...disruption, lastTransitionTime: nowRfc3339(clock) }]
      const patch = { type: 'strategic', body: { metadata: { uid }, status: { conditions } } } as const
      await client.patch(Pods, { namespace, name }, patch, { subresource: 'status' }, signal)
      await client.delete(Pods, { namespace, name }, { preconditions: { uid } }, signal)
    } catch (error) {
      // Gone already, or another pod under its name.
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error
    }
  }

  const podsOf = (node: Node): string[] => pods.lister.byIndex(podsOfNodeIndex, node.metadata.name).map(keyOf)
  await runController({ ...deps, name, reconciles: pods, watches: [[nodes, podsOf]], reconcile }, signal)
}
