/**
 * Rules: what a node forwards where. The deciding half of kube-proxy: one Service and its EndpointSlices in, a list of
 * "address:port → backends" out. Pure; listeners.ts acts on it.
 *
 * As upstream (pkg/proxy: ServicePortMap, CategorizeEndpoints):
 *   - headless and ExternalName Services are not forwarded; DNS alone serves them;
 *   - only ready endpoints are used; when there are none, those that are terminating but still serve;
 *   - a Service with publishNotReadyAddresses needs nothing here: its slices already say ready;
 *   - a policy of Local keeps to the endpoints of one node.
 * Differently: internalTrafficPolicy Local means "the node of the client", and since every node's ClusterIPs are served
 * by whichever proxy binds them first, the backends of all nodes are listed and the client's node chooses among them.
 * Topology hints are not read: all our nodes are in one place.
 */

import type { Endpoint, EndpointSlice, Service, ServicePort } from '@dinghy/shared/api/types'

type Protocol = 'TCP' | 'UDP' | 'SCTP'

export interface Backend {
  address: string
  port: number
  /** Unknown for endpoints that somebody wrote by hand. */
  node?: string
}

export interface Rule {
  address: string
  port: number
  protocol: Protocol
  kind: 'ClusterIP' | 'NodePort' | 'ExternalIP' | 'LoadBalancer'
  /** "namespace/name" */
  service: string
  /** Empty for the only port of a Service. */
  portName: string
  backends: Backend[]
  /** Use only the backends of the node that the client runs on. */
  keepsToClientNode: boolean
  /** sessionAffinity ClientIP: how long a client that stays away keeps its backend. */
  affinityMs?: number
}

export interface ProxyNode {
  name: string
  /** Where NodePorts are served. */
  address: string
}

export const serviceNameLabel = 'kubernetes.io/service-name'
const otherProxyLabel = 'service.kubernetes.io/service-proxy-name'

/** NodePorts are served here too, by whichever node's proxy is first: what a person at the machine types. */
const hostAddress = '127.0.0.1'

/** The key of what can be bound once: "TCP 127.96.0.10:80". */
export function bindingOf({ protocol, address, port }: Rule): string {
  return `${protocol} ${address}:${port}`
}

/** `slices`: those whose label names this Service. */
export function rulesOf(service: Service, slices: EndpointSlice[], node: ProxyNode): Rule[] {
  if (!isForwarded(service)) return []
  const rules = (service.spec.ports ?? []).flatMap((port) => rulesOfPort(service, port, slices, node))
  return rules.filter(({ backends }) => backends.length > 0)
}

function isForwarded({ metadata, spec }: Service): boolean {
  if (spec.type === 'ExternalName' || metadata.labels?.[otherProxyLabel] !== undefined) return false
  return spec.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== 'None'
}

function rulesOfPort(service: Service, port: ServicePort, slices: EndpointSlice[], node: ProxyNode): Rule[] {
  const { spec, metadata } = service
  const endpoints = endpointsOf(port, slices)
  const anywhere = usable(endpoints)
  const hereOnly = usable(endpoints.filter((endpoint) => endpoint.node === node.name))
  const isInternalLocal = spec.internalTrafficPolicy === 'Local'
  const external = spec.externalTrafficPolicy === 'Local' ? hereOnly : anywhere
  const common = {
    protocol: protocolOf(port.protocol),
    service: `${metadata.namespace}/${metadata.name}`,
    portName: port.name ?? '',
    ...affinityOf(service),
  }
  const rule = (kind: Rule['kind'], address: string, backends: Backend[], keepsToClientNode = false): Rule => {
    const number = kind === 'NodePort' ? (port.nodePort ?? 0) : port.port
    return { address, port: number, kind, ...common, backends, keepsToClientNode }
  }
  const clusterIPs = spec.clusterIPs ?? [spec.clusterIP ?? '']
  const ingress = service.status.loadBalancer?.ingress ?? []
  return [
    ...clusterIPs.map((ip) =>
      rule('ClusterIP', ip, isInternalLocal ? usableOnEachNode(endpoints) : anywhere, isInternalLocal),
    ),
    ...(port.nodePort ? [node.address, hostAddress].map((ip) => rule('NodePort', ip, external)) : []),
    ...(spec.externalIPs ?? []).map((ip) => rule('ExternalIP', ip, external)),
    ...ingress.flatMap(({ ip }) => (ip ? [rule('LoadBalancer', ip, external)] : [])),
  ].filter(({ address }) => isIPv4(address))
}

interface Candidate extends Backend {
  isReady: boolean
  isServingWhileTerminating: boolean
}

/** The endpoints behind one port of the Service: the slice's port of the same name and protocol has the number. */
function endpointsOf(port: ServicePort, slices: EndpointSlice[]): Candidate[] {
  const found = new Map<string, Candidate>()
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue
    for (const { name = '', protocol = 'TCP', port: number } of slice.ports ?? []) {
      if (name !== (port.name ?? '') || protocol !== protocolOf(port.protocol) || number === undefined) continue
      for (const endpoint of slice.endpoints) addCandidate(found, endpoint, number)
    }
  }
  return [...found.values()]
}

// While an endpoint moves from one slice to another it may be seen in both: better to believe the ready one.
function addCandidate(
  found: Map<string, Candidate>,
  { addresses, conditions = {}, nodeName }: Endpoint,
  port: number,
): void {
  const [address] = addresses
  if (address === undefined) return
  const { ready = true, serving = ready, terminating = false } = conditions
  const candidate: Candidate = {
    address,
    port,
    ...(nodeName === undefined ? {} : { node: nodeName }),
    isReady: ready,
    isServingWhileTerminating: serving && terminating,
  }
  const key = `${address}:${port}`
  if (!found.get(key)?.isReady) found.set(key, candidate)
}

function usable(candidates: Candidate[]): Backend[] {
  const ready = candidates.filter(({ isReady }) => isReady)
  const chosen = ready.length > 0 ? ready : candidates.filter((candidate) => candidate.isServingWhileTerminating)
  return chosen.map(({ isReady: _isReady, isServingWhileTerminating: _isServing, ...backend }) => backend)
}

function usableOnEachNode(candidates: Candidate[]): Backend[] {
  const nodes = new Set(candidates.map(({ node }) => node))
  return [...nodes].flatMap((name) => usable(candidates.filter(({ node }) => node === name)))
}

function affinityOf({ spec }: Service): { affinityMs?: number } {
  if (spec.sessionAffinity !== 'ClientIP') return {}
  return { affinityMs: (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) * 1_000 }
}

function protocolOf(text: string | undefined): Protocol {
  return text === 'UDP' || text === 'SCTP' ? text : 'TCP'
}

function isIPv4(address: string): boolean {
  return address !== '' && !address.includes(':')
}
