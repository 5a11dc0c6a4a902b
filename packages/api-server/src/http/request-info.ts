/**
 * What a request is about, read off its method and URL alone (upstream's RequestInfo). Authorization, flow control and
 * routing all go by this, so none of them parses a path of its own.
 *
 *   GET  /api/v1/namespaces/default/pods/web/log      get pods/log default/web
 *   GET  /apis/apps/v1/deployments?watch=true         watch deployments.apps, all namespaces
 *   POST /api/v1/namespaces/default/pods              create pods default/
 *   GET  /healthz                                     not a resource: only verb and path
 */

export interface RequestInfo {
  isResource: boolean
  path: string
  /** get, list, watch, create, update, patch, delete, deletecollection; for other paths the method in lower case. */
  verb: string
  group: string
  version: string
  namespace: string | undefined
  resource: string
  name: string | undefined
  subresource: string | undefined
  /** What follows the subresource: the path to ask a proxied node, pod or service for, with its leading slash. */
  rest: string
}

/** Subresources of a namespace; everything else below a namespace is a resource in it. */
const namespaceSubresources = new Set(['status', 'finalize'])

export function parseRequestInfo(method: string, url: URL): RequestInfo {
  const path = url.pathname
  const parts = path.split('/').slice(1)
  if (parts.at(-1) === '') parts.pop()
  const scope = resourceScope(parts)
  if (!scope) return nonResource(method, path)
  const { group, version, rest } = scope
  let segments = rest.map(decodeSegment)
  // The older way to write ?watch=true.
  const legacyWatch = segments[0] === 'watch' && segments.length > 1
  if (legacyWatch) segments = segments.slice(1)

  const inNamespace = segments[0] === 'namespaces' && segments.length > 2 && !namespaceSubresources.has(segments[2]!)
  const [resource = '', name, subresource, ...tail] = inNamespace ? segments.slice(2) : segments
  const namespace = inNamespace ? segments[1] : resource === 'namespaces' ? name : undefined
  const named = name !== undefined && name !== ''
  return {
    isResource: true,
    path,
    verb: verbOf(method, named, url.searchParams, legacyWatch),
    group,
    version,
    namespace,
    resource,
    name: named ? name : undefined,
    subresource,
    rest: tail.length > 0 || path.endsWith('/') ? `/${tail.join('/')}` : '',
  }
}

function resourceScope(parts: string[]): { group: string; version: string; rest: string[] } | undefined {
  if (parts[0] === 'api' && parts.length > 2) return { group: '', version: parts[1]!, rest: parts.slice(2) }
  if (parts[0] === 'apis' && parts.length > 3) {
    return { group: parts[1]!, version: parts[2]!, rest: parts.slice(3) }
  }
  return undefined
}

function verbOf(method: string, named: boolean, query: URLSearchParams, legacyWatch: boolean): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (legacyWatch || isTrue(query.get('watch'))) return named && !legacyWatch ? 'get' : 'watch'
      return named ? 'get' : 'list'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return named ? 'delete' : 'deletecollection'
    default:
      return method.toLowerCase()
  }
}

/** As Go's strconv.ParseBool, and as upstream a bare `?watch`. */
export function isTrue(text: string | null): boolean {
  return text !== null && ['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)
}

function nonResource(method: string, path: string): RequestInfo {
  return {
    isResource: false,
    path,
    verb: method.toLowerCase(),
    group: '',
    version: '',
    namespace: undefined,
    resource: '',
    name: undefined,
    subresource: undefined,
    rest: '',
  }
}

/** A malformed escape stays as it is: no object has such a name, so the answer is a 404. */
function decodeSegment(segment: string): string {
  return /%(?![0-9a-fA-F]{2})/.test(segment) || !segment.includes('%') ? segment : safeDecode(segment)
}

function safeDecode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    if (error instanceof URIError) return segment // valid escapes, but not of UTF-8
    throw error
  }
}
