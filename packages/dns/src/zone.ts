/**
 * What a name below the cluster's domain means. Pure. Follows the specification of Kubernetes DNS
 * (kubernetes/dns, docs/specification.md) and, where it leaves something open, CoreDNS' kubernetes plugin.
 *
 *   web.shop.svc.cluster.local                     a Service: its ClusterIP, or the endpoints of a headless one
 *   db-0.db.shop.svc.cluster.local                 one endpoint of a headless Service, by its hostname or its address
 *   _http._tcp.web.shop.svc.cluster.local          SRV: a named port
 *   10-244-1-7.shop.pod.cluster.local              a pod by its address
 *   1.0.96.10.in-addr.arpa                         PTR: whose address this is
 */

import type { Answer, RecordType } from 'dns-packet'

export interface ServiceFacts {
  name: string
  namespace: string
  /** Empty for a headless Service. */
  clusterIps: string[]
  /** Set for a Service of type ExternalName. */
  externalName?: string
  ports: Port[]
}

export interface Port {
  name: string
  protocol: string
  port: number
}

export interface EndpointFacts {
  address: string
  hostname?: string
  ports: Port[]
}

/** The cluster as it is now. */
export interface ClusterView {
  service(namespace: string, name: string): ServiceFacts | undefined
  /** Those that shall be found: ready ones, or all where a Service publishes them. */
  endpoints(namespace: string, name: string): EndpointFacts[]
  hasNamespace(name: string): boolean
  /** Whose ClusterIP this is. */
  serviceAt(address: string): ServiceFacts | undefined
  /** The endpoints of headless Services with this address. */
  endpointsAt(address: string): { service: ServiceFacts; endpoint: EndpointFacts }[]
}

export interface Zone {
  /** "cluster.local" */
  domain: string
  /** Seconds. */
  ttl: number
}

export type Outcome =
  /** Not a name of this cluster. */
  'elsewhere' | 'no such name' | { answers: Answer[]; additionals: Answer[] }

/** What this version of the specification is called. */
const schemaVersion = '1.1.0'

/** `name` in lower case, without a dot at its end. */
export function lookUp(name: string, type: RecordType, zone: Zone, cluster: ClusterView): Outcome {
  if (name.endsWith('.in-addr.arpa')) return reverse(name, type, zone, cluster)
  if (name !== zone.domain && !name.endsWith(`.${zone.domain}`)) return 'elsewhere'
  const labels = name
    .slice(0, -zone.domain.length - 1)
    .split('.')
    .filter(Boolean)
  const kind = labels.pop()
  if (kind === undefined) return nothing
  if (kind === 'dns-version' && labels.length === 0) {
    return of([{ name, type: 'TXT', ttl: zone.ttl, data: schemaVersion }], type)
  }
  const namespace = labels.pop()
  if (kind !== 'svc' && kind !== 'pod') return 'no such name'
  if (namespace === undefined) return nothing
  if (!cluster.hasNamespace(namespace)) return 'no such name'
  if (labels.length === 0) return nothing
  return kind === 'pod'
    ? podByAddress(name, labels, type, zone)
    : inNamespace(name, labels, namespace, type, zone, cluster)
}

/** The name is there, records of this type are not. */
const nothing: Outcome = { answers: [], additionals: [] }

function of(records: Answer[], type: RecordType, additionals: Answer[] = []): Outcome {
  return { answers: records.filter((record) => record.type === type || record.type === 'CNAME'), additionals }
}

function podByAddress(name: string, labels: string[], type: RecordType, { ttl }: Zone): Outcome {
  const [dashed = ''] = labels
  const address = dashed.replaceAll('-', '.')
  if (labels.length > 1 || !isIpv4(address)) return 'no such name'
  return of([{ name, type: 'A', ttl, data: address }], type)
}

function inNamespace(
  name: string,
  labels: string[],
  namespace: string,
  type: RecordType,
  zone: Zone,
  cluster: ClusterView,
): Outcome {
  const service = cluster.service(namespace, labels.pop() ?? '')
  if (!service) return 'no such name'
  if (service.externalName !== undefined) {
    if (labels.length > 0) return 'no such name'
    return of([{ name, type: 'CNAME', ttl: zone.ttl, data: service.externalName }], type)
  }
  const endpoints = service.clusterIps.length > 0 ? [] : cluster.endpoints(namespace, service.name)
  // A headless Service without endpoints has no name, as a name without an address would be.
  if (service.clusterIps.length === 0 && endpoints.length === 0) return 'no such name'
  const [first = '', second = ''] = labels
  if (labels.length === 0) {
    const addresses = service.clusterIps.length > 0 ? service.clusterIps : endpoints.map(({ address }) => address)
    return type === 'SRV' ? srv(name, service, endpoints, zone) : of(addressRecords(name, addresses, zone), type)
  }
  if (labels.length === 1) {
    const found = endpoints.filter((endpoint) => labelOf(endpoint) === first)
    return found.length === 0
      ? 'no such name'
      : of(
          addressRecords(
            name,
            found.map(({ address }) => address),
            zone,
          ),
          type,
        )
  }
  const isPort = first.startsWith('_') && second.startsWith('_') && labels.length === 2
  return isPort ? srv(name, service, endpoints, zone, first.slice(1), second.slice(1)) : 'no such name'
}

/** The ports of a Service; with a name and a protocol, those alone. */
function srv(
  name: string,
  service: ServiceFacts,
  endpoints: EndpointFacts[],
  zone: Zone,
  portName?: string,
  protocol?: string,
): Outcome {
  const isWanted = (port: Port) =>
    portName === undefined || (port.name === portName && port.protocol.toLowerCase() === protocol)
  const host = `${service.name}.${service.namespace}.svc.${zone.domain}`
  const targets =
    service.clusterIps.length > 0
      ? [{ target: host, addresses: service.clusterIps, ports: service.ports }]
      : endpoints.map((endpoint) => ({
          target: `${labelOf(endpoint)}.${host}`,
          addresses: [endpoint.address],
          ports: endpoint.ports,
        }))
  const found = targets.flatMap(({ target, ports }) => ports.filter(isWanted).map(({ port }) => ({ target, port })))
  if (found.length === 0) return 'no such name'
  const weight = Math.floor(100 / found.length) || 1
  const answers = found.map(({ target, port }): Answer => ({
    name,
    type: 'SRV',
    ttl: zone.ttl,
    data: { priority: 0, weight, port, target },
  }))
  const additionals = targets.flatMap(({ target, addresses }) => addressRecords(target, addresses, zone))
  return { answers, additionals }
}

function reverse(name: string, type: RecordType, zone: Zone, cluster: ClusterView): Outcome {
  const address = name.slice(0, -'.in-addr.arpa'.length).split('.').toReversed().join('.')
  const service = cluster.serviceAt(address)
  const hosts = service
    ? [`${service.name}.${service.namespace}.svc.${zone.domain}`]
    : cluster
        .endpointsAt(address)
        .map(
          (found) => `${labelOf(found.endpoint)}.${found.service.name}.${found.service.namespace}.svc.${zone.domain}`,
        )
  // Whoever has the address, the cluster does not: the name servers behind this one may know.
  if (hosts.length === 0) return 'elsewhere'
  return of(
    hosts.map((data): Answer => ({ name, type: 'PTR', ttl: zone.ttl, data })),
    type,
  )
}

function addressRecords(name: string, addresses: string[], { ttl }: Zone): Answer[] {
  return addresses.filter(isIpv4).map((data): Answer => ({ name, type: 'A', ttl, data }))
}

/** The part of an endpoint's name that is its own. */
function labelOf({ hostname, address }: EndpointFacts): string {
  return hostname ?? address.replaceAll('.', '-')
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)
}
