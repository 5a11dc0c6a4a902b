/**
 * The pod garbage collector: takes away pods that nobody else will.
 *
 *   1. finished pods beyond a threshold, the oldest first     so that a busy CronJob does not fill the store
 *   2. pods whose node no longer exists                       nobody will ever report on them again
 *   3. pods deleted before they were scheduled                no kubelet ever saw them, so none will confirm
 *   4. deleted pods of a node that an administrator has tainted node.kubernetes.io/out-of-service
 *
 * Pods that are stuck Terminating on a node that merely does not answer stay, as upstream: it may be alive and cut off,
 * and then two pods of one StatefulSet would run. Deleting the Node, or tainting it out-of-service, says "it is dead".
 * Follows pkg/controller/podgc with its periods; the deciding half is planPodGc.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { Nodes, Pods } from '@dinghy/shared/api/resources'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { Node, Pod } from '@dinghy/shared/api/types'
import { runWorkers, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import { isPodTerminal } from './children/pod-state.ts'
import type { ControllerDeps } from './deps.ts'

const periodMs = 20_000
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

export async function startPodGcController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, flags, log } = deps
  const pods = informers.for(Pods)
  const nodes = informers.for(Nodes)
  let missingSince = new Map<string, number>()

  async function collect(_key: string, { client, signal }: ReconcileContext) {
    const plan = planPodGc({
      pods: pods.lister.list(),
      nodes: new Map(nodes.lister.list().map((node) => [node.metadata.name, node])),
      missingSince,
      threshold: flags.terminatedPodGcThreshold,
      nowMs: clock.now(),
    })
    missingSince = plan.missingSince
    const remove = async (pod: Pod): Promise<void> => {
      const { namespace, name, uid } = pod.metadata
      log.info({ pod: `${namespace}/${name}` }, 'collecting a pod')
      const options = { gracePeriodSeconds: 0, preconditions: { uid } }
      await client.delete(Pods, { namespace, name }, options, signal).catch(ignoreGone)
    }
    const fail = async (pod: Pod, message?: string): Promise<void> => {
      if (!isPodTerminal(pod)) {
        const patch = { type: 'strategic', body: failure(pod, nowRfc3339(clock), message) } as const
        await client.patch(Pods, pod.metadata, patch, { subresource: 'status' }, signal).catch(ignoreGone)
      }
      await remove(pod)
    }
    const exists = async (name: string): Promise<boolean> => {
      return (await client.get(Nodes, { name }, {}, signal).catch(ignoreGone)) !== undefined
    }

    for (const pod of plan.finished) await remove(pod)
    for (const pod of plan.abandoned) await fail(pod)
    for (const pod of plan.orphaned) {
      if (!(await exists(pod.spec.nodeName ?? ''))) await fail(pod, 'PodGC: node no longer exists')
    }
    return { requeueAfterMs: periodMs }
  }

  // One key: it is the cluster as a whole that is looked at.
  const queue = new WorkQueue({ clock })
  queue.add('cluster')
  const synced = Promise.all([pods.synced(), nodes.synced()])
  await runWorkers({ ...deps, name: 'pod-garbage-collector', workers: 1, reconcile: collect }, queue, synced, signal)
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
function ignoreGone(error: unknown): undefined {
  if (!hasReason(error, 'NotFound', 'Conflict')) throw error
}
