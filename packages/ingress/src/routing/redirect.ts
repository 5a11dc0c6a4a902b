/** RequestRedirect and URLRewrite: where a request goes instead. Pure. */

import type { Filter, PathMatch, PathModifier } from './model.ts'

export interface RedirectedRequest {
  scheme: 'http' | 'https'
  /** Without port. */
  host: string
  /** Of the listener. */
  port: number
  /** Path and query. */
  target: string
}

/** The Location header. */
export function redirectLocation(
  filter: Extract<Filter, { type: 'RequestRedirect' }>,
  request: RedirectedRequest,
  match: PathMatch,
): string {
  const scheme = filter.scheme ?? request.scheme
  const wellKnown = scheme === 'https' ? 443 : 80
  const port = filter.port ?? (filter.scheme === undefined ? request.port : wellKnown)
  const authority = `${filter.hostname ?? request.host}${port === wellKnown ? '' : `:${port}`}`
  return `${scheme}://${authority}${rewriteTarget(request.target, filter.path, match)}`
}

/** Path and query after a rewrite; the query is kept. */
export function rewriteTarget(target: string, modifier: PathModifier | undefined, match: PathMatch): string {
  if (!modifier) return target
  const question = target.indexOf('?')
  const query = question < 0 ? '' : target.slice(question)
  const path = question < 0 ? target : target.slice(0, question)
  if (modifier.type === 'ReplaceFullPath') return (modifier.value || '/') + query
  return replacedPrefix(path, modifier.value, match.value) + query
}

/** By elements: the table that upstream's type documents is in the tests. */
function replacedPrefix(path: string, replacement: string, prefix: string): string {
  const rest = restAfter(path, prefix.split('/').length - 1)
  const base = replacement.replace(/\/$/, '')
  return base + rest || '/'
}

/** Not by characters: what was compared is the normalized path, and this is the one that was sent. */
function restAfter(path: string, elements: number): string {
  let at = 0
  for (let count = 0; count < elements && at >= 0; count++) at = path.indexOf('/', at + 1)
  return at < 0 ? '' : path.slice(at)
}
