/**
 * The rules of an HTTPRoute or a GRPCRoute as routes of our own. Pure.
 *
 * What cannot be understood makes a rule invalid rather than wider than it was meant: its requests are answered with
 * 500, and the route says why.
 */

import { parseDuration } from '@dinghy/shared/api/duration'
import type {
  Filter,
  HeaderModifier,
  PathMatch,
  PathModifier,
  Route,
  ValueMatch,
  WeightedBackend,
} from '../routing/model.ts'
import { pathMatch } from '../routing/route-match.ts'
import { isProblem, type ReferenceView, type Referrer, type RefProblem, resolveBackend } from './references.ts'
import type {
  BackendRefSpec,
  FilterSpec,
  GrpcRoute,
  GrpcRule,
  HeaderFilterSpec,
  HttpRoute,
  HttpRule,
  PathModifierSpec,
  ValueMatchSpec,
} from './types.ts'

/** What of a Route does not depend on where it is attached. */
export type RouteRule = Omit<Route, 'ports' | 'host' | 'listener'>

export interface RouteRules {
  rules: RouteRule[]
  refProblems: RefProblem[]
  /** Values that we do not support: the whole route is not accepted. */
  unsupported: string[]
}

type Match = Pick<Route, 'path' | 'headers' | 'query' | 'method'>

export function httpRules(route: HttpRoute, view: ReferenceView): RouteRules {
  return collect(route, 'HTTPRoute', view, (rule: HttpRule, note) => ({
    matches: (rule.matches?.length ? rule.matches : [{}]).map(({ path, headers = [], queryParams = [], method }) => ({
      path: pathOf(path?.type ?? 'PathPrefix', path?.value ?? '/', note),
      headers: headers.map((one) => valueMatch(one, one.name.toLowerCase(), note)),
      query: queryParams.map((one) => valueMatch(one, one.name, note)),
      ...(method === undefined ? {} : { method }),
    })),
    timeouts: rule.timeouts ?? {},
  }))
}

export function grpcRules(route: GrpcRoute, view: ReferenceView): RouteRules {
  return collect(route, 'GRPCRoute', view, (rule: GrpcRule, note) => ({
    matches: (rule.matches?.length ? rule.matches : [{}]).map(({ method, headers = [] }) => ({
      path: grpcPath(method ?? {}, note),
      headers: headers.map((one) => valueMatch(one, one.name.toLowerCase(), note)),
      query: [],
    })),
    timeouts: {},
  }))
}

type Note = (unsupported: string) => void
type Timeouts = NonNullable<HttpRule['timeouts']>

function collect<Rule extends { filters?: FilterSpec[]; backendRefs?: BackendRefSpec[] }>(
  route: { metadata: HttpRoute['metadata']; spec: { rules?: Rule[] } },
  kind: 'HTTPRoute' | 'GRPCRoute',
  view: ReferenceView,
  read: (rule: Rule, note: Note) => { matches: Match[]; timeouts: Timeouts },
): RouteRules {
  const { namespace = '', name, creationTimestamp: createdAt } = route.metadata
  const from: Referrer = { kind, namespace }
  const refProblems: RefProblem[] = []
  const unsupported: string[] = []
  const note: Note = (what) => void unsupported.push(what)
  const target = (ref: BackendRefSpec) => {
    const resolved = resolveBackend(from, ref, view)
    if (!isProblem(resolved)) return resolved
    refProblems.push(resolved)
    return undefined
  }
  const rules = (route.spec.rules ?? []).flatMap((rule, index): RouteRule[] => {
    const { matches, timeouts } = read(rule, note)
    const filters = (rule.filters ?? []).map((one) => filterOf(one, target, note))
    const backends = (rule.backendRefs ?? []).map((ref): WeightedBackend => ({
      target: target(ref),
      weight: ref.weight ?? 1,
      filters: (ref.filters ?? []).map((one) => filterOf(one, target, note)),
    }))
    return matches.map((match) => ({
      ...match,
      source: { kind, namespace, name, rule: index, createdAt },
      wildcardLabels: 'many' as const,
      isDefault: false,
      filters,
      backends,
      ...timeoutsOf(timeouts),
    }))
  })
  return { rules, refProblems, unsupported }
}

function timeoutsOf({ request, backendRequest }: Timeouts): Pick<Route, 'requestTimeoutMs' | 'backendTimeoutMs'> {
  return {
    ...(request === undefined ? {} : { requestTimeoutMs: parseDuration(request) ?? 0 }),
    ...(backendRequest === undefined ? {} : { backendTimeoutMs: parseDuration(backendRequest) ?? 0 }),
  }
}

function pathOf(type: string, value: string, note: Note): PathMatch {
  if (type === 'Exact') return pathMatch('Exact', value)
  if (type === 'PathPrefix') return pathMatch('Prefix', value)
  return { type: 'RegularExpression', value, pattern: expression(value, note) }
}

function valueMatch({ type = 'Exact', value }: ValueMatchSpec, name: string, note: Note): ValueMatch {
  return type === 'Exact' ? { name, value } : { name, value, pattern: expression(value, note) }
}

/** Of the whole value, in JavaScript's dialect. */
function expression(text: string, note: Note): RegExp {
  try {
    return new RegExp(`^(?:${text})$`)
  } catch {
    note(`${JSON.stringify(text)} is no regular expression`)
    // Nothing matches it.
    return /$^/
  }
}

function grpcPath(
  { type = 'Exact', service, method }: { type?: string; service?: string; method?: string },
  note: Note,
) {
  if (service === undefined && method === undefined) return pathMatch('Prefix', '/')
  if (type === 'Exact' && service !== undefined) {
    return method === undefined ? pathMatch('Prefix', `/${service}`) : pathMatch('Exact', `/${service}/${method}`)
  }
  const quoted = (text: string | undefined) =>
    text === undefined ? '[^/]+' : type === 'Exact' ? text.replace(/[^\w]/g, '\\$&') : `(?:${text})`
  const value = `/${quoted(service)}/${quoted(method)}`
  return { type: 'RegularExpression' as const, value, pattern: expression(value, note) }
}

function filterOf(filter: FilterSpec, target: (ref: BackendRefSpec) => WeightedBackend['target'], note: Note): Filter {
  const { requestHeaderModifier, responseHeaderModifier, requestRedirect, urlRewrite, requestMirror } = filter
  if (requestHeaderModifier) return { type: 'RequestHeaderModifier', ...modifierOf(requestHeaderModifier) }
  if (responseHeaderModifier) return { type: 'ResponseHeaderModifier', ...modifierOf(responseHeaderModifier) }
  if (requestRedirect) {
    const { scheme, hostname, port, path, statusCode = 302 } = requestRedirect
    const place = { ...(scheme ? { scheme } : {}), ...(hostname ? { hostname } : {}), ...(port ? { port } : {}) }
    return { type: 'RequestRedirect', ...place, ...(path ? { path: pathModifier(path) } : {}), code: statusCode }
  }
  if (urlRewrite) {
    const { hostname, path } = urlRewrite
    return { type: 'URLRewrite', ...(hostname ? { hostname } : {}), ...(path ? { path: pathModifier(path) } : {}) }
  }
  if (requestMirror) {
    const { backendRef, percent, fraction } = requestMirror
    const numerator = fraction?.numerator ?? percent ?? 100
    return { type: 'RequestMirror', target: target(backendRef), numerator, denominator: fraction?.denominator ?? 100 }
  }
  note(`filters of type ${filter.type} are not supported`)
  return { type: 'RequestHeaderModifier', set: [], add: [], remove: [] }
}

function modifierOf({ set = [], add = [], remove = [] }: HeaderFilterSpec): HeaderModifier {
  return { set, add, remove }
}

function pathModifier({ type, replaceFullPath = '', replacePrefixMatch = '' }: PathModifierSpec): PathModifier {
  return { type, value: type === 'ReplaceFullPath' ? replaceFullPath : replacePrefixMatch }
}
