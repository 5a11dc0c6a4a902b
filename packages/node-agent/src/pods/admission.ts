/**
 * Can this node take the pod at all? The scheduler has asked the same before, but a pod can name its node itself, and
 * two schedulers may not know of one another: so the node has the last word. Pure. Follows upstream's lifecycle
 * predicates (pkg/kubelet/lifecycle/predicate.go), whose reasons and messages these are.
 */

import { matchesNodeAffinity } from '@dinghy/shared/api/node-selector'
import { bytes, milliCpu } from '@dinghy/shared/api/quantity'
import type { Pod } from '@dinghy/shared/api/types'
import { isTerminal } from './pod-conditions.ts'

export interface NodeFacts {
  name: string
  labels: Readonly<Record<string, string>>
  allocatable: Readonly<Record<string, string>>
}

export interface Refusal {
  reason: string
  message: string
}

/** `others` are the pods that this node has already taken. */
export function admission(pod: Pod, others: readonly Pod[], node: NodeFacts): Refusal | undefined {
  const active = others.filter(({ metadata, status }) => metadata.uid !== pod.metadata.uid && !isTerminal(status.phase))
  const { name, labels } = node
  if (!matchesNodeAffinity(pod.spec, { metadata: { name, labels } })) {
    return { reason: 'NodeAffinity', message: 'Predicate NodeAffinity failed' }
  }
  const used = [...active].flatMap(hostPorts)
  if (hostPorts(pod).some((port) => used.includes(port))) {
    return { reason: 'NodePorts', message: 'Predicate NodePorts failed' }
  }
  const capacity = Number(node.allocatable['pods'] ?? Infinity)
  if (active.length + 1 > capacity) return tooMuch('pods', 1, active.length, capacity)
  // Extended resources included; of those that the node does not offer the scheduler knew nothing either.
  for (const [resource, quantity] of Object.entries(node.allocatable)) {
    const wanted = requestOf(pod, resource)
    if (resource === 'pods' || wanted === 0) continue
    const available = amount(resource, quantity)
    const taken = active.reduce((sum, other) => sum + requestOf(other, resource), 0)
    if (taken + wanted > available) return tooMuch(resource, wanted, taken, available)
  }
  return undefined
}

function tooMuch(resource: string, requested: number, used: number, capacity: number): Refusal {
  const amounts = `requested: ${requested}, used: ${used}, capacity: ${capacity}`
  return { reason: `OutOf${resource}`, message: `Node didn't have enough resource: ${resource}, ${amounts}` }
}

/** The larger of: all containers and sidecars together; any init container with the sidecars that run beside it. */
export function requestOf({ spec }: Pod, resource: string): number {
  const of = (requests: Record<string, string> | undefined) => amount(resource, requests?.[resource] ?? '0')
  let sidecars = 0
  let initPeak = 0
  for (const { resources, restartPolicy } of spec.initContainers ?? []) {
    const own = of(resources?.requests)
    if (restartPolicy === 'Always') sidecars += own
    initPeak = Math.max(initPeak, restartPolicy === 'Always' ? sidecars : sidecars + own)
  }
  const running = spec.containers.reduce((sum, { resources }) => sum + of(resources?.requests), sidecars)
  return Math.max(running, initPeak) + of(spec.overhead)
}

/** CPUs count in thousandths, everything else in whole units: bytes, devices. */
function amount(resource: string, quantity: string): number {
  return resource === 'cpu' ? milliCpu(quantity) : bytes(quantity)
}

function hostPorts({ spec }: Pod): string[] {
  return spec.containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP, protocol = 'TCP' }) =>
      hostPort ? [`${protocol}/${hostIP ?? ''}/${hostPort}`] : [],
    ),
  )
}
