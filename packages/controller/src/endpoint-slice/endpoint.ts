/**
 * One pod as an endpoint of a slice, and the ports that it offers for a Service. Pure.
 *
 * An endpoint carries three conditions, so that a proxy can drain gracefully: *serving* is the pod's readiness,
 * *terminating* whether it is on its way out, and *ready* is "send new connections here": serving and not terminating,
 * or true for any pod if the Service publishes pods that are not ready (peers that must find each other to get ready).
 */

import { isPodReady } from '../children/pod-state.ts'
import type { Endpoint, EndpointPort, Node, Pod, Service } from '@dinghy/shared/api/types'
import { hostnameOf, ipv4Of, isHeadless, targetPortOf } from './service-pods.ts'

export function endpointOf(pod: Pod, service: Service, node: Node | undefined): Endpoint {
  const serving = isPodReady(pod)
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating)
  const { name, namespace, uid } = pod.metadata
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone']
  const hostname = hostnameOf(pod, service)
  const address = ipv4Of(pod)
  return {
    addresses: address === undefined ? [] : [address],
    conditions: { ready, serving, terminating },
    ...(hostname ? { hostname } : {}),
    targetRef: { kind: 'Pod', namespace: namespace ?? '', name, uid },
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(zone ? { zone } : {}),
    // As upstream: close is the endpoint's own zone; one that nobody should be sent to needs no hint.
    ...(zone && ready && isKeptClose(service) ? { hints: { forZones: [{ name: zone }] } } : {}),
  }
}

function isKeptClose({ spec }: Service): boolean {
  return spec.trafficDistribution === 'PreferClose'
}

/** The Service's ports as this pod has them. A named port that the pod lacks is left out. */
export function portsOf(pod: Pod, service: Service): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((servicePort) => {
    const port = targetPortOf(pod, servicePort)
    if (port === undefined) return []
    const { name = '', protocol = 'TCP', appProtocol } = servicePort
    return [{ name, port, protocol, ...(appProtocol ? { appProtocol } : {}) }]
  })
}

/** Equal for pods that can share a slice: a slice has one list of ports for all its endpoints. */
export function portsKey(ports: EndpointPort[]): string {
  const texts = ports.map(({ name = '', port, protocol = 'TCP', appProtocol = '' }) =>
    JSON.stringify([name, port, protocol, appProtocol]),
  )
  return texts.sort().join()
}

/** What all slices of a Service carry. A label of the Service can't take the place of one that we need. */
export function sliceLabels(service: Service): Record<string, string> {
  const { [headlessLabel]: _headless, ...own } = service.metadata.labels ?? {}
  return {
    ...own,
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: managedBy,
  }
}

export const serviceNameLabel = 'kubernetes.io/service-name'
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
export const headlessLabel = 'service.kubernetes.io/headless'
export const managedBy = 'endpointslice-controller.k8s.io'
