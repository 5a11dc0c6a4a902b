/**
 * Event handlers: how each change in the cluster reaches the scheduler.
 *
 *   a pod without a node ──► queue        a pod on a node ──► cache, and whoever waits for such a pod
 *   a node ──► cache, and whoever waits for such a node        a volume, a claim, a namespace ──► whoever waits for it
 *
 * Level-triggered as everywhere: a handler looks at the object as it is now and files it where it belongs, so it does
 * not matter how many changes lay between.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import {
  Namespaces,
  Nodes,
  PersistentVolumeClaims,
  PersistentVolumes,
  Pods,
  StorageClasses,
} from '@dinghy/shared/api/resources'
import type { Node, Pod } from '@dinghy/shared/api/types'
import type { Change, Informers } from '@dinghy/shared/client/informer'
import type { SchedulerCache } from './cache.ts'
import type { ClusterEvent } from './framework.ts'
import type { Nominations } from './nominations.ts'
import type { Profiles } from './profiles.ts'
import type { SchedulingQueue } from './scheduling-queue.ts'

export interface ClusterState {
  cache: SchedulerCache
  queue: SchedulingQueue
  nominations: Nominations
  profiles: Pick<Profiles, 'has'>
}

/** The profile that every scheduler has unless its configuration says otherwise. */
export const schedulerName = 'default-scheduler'

export function watchCluster(informers: Informers, state: ClusterState): void {
  const notify = (event: ClusterEvent) => (change: { revision: string }) => state.queue.notify(event, change.revision)
  informers.for(Nodes).onChange((change) => onNode(state, change))
  informers.for(Pods).onChange((change) => onPod(state, change))
  informers.for(Namespaces).onChange(notify({ type: 'NamespaceChanged' }))
  informers.for(PersistentVolumes).onChange(notify({ type: 'VolumeChanged' }))
  informers.for(PersistentVolumeClaims).onChange(notify({ type: 'VolumeChanged' }))
  informers.for(StorageClasses).onChange(notify({ type: 'VolumeChanged' }))
}

export function onNode({ cache, queue }: ClusterState, { type, object: node, previous, revision }: Change<Node>): void {
  if (type === 'deleted') {
    cache.removeNode(node.metadata.name)
    queue.notify({ type: 'NodeDeleted', node }, revision)
    return
  }
  cache.setNode(node)
  if (previous === undefined) queue.notify({ type: 'NodeAdded', node }, revision)
  // A heartbeat is no reason to try anything again.
  else if (matters(previous) !== matters(node)) queue.notify({ type: 'NodeUpdated', node, previous }, revision)
}

function matters({ metadata, spec, status }: Node): string {
  const conditions = (status.conditions ?? []).map(({ type, status }) => [type, status])
  return JSON.stringify([metadata.labels, spec, status.allocatable, conditions])
}

export function onPod(state: ClusterState, change: Change<Pod>): void {
  const { object: pod, previous, revision } = change
  if (change.type === 'deleted' || isFinished(pod)) onGone(state, pod, revision)
  else if (pod.spec.nodeName) onAssigned(state, pod, previous, revision)
  else if (state.profiles.has(pod)) {
    state.nominations.observe(pod, previous)
    // Once bound it is done with, though older news of it may still arrive.
    if (!state.cache.isAssumed(pod) || state.queue.has(keyOf(pod))) state.queue.add(pod, revision)
  }
}

/** Deleted, or run to its end: it holds nothing any more. */
function onGone({ cache, queue, nominations }: ClusterState, pod: Pod, revision: string): void {
  const key = keyOf(pod)
  queue.delete(key)
  nominations.withdraw(key)
  if (cache.removePod(key)) queue.notify({ type: 'AssignedPodDeleted', pod }, revision)
}

function onAssigned(
  { cache, queue, nominations }: ClusterState,
  pod: Pod,
  previous: Pod | undefined,
  revision: string,
): void {
  const key = keyOf(pod)
  cache.setPod(pod)
  queue.delete(key)
  nominations.withdraw(key)
  if (!previous?.spec.nodeName) queue.notify({ type: 'AssignedPodAdded', pod }, revision)
  else if (demands(previous) !== demands(pod)) queue.notify({ type: 'AssignedPodUpdated', pod, previous }, revision)
}

export function isFinished({ status }: Pod): boolean {
  return status.phase === 'Succeeded' || status.phase === 'Failed'
}

/** What of a running pod others may have to do with: its labels, and what it asks for. */
function demands({ metadata, spec }: Pod): string {
  return JSON.stringify([
    metadata.labels,
    metadata.deletionTimestamp,
    spec.containers.map(({ resources }) => resources),
  ])
}
