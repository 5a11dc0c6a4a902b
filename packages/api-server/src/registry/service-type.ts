/**
 * What a Service has by its type, and what becomes of it when the type changes.
 *
 * A client that changes only `type` sends along what the old type had. What the new type cannot have is dropped if the
 * client left it as it was; if he changed it, he meant it, and validation tells him. What he leaves out is kept, so
 * that an update that is built from scratch does not give the address away. Upstream: dropTypeDependentFields and
 * patchAllocatedValues.
 */

import type { Service, ServicePort, ServiceSpec } from '@dinghy/shared/api/types'
import { sameJson } from '@dinghy/shared/api/same-json'

export function needsClusterIp({ spec }: Service): boolean {
  return spec.type !== 'ExternalName' && spec.clusterIP !== 'None' && spec.clusterIPs?.[0] !== 'None'
}

export function needsNodePorts({ spec }: Service): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
}

/** A load balancer has to ask which nodes have endpoints. */
export function needsHealthCheck({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local'
}

export function nodePortsOf({ spec }: Service): { protocol: string | undefined; port: number }[] {
  const ports = (spec.ports ?? []).flatMap(({ protocol, nodePort }) => (nodePort ? [{ protocol, port: nodePort }] : []))
  return spec.healthCheckNodePort ? [...ports, { protocol: 'TCP', port: spec.healthCheckNodePort }] : ports
}

/** Changes `service` in place; `before` is the stored state. */
export function adaptToType(service: Service, before: Service): void {
  dropLost(service, before)
  keepAllocated(service, before)
}

function dropLost(service: Service, { spec: before }: Service): void {
  const { spec } = service
  const drop = (field: keyof Service['spec']) => {
    if (sameJson(spec[field], before[field])) delete spec[field]
  }
  if (spec.type === 'ExternalName' && before.type !== 'ExternalName') {
    drop('clusterIP')
    drop('clusterIPs')
  }
  const isExposed = spec.type === 'NodePort' || spec.type === 'LoadBalancer'
  if (!isExposed && !spec.externalIPs?.length) drop('externalTrafficPolicy')
  if (spec.type !== 'LoadBalancer') {
    drop('allocateLoadBalancerNodePorts')
    drop('loadBalancerClass')
    if (service.status?.loadBalancer) service.status.loadBalancer = {}
  }
  if (!needsHealthCheck(spec)) drop('healthCheckNodePort')
  const had = new Set(nodePortNumbers(before.ports))
  if (!isExposed && nodePortNumbers(spec.ports).every((port) => had.has(port))) {
    for (const port of spec.ports ?? []) delete port.nodePort
  }
}

function keepAllocated(service: Service, { spec: before }: Service): void {
  const { spec } = service
  if (spec.type !== 'ExternalName' && before.type !== 'ExternalName' && !spec.clusterIP) {
    if (before.clusterIP) spec.clusterIP = before.clusterIP
    if (before.clusterIPs) spec.clusterIPs = before.clusterIPs
  }
  if (needsHealthCheck(spec) && before.healthCheckNodePort) spec.healthCheckNodePort ||= before.healthCheckNodePort
  if (!needsNodePorts(service)) return
  const ports = spec.ports ?? []
  const asked = new Set(nodePortNumbers(ports))
  for (const port of ports) {
    if (port.nodePort) continue
    const old = before.ports?.find((one) => one.port === port.port && one.protocol === port.protocol)
    if (old?.nodePort && !asked.has(old.nodePort)) port.nodePort = old.nodePort
  }
}

function nodePortNumbers(ports: ServicePort[] | undefined): number[] {
  return (ports ?? []).flatMap(({ nodePort }) => (nodePort ? [nodePort] : []))
}
