/**
 * Pods, nodes and snapshots for tests, with only what the test is about spelled out.
 */

import { labelSelectorFromMap } from '@dinghy/shared/api/selectors'
import type { Node, Pod, PodSpec, Taint } from '@dinghy/shared/api/types'
import { nodeInfo, type Lookups, type NodeInfo, type Snapshot } from '../snapshot.ts'

type Labels = Record<string, string>
type Quantities = Record<string, string>

export interface PodTraits {
  namespace?: string
  labels?: Labels
  requests?: Quantities
  priority?: number
  nodeName?: string
  spec?: Partial<PodSpec>
  status?: Pod['status']
  created?: string
  deleting?: boolean
}

export function pod(name: string, traits: PodTraits = {}): Pod {
  const { namespace = 'default', labels = {}, requests, priority, nodeName, spec, status, created, deleting } = traits
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels,
      uid: `uid-${namespace}-${name}`,
      resourceVersion: '1',
      creationTimestamp: created ?? '2025-01-01T00:00:00Z',
      ...(deleting ? { deletionTimestamp: '2025-01-01T00:01:00Z' } : {}),
    },
    spec: {
      containers: [{ name: 'main', image: 'app', ...(requests ? { resources: { requests } } : {}) }],
      schedulerName: 'default-scheduler',
      ...(priority !== undefined ? { priority } : {}),
      ...(nodeName !== undefined ? { nodeName } : {}),
      ...spec,
    },
    status: status ?? { phase: 'Pending' },
  }
}

export interface NodeTraits {
  labels?: Labels
  allocatable?: Quantities
  taints?: Taint[]
  unschedulable?: boolean
  images?: { names: string[]; sizeBytes: number }[]
}

export function node(name: string, traits: NodeTraits = {}): Node {
  const { labels = {}, allocatable = {}, taints, unschedulable, images } = traits
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, ...labels },
      uid: `uid-${name}`,
      resourceVersion: '1',
      creationTimestamp: '2025-01-01T00:00:00Z',
    },
    spec: { ...(taints ? { taints } : {}), ...(unschedulable ? { unschedulable } : {}) },
    status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110', ...allocatable }, ...(images ? { images } : {}) },
  }
}

export function on(one: Node, ...pods: Pod[]): NodeInfo {
  const { name: nodeName } = one.metadata
  return nodeInfo(
    one,
    pods.map((pod) => ({ ...pod, spec: { ...pod.spec, nodeName } })),
  )
}

const noLookups: Lookups = {
  namespaceLabels: () => undefined,
  siblingSelector: () => undefined,
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
}

export function cluster(nodes: (Node | NodeInfo)[], lookups: Partial<Lookups> = {}): Snapshot {
  const infos = nodes.map((one) => ('pods' in one ? one : nodeInfo(one, [])))
  return { nodes: infos, lookups: { ...noLookups, ...lookups }, nominated: new Map() }
}

/** Lookups by which all pods with this label are siblings. */
export function siblings(labels: Labels): Partial<Lookups> {
  return { siblingSelector: () => labelSelectorFromMap(labels) }
}
