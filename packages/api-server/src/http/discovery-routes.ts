/**
 * /api, /apis and below: what is served, in the dialect that the client asks for. The documents are made in
 * discovery.ts.
 */

import { aggregatedDiscovery, apiGroup, apiGroupList, apiResourceList, apiVersions } from '../discovery.ts'
import type { Resources } from '../registry/resources.ts'
import { documentReply, perGeneration } from './document.ts'
import type { Exchange } from './exchange.ts'
import { parseAccept } from './negotiation.ts'
import type { PathHandler } from './path-routes.ts'
import type { Reply } from './reply.ts'

export function discoveryRoutes(resources: Resources): PathHandler {
  const bodies = perGeneration(resources, () => new Map<string, string>())
  const remember = (key: string, make: () => object | undefined): string | undefined => {
    const known = bodies().get(key)
    if (known !== undefined) return known
    const made = make()
    if (made === undefined) return undefined
    const body = JSON.stringify(made)
    bodies().set(key, body)
    return body
  }
  return (exchange) => {
    const parts = exchange.info.path.split('/').filter(Boolean)
    const [root, group, version] = parts
    if ((root !== 'api' && root !== 'apis') || exchange.info.verb !== 'get') return undefined
    const definitions = resources.all()
    if (parts.length === 1) return rootReply(exchange, root, (key, make) => remember(key, make) ?? '', resources)
    const legacy =
      root === 'api'
        ? parts.length === 2
          ? apiResourceList(definitions, '', group!)
          : undefined
        : version === undefined
          ? apiGroup(definitions, group!)
          : apiResourceList(definitions, group!, version)
    const body = remember(parts.join('/'), () => legacy)
    return body === undefined ? undefined : documentReply(exchange, body, 'application/json')
  }
}

function rootReply(
  exchange: Exchange,
  root: 'api' | 'apis',
  remember: (key: string, make: () => object) => string,
  resources: Resources,
): Reply {
  const aggregated = aggregatedVersion(exchange.request.headers.accept)
  if (aggregated) {
    const body = remember(`${root} ${aggregated}`, () => aggregatedDiscovery(resources.all(), root, aggregated))
    const contentType = `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`
    return documentReply(exchange, body, contentType)
  }
  const host = exchange.request.headers.host ?? 'localhost'
  if (root === 'api') return documentReply(exchange, JSON.stringify(apiVersions(host)), 'application/json')
  return documentReply(
    exchange,
    remember('apis', () => apiGroupList(resources.all())),
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
