/**
 * All of a cluster's Ingresses and Gateways as one picture: what is served, where, with which certificates, and what
 * the objects' statuses have to say. Pure; made anew whenever something has changed that it depends on (endpoints are
 * none of that).
 */

import type { Ingress, IngressClass, Service } from '@dinghy/shared/api/types'
import { type AnyRoute, attach, type Attachment, listenerHosts } from './gateway/attachment.ts'
import {
  isServed,
  listenerStates,
  type ListenerState,
  nameOf,
  type RouteKind,
  wellKnownPorts,
} from './gateway/listeners.ts'
import { grpcRules, httpRules, type RouteRules } from './gateway/route-rules.ts'
import type { Gateway, GatewayClass, GrpcRoute, HttpRoute, ReferenceGrant } from './gateway/types.ts'
import { type CertificateUse, controllerName, ingressRoutes, isOurs } from './routing/ingress-routes.ts'
import type { ListenerHost, Route } from './routing/model.ts'

export interface ClusterObjects {
  ingresses: readonly Ingress[]
  ingressClasses: readonly IngressClass[]
  gatewayClasses: readonly GatewayClass[]
  gateways: readonly Gateway[]
  httpRoutes: readonly HttpRoute[]
  grpcRoutes: readonly GrpcRoute[]
  grants: readonly ReferenceGrant[]
  service: (key: string) => Service | undefined
  certificateProblem: (secretKey: string) => string | undefined
  namespaceLabels: (namespace: string) => Record<string, string> | undefined
  portProblem: (port: number) => string | undefined
}

export interface ClusterModel {
  routes: Route[]
  listeners: ListenerHost[]
  certificates: CertificateUse[]
  /** Ports as clients know them. Empty: there is nothing to serve. */
  ports: Map<number, 'http' | 'https'>
  /** By Gateway, "namespace/name". */
  gateways: Map<string, ListenerState[]>
  /** By "KIND namespace/name". */
  attachments: Map<string, Attachment[]>
}

export function isOurClass({ spec }: GatewayClass): boolean {
  return spec.controllerName === controllerName
}

export function ourGateways({ gateways, gatewayClasses }: ClusterObjects): Gateway[] {
  const classes = new Set(gatewayClasses.filter(isOurClass).map(({ metadata }) => metadata.name))
  return gateways.filter(({ spec }) => classes.has(spec.gatewayClassName)).toSorted(byAge)
}

export function clusterModel(objects: ClusterObjects): ClusterModel {
  const ingresses = objects.ingresses.filter((one) => isOurs(one, objects.ingressClasses)).map(ingressRoutes)
  const states = listenerStates(ourGateways(objects), objects, objects.portProblem)
  const attachments = new Map<string, Attachment[]>()
  const routes = ingresses.flatMap((one) => one.routes)
  const add = (route: AnyRoute, kind: RouteKind, rules: RouteRules) => {
    const found = attach(route, kind, rules, states, { labels: objects.namespaceLabels })
    routes.push(...found.routes)
    attachments.set(`${kind} ${route.metadata.namespace}/${route.metadata.name}`, found.attachments)
  }
  for (const route of objects.httpRoutes) add(route, 'HTTPRoute', httpRules(route, objects))
  for (const route of objects.grpcRoutes) add(route, 'GRPCRoute', grpcRules(route, objects))
  const ports = new Map<number, 'http' | 'https'>(ingresses.length > 0 ? wellKnownPorts : [])
  for (const { spec, scheme, refused } of states) if (scheme && !refused) ports.set(spec.port, scheme)
  return {
    routes,
    listeners: listenerHosts(states),
    certificates: [...ingresses.flatMap((one) => one.certificates), ...states.flatMap(certificateUses)],
    ports,
    gateways: byGateway(states),
    attachments,
  }
}

function byGateway(states: readonly ListenerState[]): Map<string, ListenerState[]> {
  const grouped = new Map<string, ListenerState[]>()
  for (const state of states) {
    const name = nameOf(state.gateway)
    grouped.set(name, [...(grouped.get(name) ?? []), state])
  }
  return grouped
}

function certificateUses(state: ListenerState): CertificateUse[] {
  const { spec, gateway, certificates } = state
  if (!isServed(state)) return []
  return certificates.map((secret) => ({
    port: spec.port,
    host: spec.hostname ?? '',
    wildcardLabels: 'many' as const,
    secret,
    createdAt: gateway.metadata.creationTimestamp,
  }))
}

function byAge(a: Gateway, b: Gateway): number {
  const [left, right] = [a, b].map((one) => `${one.metadata.creationTimestamp} ${nameOf(one)}`)
  return (left ?? '') < (right ?? '') ? -1 : 1
}
