/**
 * What a request is about, read off its method and route alone (upstream's RequestInfo). Authorization, flow control
 * and routing all go by this, so none of them parses a path of its own.
 *
 *   GET  /api/v1/namespaces/default/pods/web/log      get pods/log default/web
 *   GET  /apis/apps/v1/deployments?watch=true         watch deployments.apps, all namespaces
 *   POST /api/v1/namespaces/default/pods              create pods default/
 *   GET  /healthz                                     not a resource: only verb and path
 */

import type { FastifyRequest } from 'fastify'
import type { ResourceParams } from './routes.ts'

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

/** Everything below comes from the route: its parameters are decoded, its pattern tells where a proxied path begins. */
export function requestInfo(
  { method, url, params, routeOptions }: FastifyRequest,
  query: URLSearchParams,
): RequestInfo {
  const path = url.split('?', 1)[0] ?? ''
  const { resource: kind, subresource: fixed } = routeOptions.config
  if (kind === undefined) return nonResource(method, path)
  const { group = '', version = '', resource = 'namespaces', name, namespace, subresource } = params as ResourceParams
  return {
    isResource: true,
    path,
    verb: verbOf(method, name !== undefined, query, kind === 'watch'),
    group,
    version,
    namespace: resource === 'namespaces' ? name : namespace,
    resource,
    name,
    subresource: subresource ?? fixed,
    rest: restOf(path, routeOptions.url),
  }
}

function restOf(path: string, pattern = ''): string {
  if (!pattern.endsWith('/*')) return path.endsWith('/') ? '/' : ''
  const tail = path.split('/').slice(pattern.split('/').length - 1)
  return `/${tail.join('/')}`
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
