/**
 * Rules of a proxy in user space: what it listens on, and for which backends. Pure; listeners.ts acts on it.
 *
 * A port without a backend has no rule, so that nobody listens there and clients are refused. Where all nodes share one
 * network (loopback mode), every node's ClusterIPs are served by whichever proxy binds them first: then a policy of
 * internal Local means "the node of the client", and the backends of all nodes are listed for it to choose from.
 */

import type { Backend, Protocol } from '../rules/endpoints.ts'
import { localBackends, type ProxyNode, type ServiceInfo, type ServicePortInfo } from '../rules/service-info.ts'

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
  /** Who may connect: ranges; undefined means everybody. */
  sourceRanges?: string[]
  /** sessionAffinity ClientIP: how long a client that stays away keeps its backend. */
  affinityMs?: number
}

export interface Place {
  node: Pick<ProxyNode, 'name'>
  nodePortAddresses: string[]
  /** Other nodes listen on the same network: see above. */
  isShared: boolean
}

/** The key of what can be bound once: "TCP 127.96.0.10:80". */
export function bindingOf({ protocol, address, port }: Rule): string {
  return `${protocol} ${address}:${port}`
}

export function rulesOf({ ports }: ServiceInfo, place: Place): Rule[] {
  return ports.flatMap((port) => rulesOfPort(port, place)).filter(({ backends }) => backends.length > 0)
}

function rulesOfPort(info: ServicePortInfo, { node, nodePortAddresses, isShared }: Place): Rule[] {
  const { service, portName, protocol, port, nodePort, sourceRanges, affinityMs } = info
  const own = localBackends(info, node)
  const external = info.externalPolicy === 'Local' ? own : info.backends
  const internal = info.internalPolicy === 'Local' ? (isShared ? info.backendsOfNodes : own) : info.backends
  const rule = (kind: Rule['kind'], address: string, number: number, backends: Backend[]): Rule => ({
    address,
    port: number,
    kind,
    protocol,
    service,
    portName,
    ...(affinityMs === undefined ? {} : { affinityMs }),
    backends,
    keepsToClientNode: kind === 'ClusterIP' && info.internalPolicy === 'Local' && isShared,
    ...(kind === 'LoadBalancer' && sourceRanges.length > 0 ? { sourceRanges } : {}),
  })
  return [
    ...info.clusterIPs.map((ip) => rule('ClusterIP', ip, port, internal)),
    ...(nodePort === undefined ? [] : nodePortAddresses.map((ip) => rule('NodePort', ip, nodePort, external))),
    ...info.externalIPs.map((ip) => rule('ExternalIP', ip, port, external)),
    ...info.loadBalancerIPs.map((ip) => rule('LoadBalancer', ip, port, external)),
  ]
}
