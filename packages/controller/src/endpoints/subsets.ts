/**
 * The older form of a Service's endpoints: one object with all of them, in subsets that share their ports. Pure.
 *
 * Unlike a slice it knows only two states: ready or not. Terminating pods are left out altogether, unless the Service
 * publishes pods that are not ready. Follows endpoints_controller.go.
 */

import type { EndpointAddress, EndpointSubset, Pod, Service } from '@dinghy/shared/api/types'
import { isPodReady } from '../children/pod-state.ts'
import { headlessLabel, portsKey, portsOf } from '../endpoint-slice/endpoint.ts'
import { hostnameOf, ipv4Of, isEndpoint, isHeadless } from '../endpoint-slice/service-pods.ts'

/** One object holds at most this many addresses; slices are the way to more. */
const mostAddresses = 1000
export const overCapacityAnnotation = 'endpoints.kubernetes.io/over-capacity'
export const managedByLabel = 'endpoints.kubernetes.io/managed-by'
export const managedBy = 'endpoint-controller'

/** In a stable order, so that the same pods always make the same object. */
export function subsetsOf(service: Service, pods: Pod[]): EndpointSubset[] {
  const publishesNotReady = service.spec.publishNotReadyAddresses === true
  const subsets = new Map<string, EndpointSubset>()
  for (const pod of pods.filter(isEndpoint)) {
    if (pod.metadata.deletionTimestamp !== undefined && !publishesNotReady) continue
    const ports = portsOf(pod, service).map(({ name, ...port }) => ({ ...(name ? { name } : {}), port: 0, ...port }))
    const hasNoPorts = ports.length === 0
    if (hasNoPorts && !(isHeadless(service) && (service.spec.ports ?? []).length === 0)) continue
    const key = portsKey(ports)
    const subset = subsets.get(key) ?? (hasNoPorts ? {} : { ports })
    const list = publishesNotReady || isPodReady(pod) ? 'addresses' : 'notReadyAddresses'
    subset[list] = [...(subset[list] ?? []), addressOf(pod, service)]
    subsets.set(key, subset)
  }
  const inOrder = [...subsets].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, subset]) => subset)
  for (const subset of inOrder) {
    subset.addresses?.sort(byAddress)
    subset.notReadyAddresses?.sort(byAddress)
  }
  return inOrder
}

/** At most `most` addresses, ready ones first. */
export function truncated(
  subsets: EndpointSubset[],
  most = mostAddresses,
): { subsets: EndpointSubset[]; isCut: boolean } {
  const count = (list: 'addresses' | 'notReadyAddresses') =>
    subsets.reduce((total, subset) => total + (subset[list]?.length ?? 0), 0)
  if (count('addresses') + count('notReadyAddresses') <= most) return { subsets, isCut: false }
  let left = most
  const take = (list: EndpointAddress[] | undefined) => {
    const taken = list?.slice(0, left) ?? []
    left -= taken.length
    return taken
  }
  const ready = subsets.map((subset) => take(subset.addresses))
  const notReady = subsets.map((subset) => take(subset.notReadyAddresses))
  const cut = subsets.flatMap(({ ports }, index): EndpointSubset[] => {
    const [addresses = [], notReadyAddresses = []] = [ready[index], notReady[index]]
    if (addresses.length + notReadyAddresses.length === 0) return []
    return [
      {
        ...(addresses.length > 0 ? { addresses } : {}),
        ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
        ...(ports ? { ports } : {}),
      },
    ]
  })
  return { subsets: cut, isCut: true }
}

export function endpointsLabels(service: Service): Record<string, string> {
  const { [headlessLabel]: _headless, ...own } = service.metadata.labels ?? {}
  return { ...own, ...(isHeadless(service) ? { [headlessLabel]: '' } : {}), [managedByLabel]: managedBy }
}

function addressOf(pod: Pod, service: Service): EndpointAddress {
  const { name, namespace, uid } = pod.metadata
  const hostname = hostnameOf(pod, service)
  return {
    ip: ipv4Of(pod) ?? '',
    ...(hostname ? { hostname } : {}),
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace: namespace ?? '', name, uid },
  }
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  const [left, right] = [a, b].map(({ ip, targetRef }) => `${ip}/${targetRef?.uid ?? ''}`) as [string, string]
  return left < right ? -1 : left > right ? 1 : 0
}
