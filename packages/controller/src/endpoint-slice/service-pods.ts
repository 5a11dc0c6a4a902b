/**
 * What a Service makes of a pod: whether it is an endpoint, under which ports, and the way from a pod to the Services
 * that select it. Pure; shared by the two controllers that write endpoints down (EndpointSlice and Endpoints).
 */

import { matchesLabels, labelSelectorFromMap } from '@dinghy/shared/api/selectors'
import type { Pod, Service, ServicePort } from '@dinghy/shared/api/types'
import type { Lister } from '@dinghy/shared/client/lister'
import { keyOf } from '@dinghy/shared/api/keys'
import { isPodTerminal } from '../children/pod-state.ts'

/** Whether we write endpoints for it at all; without a selector they are the user's own business. */
export function hasOwnEndpoints(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && service.spec.selector !== undefined
}

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None'
}

/** A finished pod serves nobody, and one without an address can't be reached. Terminating ones still count here. */
export function isEndpoint(pod: Pod): boolean {
  return !isPodTerminal(pod) && ipv4Of(pod) !== undefined
}

export function ipv4Of(pod: Pod): string | undefined {
  const addresses = [...(pod.status.podIPs ?? []).map(({ ip }) => ip), pod.status.podIP]
  return addresses.find((ip) => ip !== undefined && ip.includes('.'))
}

/** The pods' own name in DNS: only where the pod asked for one under this very Service. */
export function hostnameOf(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec
  return hostname && subdomain === service.metadata.name ? hostname : undefined
}

/** Where a Service port ends at this pod; undefined if the port is named and no container of the pod has that name. */
export function targetPortOf(pod: Pod, { port, protocol = 'TCP', targetPort }: ServicePort): number | undefined {
  if (targetPort === undefined || targetPort === 0 || targetPort === '') return port
  if (typeof targetPort === 'number') return targetPort
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always')
  const ports = [...pod.spec.containers, ...sidecars].flatMap((container) => container.ports ?? [])
  return ports.find((one) => one.name === targetPort && (one.protocol ?? 'TCP') === protocol)?.containerPort
}

/** The keys of the Services that select this pod. */
export function servicesOf(pod: Pod, services: Lister<Service>): string[] {
  return services
    .list({ namespace: pod.metadata.namespace })
    .filter((service) => hasOwnEndpoints(service) && selects(service, pod))
    .map(keyOf)
}

export function podsOf(service: Service, pods: Lister<Pod>): Pod[] {
  const selector = labelSelectorFromMap(service.spec.selector ?? {})
  return pods.list({ namespace: service.metadata.namespace, selector })
}

function selects(service: Service, pod: Pod): boolean {
  return matchesLabels(labelSelectorFromMap(service.spec.selector ?? {}), pod.metadata.labels)
}
