/**
 * ServiceInfo: everything that a proxy has to know of one Service, whatever it forwards with. The deciding half of
 * kube-proxy: one Service and its EndpointSlices in; addresses, policies and backends out. Pure.
 *
 * As upstream (pkg/proxy: ServicePortMap): headless and ExternalName Services are not forwarded, DNS alone serves them;
 * nor is one that names another proxy in its label.
 */

import type { EndpointSlice, Service, ServicePort } from '@dinghy/shared/api/types'
import { isIPv4 } from '@dinghy/shared/api/ipv4'
import { candidatesOf, protocolOf, usableFrom, usableOnEachNode, type Backend, type Protocol } from './endpoints.ts'

export interface ServiceInfo {
  /** "namespace/name" */
  service: string
  ports: ServicePortInfo[]
  /** A load balancer asks here whether the node has endpoints of a Service whose external policy is Local. */
  healthCheck?: { port: number; localEndpoints: number }
}

type TrafficPolicy = 'Cluster' | 'Local'

export interface ServicePortInfo {
  service: string
  /** Empty for the only port of a Service. */
  portName: string
  protocol: Protocol
  clusterIPs: string[]
  externalIPs: string[]
  loadBalancerIPs: string[]
  /** The port of all these addresses. */
  port: number
  nodePort?: number
  /** Who may use the addresses of a load balancer: ranges; empty means everybody. */
  sourceRanges: string[]
  /** sessionAffinity ClientIP: how long a client that stays away keeps its backend. */
  affinityMs?: number
  internalPolicy: TrafficPolicy
  externalPolicy: TrafficPolicy
  /** For a policy of Cluster. */
  backends: Backend[]
  /** For a policy of Local, of every node its own. */
  backendsOfNodes: Backend[]
}

export interface ProxyNode {
  name: string
  /** Where NodePorts are served. */
  address: string
  /** Its label topology.kubernetes.io/zone. */
  zone?: string
}

export const serviceNameLabel = 'kubernetes.io/service-name'
const otherProxyLabel = 'service.kubernetes.io/service-proxy-name'

/** `slices`: those whose label names this Service. Undefined for a Service that is not forwarded. */
export function serviceInfoOf(service: Service, slices: EndpointSlice[], node: ProxyNode): ServiceInfo | undefined {
  if (!isForwarded(service)) return undefined
  const ports = (service.spec.ports ?? []).map((port) => portInfoOf(service, port, slices, node))
  const { healthCheckNodePort } = service.spec
  return {
    service: keyOf(service),
    ports,
    ...(healthCheckNodePort
      ? { healthCheck: { port: healthCheckNodePort, localEndpoints: countReady(slices, node) } }
      : {}),
  }
}

/** The backends that a policy of Local uses on this node. */
export function localBackends({ backendsOfNodes }: ServicePortInfo, node: Pick<ProxyNode, 'name'>): Backend[] {
  return backendsOfNodes.filter((backend) => backend.node === node.name)
}

function isForwarded({ metadata, spec }: Service): boolean {
  if (spec.type === 'ExternalName' || metadata.labels?.[otherProxyLabel] !== undefined) return false
  return spec.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== 'None'
}

function portInfoOf(service: Service, port: ServicePort, slices: EndpointSlice[], node: ProxyNode): ServicePortInfo {
  const { spec } = service
  const candidates = candidatesOf(port, slices)
  const ingress = service.status.loadBalancer?.ingress ?? []
  return {
    service: keyOf(service),
    portName: port.name ?? '',
    protocol: protocolOf(port.protocol),
    clusterIPs: (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter(isIPv4),
    externalIPs: (spec.externalIPs ?? []).filter(isIPv4),
    // A load balancer that is a proxy itself wants to see its own traffic.
    loadBalancerIPs: ingress.flatMap(({ ip, ipMode }) => (ip && isIPv4(ip) && ipMode !== 'Proxy' ? [ip] : [])),
    port: port.port,
    ...(port.nodePort ? { nodePort: port.nodePort } : {}),
    sourceRanges: (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()).filter(isIPv4Range),
    ...affinityOf(service),
    internalPolicy: spec.internalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    externalPolicy: spec.externalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    backends: usableFrom(node.zone, candidates),
    backendsOfNodes: usableOnEachNode(candidates),
  }
}

/** Ready endpoints of this node, each address once: what upstream's answer counts. */
function countReady(slices: EndpointSlice[], node: ProxyNode): number {
  const endpoints = slices.filter(({ addressType }) => addressType === 'IPv4').flatMap((slice) => slice.endpoints)
  const ready = endpoints.filter((one) => one.nodeName === node.name && one.conditions?.ready !== false)
  return new Set(ready.map(({ addresses }) => addresses[0])).size
}

function affinityOf({ spec }: Service): { affinityMs?: number } {
  if (spec.sessionAffinity !== 'ClientIP') return {}
  return { affinityMs: (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) * 1_000 }
}

function isIPv4Range(range: string): boolean {
  const [address = '', bits = ''] = range.split('/')
  return isIPv4(address) && /^\d+$/.test(bits)
}

function keyOf({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name}`
}
