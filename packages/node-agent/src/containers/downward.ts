/**
 * The downward API: what a pod may learn about itself, by fieldRef and resourceFieldRef, in environment variables and
 * in files. Pure. Follows upstream's pkg/fieldpath and api/v1/resource.
 */

import { parseQuantity } from '@dinghy/shared/api/quantity'
import type { Container, Pod, ResourceFieldSelector } from '@dinghy/shared/api/types'

/** What the pod itself does not say: it is known only on the node. */
export interface PlaceFacts {
  podIPs: readonly string[]
  hostIPs: readonly string[]
  /** Stands in for a container's missing limits: no container can have more. */
  allocatable: Readonly<Record<string, string>>
}

const subscripted = /^metadata\.(labels|annotations)\['(.+)'\]$/

/** Throws Error for a path that is not supported. Maps become lines of key="value", sorted by key. */
export function fieldValue(pod: Pod, fieldPath: string, place: PlaceFacts): string {
  const { metadata, spec } = pod
  const [, map, key] = subscripted.exec(fieldPath) ?? []
  if (map && key) return (map === 'labels' ? metadata.labels : metadata.annotations)?.[key] ?? ''
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name
    case 'metadata.namespace':
      return metadata.namespace ?? 'default'
    case 'metadata.uid':
      return metadata.uid
    case 'metadata.labels':
      return formatMap(metadata.labels)
    case 'metadata.annotations':
      return formatMap(metadata.annotations)
    case 'spec.nodeName':
      return spec.nodeName ?? ''
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? 'default'
    case 'status.hostIP':
      return place.hostIPs[0] ?? ''
    case 'status.hostIPs':
      return place.hostIPs.join(',')
    case 'status.podIP':
      return place.podIPs[0] ?? ''
    case 'status.podIPs':
      return place.podIPs.join(',')
    default:
      throw new Error(`unsupported fieldPath: ${fieldPath}`)
  }
}

/** A container's request or limit in units of the divisor, rounded up. */
export function resourceValue(pod: Pod, container: Container, ref: ResourceFieldSelector, place: PlaceFacts): string {
  const source = ref.containerName ? findContainer(pod, ref.containerName) : container
  const [kind, resource] = splitResource(ref.resource)
  const resources = source.resources
  const amount =
    kind === 'limits'
      ? // A limit of zero means "none", and none means the whole node.
        (nonZero(resources?.limits?.[resource]) ?? place.allocatable[resource])
      : resources?.requests?.[resource]
  return quotient(amount ?? '0', ref.divisor)
}

function findContainer(pod: Pod, name: string): Container {
  const found = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((other) => other.name === name)
  if (!found) throw new Error(`container ${name} not found`)
  return found
}

const resourceNames = new Set(['cpu', 'memory', 'ephemeral-storage'])

function splitResource(path: string): ['limits' | 'requests', string] {
  const [kind, ...rest] = path.split('.')
  const resource = rest.join('.')
  const known = resourceNames.has(resource) || resource.startsWith('hugepages-')
  if ((kind !== 'limits' && kind !== 'requests') || !known) throw new Error(`Unsupported container resource : ${path}`)
  return [kind, resource]
}

function nonZero(quantity: string | undefined): string | undefined {
  return quantity === undefined || parseQuantity(quantity).nano === 0n ? undefined : quantity
}

function quotient(amount: string, divisor: string | undefined): string {
  const unit = nonZero(divisor) ?? '1'
  const numerator = parseQuantity(amount).nano
  const denominator = parseQuantity(unit).nano
  return String((numerator + denominator - 1n) / denominator)
}

function formatMap(map: Record<string, string> = {}): string {
  return Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')
}
