/**
 * /openapi: the documents of openapi.ts. A document asked for by its hash may be kept for a year, because another
 * content has another hash; kubectl downloads each only once.
 */

import { OpenApiDocuments } from '../openapi.ts'
import { openApiV2Protobuf } from '../openapi/v2-protobuf.ts'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Resources } from '../registry/resources.ts'
import { documentReply, perGeneration } from './document.ts'
import type { PathRoutes } from './path-routes.ts'
import { version } from './version.ts'

// Asked for with an @, which is no legal media type; newer clients refuse to read an answer that repeats it.
const v2MediaType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
const yearSeconds = 365 * 24 * 3600

export function openApiRoutes(resources: Resources, clock: Clock): PathRoutes {
  const documents = perGeneration(resources, () => new OpenApiDocuments(resources.all(), version.gitVersion))
  const version2 = perGeneration(resources, () => Buffer.from(JSON.stringify(documents().version2())))
  const protobuf = perGeneration(resources, () => openApiV2Protobuf(documents().version2()))
  return {
    '/openapi/v2': (exchange) => {
      const wantsProtobuf = exchange.request.headers.accept?.includes('proto-openapi.spec.v2') ?? false
      return wantsProtobuf
        ? documentReply(exchange, protobuf(), v2MediaType)
        : documentReply(exchange, version2(), 'application/json')
    },
    '/openapi/v3': (exchange) => documentReply(exchange, JSON.stringify(documents().index()), 'application/json'),
    '/openapi/v3/*': (exchange) => {
      const name = exchange.info.path.replace('/openapi/v3/', '')
      const document = documents().document(name)
      if (!document) return undefined
      const asked = exchange.parameter('hash')
      if (asked === undefined) return documentReply(exchange, document.bytes, 'application/json')
      if (asked !== document.hash) {
        const location = `/openapi/v3/${name}?hash=${document.hash}`
        return { code: 301, contentType: 'text/plain; charset=utf-8', body: '', headers: { location } }
      }
      return documentReply(exchange, document.bytes, 'application/json', {
        'cache-control': 'public, immutable',
        expires: new Date(clock.now() + yearSeconds * 1000).toUTCString(),
      })
    },
  }
}
