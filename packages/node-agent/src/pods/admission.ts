/**
 * Can this node take the pod at all? The scheduler has asked the same before, but a pod can name its node itself, and two
 * schedulers may not know of one another: so the node has the last word. Pure. Follows upstream's lifecycle predicates
 * (pkg/kubelet/lifecycle/predicate.go), whose reasons and messages these are.
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
  const wanted = requestsOf(pod)
  const taken = active.map(requestsOf)
  for (const resource of ['cpu', 'memory', 'ephemeral-storage'] as const) {
    const available = amount(resource, node.allocatable[resource])
    if (available === undefined || wanted[resource] === 0) continue
    const usedAmount = taken.reduce((sum, requests) => sum + requests[resource], 0)
    if (usedAmount + wanted[resource] > available) return tooMuch(resource, wanted[resource], usedAmount, available)
  }
  return undefined
}

function tooMuch(resource: string, requested: number, used: number, capacity: number): Refusal {
  const amounts = `requested: ${requested}, used: ${used}, capacity: ${capacity}`
  return { reason: `OutOf${resource}`, message: `Node didn't have enough resource: ${resource}, ${amounts}` }
}

type Requests = Record<'cpu' | 'memory' | 'ephemeral-storage', number>

/** The larger of: all containers and sidecars together; any init container with the sidecars that run beside it. */
export function requestsOf({ spec }: Pod): Requests {
  const total = (resource: keyof Requests): number => {
    const of = (requests: Record<string, string> | undefined) => amount(resource, requests?.[resource]) ?? 0
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
  return { cpu: total('cpu'), memory: total('memory'), 'ephemeral-storage': total('ephemeral-storage') }
}

/** CPUs count in thousandths, everything else in bytes. */
function amount(resource: string, quantity: string | undefined): number | undefined {
  if (quantity === undefined) return undefined
  return resource === 'cpu' ? milliCpu(quantity) : bytes(quantity)
}

function hostPorts({ spec }: Pod): string[] {
  return spec.containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP, protocol = 'TCP' }) =>
      hostPort ? [`${protocol}/${hostIP ?? ''}/${hostPort}`] : [],
    ),
  )
}
