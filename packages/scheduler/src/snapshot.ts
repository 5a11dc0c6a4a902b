/**
 * Snapshot: the cluster as one scheduling cycle sees it. Nothing in it changes while a pod is being placed, so every
 * plugin is a pure function of (pod, snapshot), and "what if these pods were gone?" is just another snapshot.
 */

import type { Selector } from '@dinghy/shared/api/selectors'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@dinghy/shared/api/types'
import { allocatable, podRequests, podRequestsAssumed, sum, type Resources } from './resources.ts'

/** A node with the pods that are on it or assumed to be, and their sums. */
export interface NodeInfo {
  readonly node: Node
  readonly pods: readonly Pod[]
  readonly allocatable: Resources
  /** What the pods ask for. */
  readonly requested: Resources
  /** The same with assumptions for pods that ask for nothing; for scoring. */
  readonly requestedAssumed: Resources
}

/** Other objects that some plugins have to look up. */
export interface Lookups {
  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined
  /**
   * Selects the pod's siblings: those behind the same Services and of the same controller; undefined if it has none.
   */
  siblingSelector(pod: Pod): Selector | undefined
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined
  volume(name: string): PersistentVolume | undefined
  volumes(): readonly PersistentVolume[]
  storageClass(name: string): StorageClass | undefined
}

export interface Snapshot {
  readonly nodes: readonly NodeInfo[]
  readonly lookups: Lookups
  /** Pods that were promised a node by preemption and wait for its victims to leave, by node name. */
  readonly nominated: ReadonlyMap<string, readonly Pod[]>
}

export function nodeInfo(node: Node, pods: readonly Pod[]): NodeInfo {
  return {
    node,
    pods,
    allocatable: allocatable(node),
    requested: sum(pods.map(podRequests)),
    requestedAssumed: sum(pods.map(podRequestsAssumed)),
  }
}

/** The same cluster, with other pods on one of its nodes. */
export function withPodsOn(snapshot: Snapshot, nodeName: string, pods: readonly Pod[]): Snapshot {
  const nodes = snapshot.nodes.map((info) => (nameOf(info) === nodeName ? nodeInfo(info.node, pods) : info))
  return { ...snapshot, nodes }
}

export function findNode(snapshot: Snapshot, name: string): NodeInfo | undefined {
  return snapshot.nodes.find((info) => nameOf(info) === name)
}

export function nameOf(info: NodeInfo): string {
  return info.node.metadata.name
}

export function labelsOf(info: NodeInfo): Readonly<Record<string, string>> {
  return info.node.metadata.labels ?? {}
}

export function priorityOf(pod: Pod): number {
  return pod.spec.priority ?? 0
}
