/**
 * The pod garbage collector: takes away pods that nobody else will.
 *
 *   1. finished pods beyond a threshold, the oldest first     so that a busy CronJob does not fill the store
 *   2. pods whose node no longer exists                       nobody will ever report on them again
 *   3. pods deleted before they were scheduled                no kubelet ever saw them, so none will confirm
 *   4. deleted pods of a node that an administrator has tainted node.kubernetes.io/out-of-service
 *
 * Follows pkg/controller/podgc with its periods; pod-gc-plan.ts decides.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { Nodes, Pods } from '@dinghy/shared/api/resources'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { Node, Pod } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runWorkers, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import { ifPresent } from '../children/if-present.ts'
import { isPodTerminal } from '../children/pod-state.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { planPodGc } from './pod-gc-plan.ts'

const periodMs = 20_000

export class PodGcController implements Controller {
  readonly #deps: ControllerDeps
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  /** Nodes that pods name and that do not exist, and since when we know. */
  #missingSince = new Map<string, number>()

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#pods = deps.informers.for(Pods)
    this.#nodes = deps.informers.for(Nodes)
  }

  async run(signal: AbortSignal): Promise<void> {
    // One key: it is the cluster as a whole that is looked at.
    const queue = new WorkQueue({ clock: this.#deps.clock })
    queue.add('cluster')
    const synced = Promise.all([this.#pods.synced(), this.#nodes.synced()])
    const reconcile = (_key: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(context)
    await runWorkers({ ...this.#deps, name: 'pod-garbage-collector', workers: 1, reconcile }, queue, synced, signal)
  }

  async reconcile(context: ReconcileContext): Promise<Requeue> {
    const { clock, flags } = this.#deps
    const plan = planPodGc({
      pods: this.#pods.lister.list(),
      nodes: new Map(this.#nodes.lister.list().map((node) => [node.metadata.name, node])),
      missingSince: this.#missingSince,
      threshold: flags.terminatedPodGcThreshold,
      nowMs: clock.now(),
    })
    this.#missingSince = plan.missingSince
    for (const pod of plan.finished) await this.#delete(pod, context)
    for (const pod of plan.abandoned) await this.#fail(pod, undefined, context)
    for (const pod of plan.orphaned) {
      if (await exists(pod.spec.nodeName ?? '', context)) continue
      await this.#fail(pod, 'PodGC: node no longer exists', context)
    }
    return requeueAfter(periodMs)
  }

  /** Marks the pod as Failed, with the message if there is one, and deletes it. */
  async #fail(pod: Pod, message: string | undefined, context: ReconcileContext): Promise<void> {
    if (!isPodTerminal(pod)) {
      const { client, signal } = context
      const patch = { type: 'strategic', body: failure(pod, nowRfc3339(this.#deps.clock), message) } as const
      await ifOurs(client.patch(Pods, pod.metadata, patch, { subresource: 'status' }, signal))
    }
    await this.#delete(pod, context)
  }

  async #delete(pod: Pod, { client, signal }: ReconcileContext): Promise<void> {
    this.#deps.log.info({ pod: keyOf(pod) }, 'collecting a pod')
    const { namespace, name, uid } = pod.metadata
    const options = { gracePeriodSeconds: 0, preconditions: { uid } }
    await ifOurs(client.delete(Pods, { namespace, name }, options, signal))
  }
}

/** A node that our cache does not show may exist all the same: the server is asked. */
async function exists(node: string, { client, signal }: ReconcileContext): Promise<boolean> {
  return (await ifPresent(client.get(Nodes, { name: node }, {}, signal))) !== undefined
}

/** What has to be said about a pod that is taken away before it ended. */
function failure({ metadata: { uid } }: Pod, now: string, message: string | undefined): object {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message,
    lastTransitionTime: now,
  }
  return { metadata: { uid }, status: { phase: 'Failed', ...(message ? { conditions: [condition] } : {}) } }
}

/** Gone already, or another pod under its name: either way ours is no more. */
async function ifOurs(request: Promise<unknown>): Promise<void> {
  try {
    await request
  } catch (error) {
    if (!hasReason(error, 'NotFound', 'Conflict')) throw error
  }
}
