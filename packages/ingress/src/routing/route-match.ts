/**
 * Whether a route wants a request, and which of two routes is asked first. Pure.
 *
 * The order is that of both APIs, which agree: the more specific host, an exact path, the longer prefix, and then (as
 * the Gateway API has it) a method, more headers, more query parameters, the older object, the name, the earlier rule.
 * Upstream leaves the place of regular expressions open: ours come after exact paths and before prefixes.
 */

import { headerOf, type PathMatch, type RequestFacts, type Route, type ValueMatch } from './model.ts'
import { normalizedPercents } from './request-path.ts'

export function wants(route: Route, request: RequestFacts): boolean {
  return (
    matchesPath(route.path, request.path) &&
    (route.method === undefined || route.method === request.method) &&
    (route.headers.length === 0 || route.headers.every((one) => matches(one, headerOf(request.headers, one.name)))) &&
    (route.query.length === 0 || matchesQuery(route.query, request.query))
  )
}

function matchesPath({ type, value, pattern }: PathMatch, path: string): boolean {
  if (type === 'Exact') return path === value
  if (type === 'Prefix') return path.startsWith(value) && (path.length === value.length || path[value.length] === '/')
  return pattern?.test(path) ?? false
}

/** Exact or Prefix, with its value as it stands in an object. */
export function pathMatch(type: 'Exact' | 'Prefix', value: string): PathMatch {
  const path = normalizedPercents(value)
  return { type, value: type === 'Exact' ? path : path.replace(/\/+$/, '') }
}

function matches({ value, pattern }: ValueMatch, found: string | undefined): boolean {
  if (found === undefined) return false
  return pattern ? pattern.test(found) : found === value
}

/** As upstream recommends, the first of several parameters of one name counts. */
function matchesQuery(wanted: ValueMatch[], query: string): boolean {
  const parameters = new URLSearchParams(query)
  return wanted.every((one) => matches(one, parameters.get(one.name) ?? undefined))
}

/** Negative: `a` is asked before `b`. */
export function compareRoutes(a: Route, b: Route): number {
  return (
    Number(a.isDefault) - Number(b.isDefault) ||
    hostRank(b.host) - hostRank(a.host) ||
    pathRank(a.path) - pathRank(b.path) ||
    b.path.value.length - a.path.value.length ||
    Number(a.method === undefined) - Number(b.method === undefined) ||
    b.headers.length - a.headers.length ||
    b.query.length - a.query.length ||
    compareSources(a, b)
  )
}

function compareSources({ source: a }: Route, { source: b }: Route): number {
  const [left, right] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`]
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1
  if (left !== right) return left < right ? -1 : 1
  return a.rule - b.rule
}

/** Exact hosts by their length, then wildcards by theirs, then any. No host is longer than 253. */
export function hostRank(host: string): number {
  if (host === '') return 0
  return host.startsWith('*.') ? host.length : 1000 + host.length
}

function pathRank({ type }: PathMatch): number {
  return { Exact: 0, RegularExpression: 1, Prefix: 2 }[type]
}

export function matchesHost(pattern: string, host: string, labels: Route['wildcardLabels']): boolean {
  if (pattern === '') return true
  if (!pattern.startsWith('*.')) return pattern === host
  const suffix = pattern.slice(1)
  if (!host.endsWith(suffix) || host.length === suffix.length) return false
  return labels === 'many' || !host.slice(0, -suffix.length).includes('.')
}
