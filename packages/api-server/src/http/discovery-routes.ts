/**
 * /api, /apis and below: what is served, in the dialect that the client asks for. The documents are made in
 * discovery.ts.
 */

import {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  type ExtensionVersion,
  type Served,
} from '../discovery.ts'
import type { Resources } from '../registry/resources.ts'
import { documentReply, perGeneration } from './document.ts'
import type { Exchange } from './exchange.ts'
import { parseAccept } from './negotiation.ts'
import type { PathRoutes } from './path-routes.ts'
import type { Reply } from './reply.ts'

/** What other servers answer for, beside this one's resources. */
export interface Extensions {
  readonly generation: number
  extensions(): ExtensionVersion[]
}

export function discoveryRoutes(resources: Resources, others: Extensions): PathRoutes {
  const either = {
    // Both only grow, so their sum changes whenever one of them does.
    get generation() {
      return resources.generation + others.generation
    },
  }
  const served = () => ({ definitions: resources.all(), extensions: others.extensions() })
  const bodies = perGeneration(either, () => new Map<string, string>())
  const remember = (key: string, make: () => object | undefined): string | undefined => {
    const known = bodies().get(key)
    if (known !== undefined) return known
    const made = make()
    if (made === undefined) return undefined
    const body = JSON.stringify(made)
    bodies().set(key, body)
    return body
  }
  const listOf = (make: (group: string, version: string) => object | undefined) => (exchange: Exchange) => {
    const [root, ...scope] = exchange.info.path.split('/').filter(Boolean)
    const [group = '', version = ''] = root === 'api' ? ['', ...scope] : scope
    const body = remember(`${group}/${version}`, () => make(group, version))
    return body === undefined ? undefined : documentReply(exchange, body, 'application/json')
  }
  const root = (root: 'api' | 'apis') => (exchange: Exchange) =>
    rootReply(exchange, root, (key, make) => remember(key, make) ?? '', served)
  const resourceList = listOf((group, version) => apiResourceList(resources.all(), group, version))
  return {
    '/api': root('api'),
    '/api/:version': resourceList,
    '/apis': root('apis'),
    '/apis/:group': listOf((group) => apiGroup(served(), group)),
    '/apis/:group/:version': resourceList,
  }
}

function rootReply(
  exchange: Exchange,
  root: 'api' | 'apis',
  remember: (key: string, make: () => object) => string,
  served: () => Served,
): Reply {
  const aggregated = aggregatedVersion(exchange.request.headers.accept)
  if (aggregated) {
    const body = remember(`${root} ${aggregated}`, () => aggregatedDiscovery(served(), root, aggregated))
    const contentType = `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`
    return documentReply(exchange, body, contentType)
  }
  const host = exchange.request.headers.host ?? 'localhost'
  if (root === 'api') return documentReply(exchange, JSON.stringify(apiVersions(host)), 'application/json')
  return documentReply(
    exchange,
    remember('apis', () => apiGroupList(served())),
    'application/json',
  )
}

/** Which aggregated dialect the client prefers, if any before plain JSON. */
function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, parameters } of parseAccept(accept ?? '')) {
    if (type !== 'application/json') continue
    const { as: kind, g: group, v: version } = parameters
    if (kind === undefined) return undefined
    if (
      kind === 'APIGroupDiscoveryList' &&
      group === 'apidiscovery.k8s.io' &&
      (version === 'v2' || version === 'v2beta1')
    ) {
      return version
    }
  }
  return undefined
}
