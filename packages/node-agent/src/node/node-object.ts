/**
 * The Node object: what a node tells the cluster about itself. Pure. Reasons and messages are upstream's
 * (pkg/kubelet/nodestatus).
 */

import { getCondition } from '@dinghy/shared/api/conditions'
import { sameJson } from '@dinghy/shared/api/same-json'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { Draft, Node, NodeCondition, NodeStatus } from '@dinghy/shared/api/types'
import type { ImageSummary } from '@dinghy/shared/docker/types'
import type { Machine, Pressure } from './machine.ts'

export interface NodeIdentity {
  name: string
  address: string
  podCidr: string
  kubeletPort: number
}

export interface NodeStatusFacts {
  identity: NodeIdentity
  machine: Machine
  pressure: Pressure
  /** "docker://28.2.2" */
  runtimeVersion: string
  /** Why the container runtime cannot be used; undefined when it can. */
  runtimeDown: string | undefined
  images: readonly ImageSummary[]
  nowMs: number
}

const mostPods = 110
const mostImages = 50
const mebibyte = 1024 * 1024

/** Below this there is pressure. Upstream's tenth of the disk is too much: a developer's disk is always that full. */
const least = { memoryBytes: 100 * mebibyte, diskBytes: 100 * mebibyte }

const kubeletVersion = 'v1.33.1'

export function nodeLabels(name: string, machine: Pick<Machine, 'operatingSystem' | 'architecture'>) {
  return {
    'beta.kubernetes.io/arch': machine.architecture,
    'beta.kubernetes.io/os': machine.operatingSystem,
    'kubernetes.io/arch': machine.architecture,
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': machine.operatingSystem,
  }
}

export function nodeDraft({ name, podCidr }: NodeIdentity, machine: Machine, status: NodeStatus): Draft<Node> {
  const annotations = {
    'node.alpha.kubernetes.io/ttl': '0',
    'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
  }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: nodeLabels(name, machine), annotations },
    spec: { podCIDR: podCidr, podCIDRs: [podCidr] },
    status,
  }
}

function capacityOf(machine: Machine): Record<string, string> {
  return {
    cpu: String(machine.cpus),
    'ephemeral-storage': `${Math.floor(machine.diskBytes / 1024)}Ki`,
    memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    pods: String(mostPods),
  }
}

/** What pods may have: the capacity without what must stay free for the machine (upstream's hard eviction limits). */
export function allocatableOf(machine: Machine): Record<string, string> {
  return {
    ...capacityOf(machine),
    'ephemeral-storage': String(Math.floor(machine.diskBytes * 0.9)),
    memory: `${Math.floor((machine.memoryBytes - least.memoryBytes) / 1024)}Ki`,
  }
}

export function nodeStatus(facts: NodeStatusFacts, previous: NodeStatus | undefined): NodeStatus {
  const { identity, machine, runtimeVersion } = facts
  const { images: _images, ...kept } = previous ?? {}
  const images = imagesOf(facts.images)
  return {
    ...kept,
    addresses: [
      { type: 'InternalIP', address: identity.address },
      { type: 'Hostname', address: identity.name },
    ],
    // What others have added, extended resources say, is theirs; all of it may be had.
    capacity: { ...previous?.capacity, ...capacityOf(machine) },
    allocatable: { ...previous?.capacity, ...allocatableOf(machine) },
    conditions: conditions(facts, previous?.conditions ?? []),
    daemonEndpoints: { kubeletEndpoint: { Port: identity.kubeletPort } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.machineId,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: runtimeVersion,
      kubeletVersion,
      kubeProxyVersion: '',
      operatingSystem: machine.operatingSystem,
      architecture: machine.architecture,
    },
    // An empty list is not kept by the API server: it would look like a change for ever.
    ...(images.length > 0 ? { images } : {}),
  }
}

function imagesOf(images: readonly ImageSummary[]): NonNullable<NodeStatus['images']> {
  return images
    .map(({ RepoDigests, RepoTags, Size }) => ({
      names: [...(RepoDigests ?? []), ...(RepoTags ?? [])],
      // The API server does not keep a zero (a host base takes no room): it would look like a change for ever.
      ...(Size > 0 ? { sizeBytes: Size } : {}),
    }))
    .filter(({ names }) => names.length > 0)
    .sort((a, b) => (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0) || compareNames(a.names, b.names))
    .slice(0, mostImages)
}

/** The engine lists images in no order that it promises. */
function compareNames([a = '']: string[], [b = '']: string[]): number {
  return a < b ? -1 : Number(a > b)
}

/** Everything but the times of the last heartbeat. */
export function isSameNodeStatus(a: NodeStatus, b: NodeStatus): boolean {
  const still = (status: NodeStatus) => ({
    ...status,
    conditions: status.conditions?.map(({ lastHeartbeatTime: _lastHeartbeatTime, ...rest }) => rest),
  })
  return sameJson(still(a), still(b))
}

function conditions(
  { pressure, runtimeDown, nowMs }: NodeStatusFacts,
  previous: readonly NodeCondition[],
): NodeCondition[] {
  const lowMemory = pressure.memoryAvailableBytes < least.memoryBytes
  const lowDisk = pressure.diskAvailableBytes < least.diskBytes
  const now = rfc3339(nowMs)
  const own: NodeCondition[] = [
    lowMemory
      ? condition('MemoryPressure', 'True', 'KubeletHasInsufficientMemory', 'kubelet has insufficient memory available')
      : condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    lowDisk
      ? condition('DiskPressure', 'True', 'KubeletHasDiskPressure', 'kubelet has disk pressure')
      : condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    runtimeDown === undefined
      ? condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
      : condition('Ready', 'False', 'KubeletNotReady', runtimeDown),
  ]
  const others = previous.filter(({ type }) => !own.some((one) => one.type === type))
  return [...others, ...own.map((next) => timed(next, getCondition(previous, next.type), now))]
}

function condition(type: string, status: string, reason: string, message: string): NodeCondition {
  return { type, status, reason, message }
}

function timed(next: NodeCondition, before: NodeCondition | undefined, now: string): NodeCondition {
  const { status } = next
  const lastTransitionTime = (before?.status === status && before.lastTransitionTime) || now
  return { ...next, lastHeartbeatTime: now, lastTransitionTime }
}
