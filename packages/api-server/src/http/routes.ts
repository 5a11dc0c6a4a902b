/**
 * The paths of this server as routes. Those of resources are the same for every resource, built-in or custom: which
 * ones there are is looked up when a request comes (resource-routes.ts).
 *
 *   /api/v1/nodes/NAME/status                   core, cluster-wide
 *   /apis/apps/v1/namespaces/NS/deployments     a group's, in a namespace
 *   /api/v1/watch/namespaces/NS/pods            the older way to write ?watch=true
 *   /api/v1/namespaces/NS/pods/NAME/proxy/…     whatever follows belongs to who is proxied
 */

import type { FastifyInstance, RouteHandlerMethod } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the path of a route is about; absent for paths that are no resources. */
    resource?: 'resource' | 'watch'
    /** Where the pattern itself names it. */
    subresource?: string
  }
}

/** What the paths of resources have for parameters. */
export interface ResourceParams {
  group?: string
  version?: string
  namespace?: string
  resource?: string
  name?: string
  subresource?: string
}

const scopes = ['/api/:version', '/apis/:group/:version']
const collections = ['/:resource', '/namespaces/:namespace/:resource']

export function addResourceRoutes(app: FastifyInstance, handler: RouteHandlerMethod): void {
  for (const scope of scopes) {
    for (const collection of collections) {
      const paths = ['', '/:name', '/:name/:subresource', '/:name/:subresource/*']
      for (const path of paths) app.all(scope + collection + path, { config: { resource: 'resource' } }, handler)
      for (const path of ['', '/:name']) {
        app.all(`${scope}/watch${collection}${path}`, { config: { resource: 'watch' } }, handler)
      }
    }
    // Of a namespace itself; everything else below a namespace is a resource in it.
    for (const subresource of ['status', 'finalize']) {
      app.all(`${scope}/namespaces/:name/${subresource}`, { config: { resource: 'resource', subresource } }, handler)
    }
  }
}
