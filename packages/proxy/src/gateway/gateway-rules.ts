/**
 * What the gateway does for a Service: which of its ports it listens on at the person's side, and over which nodes the
 * addresses of a load balancer are routed. Pure.
 *
 * A node is used while it is Ready; with a policy of external Local only if it has endpoints itself, which a cloud's
 * load balancer would have found out at the health-check node port.
 */

import type { Node } from '@dinghy/shared/api/types'
import type { Backend } from '../rules/endpoints.ts'
import type { ServiceInfo, ServicePortInfo } from '../rules/service-info.ts'
import type { Rule } from '../userspace/rules.ts'

export interface GatewayPlan {
  /** What to listen on. */
  rules: Rule[]
  /** Address of a load balancer → the addresses of the nodes that it leads to. */
  routes: Map<string, string[]>
}

export interface GatewayOptions {
  /** Where a person finds node ports: "127.0.0.1". */
  nodePortAddress: string
  /**
   * Where nothing may be routed: the address to listen on in the place of a load balancer's, if that is one of this
   * cluster.
   */
  listenFor?: ((loadBalancerIP: string) => string | undefined) | undefined
}

/** An address of the person's machine that leads to one inside of the nodes' network, such as the ingress'. */
export interface Forward {
  listen: { host: string; port: number }
  target: { host: string; port: number }
}

export interface GatewayNode {
  name: string
  address: string
}

export function readyNodes(nodes: Node[]): GatewayNode[] {
  return nodes.flatMap(({ metadata, status }) => {
    const isReady = status.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True')
    const address = status.addresses?.find(({ type }) => type === 'InternalIP')?.address
    return isReady && address !== undefined ? [{ name: metadata.name, address }] : []
  })
}

export function gatewayPlan({ ports }: ServiceInfo, nodes: GatewayNode[], options: GatewayOptions): GatewayPlan {
  const { nodePortAddress, listenFor } = options
  const rules: Rule[] = []
  const routes = new Map<string, Set<string>>()
  for (const info of ports) {
    const usable = nodesFor(info, nodes)
    const { nodePort, port } = info
    if (nodePort !== undefined) {
      rules.push(ruleOf(info, 'NodePort', nodePortAddress, nodePort, usable.map(at(nodePort))))
    }
    for (const address of info.loadBalancerIPs) {
      const listen = listenFor?.(address)
      const backends = usable.map(({ name }): Backend => ({ address, port, node: name }))
      if (listen !== undefined) rules.push(ruleOf(info, 'LoadBalancer', listen, port, backends))
      else if (!listenFor) {
        routes.set(address, new Set([...(routes.get(address) ?? []), ...usable.map((node) => node.address)]))
      }
    }
  }
  return {
    rules: rules.filter(({ backends }) => backends.length > 0),
    routes: new Map([...routes].map(([address, over]) => [address, [...over].sort()])),
  }
}

/** Any Ready node can reach the target. `owner` is who the rules belong to, in the place of a Service. */
export function forwardRules(forwards: readonly Forward[], nodes: GatewayNode[], owner: string): Rule[] {
  if (nodes.length === 0) return []
  return forwards.map(({ listen, target }) => ({
    address: listen.host,
    port: listen.port,
    kind: 'NodePort',
    protocol: 'TCP',
    service: owner,
    portName: '',
    backends: nodes.map(({ name }): Backend => ({ address: target.host, port: target.port, node: name })),
    keepsToClientNode: false,
  }))
}

function nodesFor(info: ServicePortInfo, nodes: GatewayNode[]): GatewayNode[] {
  if (info.backends.length === 0) return []
  if (info.externalPolicy === 'Cluster') return nodes
  return nodes.filter(({ name }) => info.backendsOfNodes.some(({ node }) => node === name))
}

function at(port: number): (node: GatewayNode) => Backend {
  return ({ name, address }) => ({ address, port, node: name })
}

function ruleOf(info: ServicePortInfo, kind: Rule['kind'], address: string, port: number, backends: Backend[]): Rule {
  const { service, portName, protocol, affinityMs } = info
  const affinity = affinityMs === undefined ? {} : { affinityMs }
  return { address, port, kind, protocol, service, portName, ...affinity, backends, keepsToClientNode: false }
}
