/**
 * What the routes of a cluster come to, whichever API they were written in: the one vocabulary of this package.
 *
 *   Ingress ─► ingress-routes.ts ─┐
 *                                 ├─► Route[] ─► route-table.ts: which route has this request? ─► forward/
 *   Gateway, HTTPRoute, … ─► gateway/ ─┘
 *
 * Everything here is data. A route names its Services; which endpoints these have at the moment is asked for each
 * request (forward/backends.ts), so that a new pod needs no new table.
 */

/** Names and values in turns, as they were on the wire: [name, value, name, value, …]. */
export type HeaderList = readonly string[]

/** A port of a Service: by number, or for an Ingress by name. */
export interface ServicePortRef {
  /** "namespace/name" */
  service: string
  port: number | string
}

export interface WeightedBackend {
  /** Undefined: what was named is not there, or may not be used; its share of requests is answered with an error. */
  target: ServicePortRef | undefined
  weight: number
  filters: Filter[]
}

export interface HeaderValue {
  name: string
  value: string
}

export interface HeaderModifier {
  set: HeaderValue[]
  add: HeaderValue[]
  remove: string[]
}

export type PathModifier = { type: 'ReplaceFullPath' | 'ReplacePrefixMatch'; value: string }

export type Filter =
  | ({ type: 'RequestHeaderModifier' | 'ResponseHeaderModifier' } & HeaderModifier)
  | { type: 'RequestRedirect'; scheme?: string; hostname?: string; path?: PathModifier; port?: number; code: number }
  | { type: 'URLRewrite'; hostname?: string; path?: PathModifier }
  | { type: 'RequestMirror'; target: ServicePortRef | undefined; numerator: number; denominator: number }

export interface PathMatch {
  type: 'Exact' | 'Prefix' | 'RegularExpression'
  /** Normalized as requests' paths are; a prefix ends without a slash, so "" is all paths. */
  value: string
  pattern?: RegExp
}

/** A header or a query parameter. */
export interface ValueMatch {
  /** Headers': in lower case. */
  name: string
  value: string
  pattern?: RegExp
}

/** Where a route stands, for people and for the order of routes that are alike. */
export interface RouteSource {
  kind: 'Ingress' | 'HTTPRoute' | 'GRPCRoute'
  namespace: string
  name: string
  rule: number
  createdAt: string
}

export interface Route {
  source: RouteSource
  /** Where requests for it arrive: ports as clients of the cluster know them, whatever this process listens on. */
  ports: number[]
  /** The empty text stands for every host, "*.example.com" for those below example.com. */
  host: string
  /** "*." stands for one label in an Ingress and for any number of them in the Gateway API. */
  wildcardLabels: 'one' | 'many'
  /** The Gateway's listener that it came by. */
  listener?: ListenerKey
  path: PathMatch
  method?: string
  headers: ValueMatch[]
  query: ValueMatch[]
  /** The default backend of an Ingress: what nothing else wants. */
  isDefault: boolean
  filters: Filter[]
  backends: WeightedBackend[]
  /** From the whole request's arrival to the end of its answer; 0 or undefined: as long as it takes. */
  requestTimeoutMs?: number
  /** For one attempt at a backend. */
  backendTimeoutMs?: number
}

export interface ListenerKey {
  /** "namespace/name" */
  gateway: string
  name: string
}

/** A listener of a Gateway, for the choice among several at one port. */
export interface ListenerHost extends ListenerKey {
  port: number
  /** "" for any. */
  hostname: string
}

/** A request as far as routes look at it. */
export interface RequestFacts {
  port: number
  /** In lower case, without port. */
  host: string
  method: string
  /** Normalized: request-path.ts. */
  path: string
  /** Without its "?". */
  query: string
  headers: HeaderList
}

export function headerOf(headers: HeaderList, name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    const candidate = headers[index] ?? ''
    if (candidate.length === name.length && candidate.toLowerCase() === name) return headers[index + 1]
  }
  return undefined
}
