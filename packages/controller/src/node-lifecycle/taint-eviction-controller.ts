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
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { evictionTimeOf } from './eviction-time.ts'
import { nodeOfPod, podsOfNodeIndex } from './node-lifecycle-controller.ts'

const name = 'taint-eviction-controller'
const disruption = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'DeletionByTaintManager',
  message: 'Taint manager: deleting due to NoExecute taint',
}

export class TaintEvictionController implements Controller {
  readonly #deps: ControllerDeps
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  readonly #recorder: EventRecorder
  /** Pods that put up with their node for a while, and since when. As upstream, it is counted anew after a restart. */
  readonly #waiting = new Map<string, { uid: string; sinceMs: number }>()
  /** Pods that we have deleted, by uid, until the cache shows it: our own writes bring us back here before it does. */
  readonly #evicted = new Map<string, string>()

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#pods = informers.for(Pods)
    this.#nodes = informers.for(Nodes)
    this.#pods.addIndex(podsOfNodeIndex, nodeOfPod)
    this.#recorder = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    const podsOf = (node: Node): string[] => this.#pods.lister.byIndex(podsOfNodeIndex, node.metadata.name).map(keyOf)
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#pods,
        watches: [[this.#nodes, podsOf]],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#recorder.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const pod = this.#pods.lister.get(key)
    if (!pod || pod.metadata.deletionTimestamp !== undefined || !pod.spec.nodeName) {
      this.#waiting.delete(key)
      this.#evicted.delete(key)
      return undefined
    }
    const { uid } = pod.metadata
    if (this.#evicted.get(key) === uid) return undefined
    const now = this.#deps.clock.now()
    const known = this.#waiting.get(key)
    const sinceMs = known?.uid === uid ? known.sinceMs : now
    const evictAtMs = evictionTimeOf(pod, this.#nodes.lister.get(pod.spec.nodeName)?.spec.taints, sinceMs)
    if (evictAtMs === undefined) {
      const message = `Cancelling deletion of Pod ${key}`
      if (this.#waiting.delete(key)) this.#recorder.event(pod, 'Normal', 'TaintManagerEviction', message)
      return undefined
    }
    if (evictAtMs > now) {
      this.#waiting.set(key, { uid, sinceMs })
      return requeueAfter(evictAtMs - now)
    }
    this.#waiting.delete(key)
    await this.#evict(pod, context)
    this.#evicted.set(key, uid)
    return undefined
  }

  async #evict(pod: Pod, { client, signal }: ReconcileContext): Promise<void> {
    const { clock, log } = this.#deps
    this.#recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${keyOf(pod)}`)
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
}
