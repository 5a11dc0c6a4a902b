/**
 * The Gateway API's objects as far as they are read here, and where they live. Fields that have a default in the CRDs
 * (gateway-api.json) are there.
 */

import type { Resource } from '@dinghy/shared/api/resources'
import type { KubernetesObject, LabelSelector } from '@dinghy/shared/api/types'

export const gatewayGroup = 'gateway.networking.k8s.io'

export interface Condition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
  observedGeneration?: number
  lastTransitionTime?: string
}

export interface GatewayClass extends KubernetesObject {
  spec: { controllerName: string; description?: string; parametersRef?: object }
  status: { conditions?: Condition[] }
}

export interface ObjectRef {
  group?: string
  kind?: string
  namespace?: string
  name: string
}

export interface ListenerSpec {
  name: string
  hostname?: string
  port: number
  protocol: string
  tls?: { mode?: string; certificateRefs?: ObjectRef[] }
  allowedRoutes?: {
    namespaces?: { from?: string; selector?: LabelSelector }
    kinds?: { group?: string; kind: string }[]
  }
}

export interface ListenerStatus {
  name: string
  supportedKinds: { group: string; kind: string }[]
  attachedRoutes: number
  conditions: Condition[]
}

export interface Gateway extends KubernetesObject {
  spec: { gatewayClassName: string; listeners: ListenerSpec[]; addresses?: { type?: string; value?: string }[] }
  status: {
    addresses?: { type: string; value: string }[]
    conditions?: Condition[]
    listeners?: ListenerStatus[]
  }
}

export interface ParentRef extends ObjectRef {
  sectionName?: string
  port?: number
}

export interface BackendRefSpec extends ObjectRef {
  port?: number
  weight?: number
  filters?: FilterSpec[]
}

export interface PathModifierSpec {
  type: 'ReplaceFullPath' | 'ReplacePrefixMatch'
  replaceFullPath?: string
  replacePrefixMatch?: string
}

export interface HeaderFilterSpec {
  set?: { name: string; value: string }[]
  add?: { name: string; value: string }[]
  remove?: string[]
}

export interface FilterSpec {
  type: string
  requestHeaderModifier?: HeaderFilterSpec
  responseHeaderModifier?: HeaderFilterSpec
  requestRedirect?: {
    scheme?: string
    hostname?: string
    path?: PathModifierSpec
    port?: number
    statusCode?: number
  }
  urlRewrite?: { hostname?: string; path?: PathModifierSpec }
  requestMirror?: {
    backendRef: BackendRefSpec
    percent?: number
    fraction?: { numerator: number; denominator?: number }
  }
}

export interface ValueMatchSpec {
  type?: string
  name: string
  value: string
}

export interface HttpRule {
  matches?: {
    path?: { type?: string; value?: string }
    headers?: ValueMatchSpec[]
    queryParams?: ValueMatchSpec[]
    method?: string
  }[]
  filters?: FilterSpec[]
  backendRefs?: BackendRefSpec[]
  timeouts?: { request?: string; backendRequest?: string }
}

export interface GrpcRule {
  matches?: { method?: { type?: string; service?: string; method?: string }; headers?: ValueMatchSpec[] }[]
  filters?: FilterSpec[]
  backendRefs?: BackendRefSpec[]
}

export interface RouteParentStatus {
  parentRef: ParentRef
  controllerName: string
  conditions: Condition[]
}

interface RouteObject<Rule> extends KubernetesObject {
  spec: { parentRefs?: ParentRef[]; hostnames?: string[]; rules?: Rule[] }
  status: { parents?: RouteParentStatus[] }
}

export type HttpRoute = RouteObject<HttpRule>
export type GrpcRoute = RouteObject<GrpcRule>

export interface ReferenceGrant extends KubernetesObject {
  spec: {
    from: { group: string; kind: string; namespace: string }[]
    to: { group: string; kind: string; name?: string }[]
  }
}

function resource<T extends KubernetesObject>(version: string, kind: string, plural: string): Resource<T> {
  return { group: gatewayGroup, version, kind, plural, namespaced: kind !== 'GatewayClass' }
}

export const GatewayClasses = resource<GatewayClass>('v1', 'GatewayClass', 'gatewayclasses')
export const Gateways = resource<Gateway>('v1', 'Gateway', 'gateways')
export const HttpRoutes = resource<HttpRoute>('v1', 'HTTPRoute', 'httproutes')
export const GrpcRoutes = resource<GrpcRoute>('v1', 'GRPCRoute', 'grpcroutes')
export const ReferenceGrants = resource<ReferenceGrant>('v1beta1', 'ReferenceGrant', 'referencegrants')
