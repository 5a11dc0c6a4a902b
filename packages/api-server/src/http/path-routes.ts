/**
 * The paths that are no resources: version, health, metrics, discovery, OpenAPI, debugging.
 */

import { methodNotSupported, unknownResource } from '@dinghy/shared/api/errors'
import { healthText } from '@dinghy/shared/process/health'
import type { Health } from '@dinghy/shared/process/health'
import type { Metrics } from '@dinghy/shared/process/metrics'
import type { Exchange } from './exchange.ts'
import type { Reply } from './reply.ts'
import { jsonReply, textReply } from './reply.ts'
import { version } from './version.ts'

export type PathHandler = (exchange: Exchange) => Reply | undefined | Promise<Reply | undefined>

export interface PathParts {
  health: Health
  metrics: Metrics
  /** Each is asked in turn; undefined means: not mine. */
  handlers: PathHandler[]
}

export function pathRoutes({ health, metrics, handlers }: PathParts): (exchange: Exchange) => Promise<Reply> {
  return async (exchange) => {
    const { path, verb } = exchange.info
    for (const handler of handlers) {
      const reply = await handler(exchange)
      if (reply) return reply
    }
    const page = pages[path.replace(/(.)\/$/, '$1')] ?? (isHealth(path) ? healthPage : undefined)
    if (!page) throw unknownResource()
    if (verb !== 'get' && verb !== 'head') throw methodNotSupported('', '', verb)
    return page(exchange, { health, metrics })
  }
}

type Page = (exchange: Exchange, parts: { health: Health; metrics: Metrics }) => Reply | Promise<Reply>

const paths = [
  '/api',
  '/api/v1',
  '/apis',
  '/debug',
  '/healthz',
  '/livez',
  '/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/readyz',
  '/version',
]

const pages: Record<string, Page> = {
  '/': () => jsonReply({ paths: paths }),
  '/version': () => jsonReply(version),
  '/metrics': async (_exchange, { metrics }) => ({
    code: 200,
    contentType: metrics.contentType,
    body: await metrics.text(),
  }),
}

function isHealth(path: string): boolean {
  return /^\/(healthz|livez|readyz)(\/[\w-]+)?$/.test(path)
}

/** /readyz, /readyz?verbose, and /readyz/<check> for a single one. */
async function healthPage({ info, query }: Exchange, { health }: { health: Health }): Promise<Reply> {
  const [, endpoint = '', only] = info.path.split('/')
  const excluded = query.getAll('exclude')
  const results = await health.run(endpoint as 'livez' | 'readyz' | 'healthz')
  const wanted = results.filter(({ name }) => (only === undefined || name === only) && !excluded.includes(name))
  if (only !== undefined && wanted.length === 0) throw unknownResource()
  return textReply(healthText(endpoint, wanted, query.has('verbose')), wanted.every(({ ok }) => ok) ? 200 : 500)
}
