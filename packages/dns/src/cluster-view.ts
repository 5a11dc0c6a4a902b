/**
 * The cluster as the zone sees it: informers of Services, EndpointSlices and Namespaces, indexed by what is asked for.
 */

import { EndpointSlices, Namespaces, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import type { Informers } from '@dinghy/shared/client/informer'
import type { ClusterView, EndpointFacts, ServiceFacts } from './zone.ts'

const serviceNameLabel = 'kubernetes.io/service-name'

/** `hasSynced` says whether all of it has been read once. Call before the informers start. */
export function clusterView(informers: Informers): ClusterView & { hasSynced(): boolean } {
  const services = informers.for(Services)
  const slices = informers.for(EndpointSlices)
  const namespaces = informers.for(Namespaces)
  services.addIndex('address', ({ spec }) => clusterIpsOf(spec))
  slices.addIndex('service', (slice) => serviceKeysOf(slice))
  slices.addIndex('address', ({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses))

  const service = (namespace: string, name: string): ServiceFacts | undefined => {
    const found = services.lister.get(`${namespace}/${name}`)
    return found && serviceFacts(found)
  }
  return {
    hasSynced: () => services.hasSynced() && slices.hasSynced() && namespaces.hasSynced(),
    hasNamespace: (name) => namespaces.lister.get(name) !== undefined,
    service,
    endpoints: (namespace, name) =>
      slices.lister.byIndex('service', `${namespace}/${name}`).flatMap((slice) => endpointFacts(slice)),
    serviceAt: (address) => services.lister.byIndex('address', address).map(serviceFacts)[0],
    endpointsAt: (address) =>
      slices.lister.byIndex('address', address).flatMap((slice) => {
        const { namespace = '', labels = {} } = slice.metadata
        const owner = service(namespace, labels[serviceNameLabel] ?? '')
        if (!owner || owner.clusterIps.length > 0) return []
        return endpointFacts(slice)
          .filter((endpoint) => endpoint.address === address)
          .map((endpoint) => ({ service: owner, endpoint }))
      }),
  }
}

function clusterIpsOf({ clusterIP, clusterIPs }: Service['spec']): string[] {
  return (clusterIPs ?? (clusterIP ? [clusterIP] : [])).filter((ip) => ip !== '' && ip !== 'None')
}

function serviceFacts({ metadata, spec }: Service): ServiceFacts {
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    clusterIps: clusterIpsOf(spec),
    ...(spec.type === 'ExternalName' && spec.externalName ? { externalName: spec.externalName } : {}),
    ports: (spec.ports ?? []).map(({ name = '', protocol = 'TCP', port }) => ({ name, protocol, port })),
  }
}

function serviceKeysOf({ metadata }: EndpointSlice): string[] {
  const service = metadata.labels?.[serviceNameLabel]
  return service ? [`${metadata.namespace}/${service}`] : []
}

/** A slice says of its endpoints that they are ready where the Service publishes them all. */
function endpointFacts({ endpoints, ports, addressType }: EndpointSlice): EndpointFacts[] {
  if (addressType !== 'IPv4') return []
  const served = (ports ?? []).flatMap(({ name = '', protocol = 'TCP', port }) =>
    port === undefined ? [] : [{ name, protocol, port }],
  )
  return endpoints
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses, hostname }) =>
      addresses.map((address) => ({ address, ports: served, ...(hostname ? { hostname } : {}) })),
    )
}
