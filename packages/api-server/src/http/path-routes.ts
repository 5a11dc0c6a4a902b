/**
 * The paths that are no resources: version, health, metrics, discovery, OpenAPI, debugging.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { methodNotSupported, unknownResource } from '@dinghy/shared/api/errors'
import { healthText } from '@dinghy/shared/process/health'
import type { Health } from '@dinghy/shared/process/health'
import type { Metrics } from '@dinghy/shared/process/metrics'
import type { Exchange } from './exchange.ts'
import type { Reply } from './reply.ts'
import { answer, jsonReply, textReply } from './reply.ts'
import { version } from './version.ts'

/** GET handlers by path, in Fastify's notation; parameters are read off exchange.info.path. */
export type PathRoutes = Record<string, (exchange: Exchange) => Reply | undefined | Promise<Reply | undefined>>

export interface PathParts {
  health: Health
  metrics: Metrics
}

/** Undefined as an answer means: no such thing. */
export function addPathRoutes(app: FastifyInstance, routes: PathRoutes): void {
  for (const [path, handler] of Object.entries(routes)) {
    app.all(path, async ({ exchange }: FastifyRequest, reply: FastifyReply) => {
      const { verb } = exchange.info
      if (verb !== 'get' && verb !== 'head') throw methodNotSupported('', '', verb)
      const made = await handler(exchange)
      if (!made) throw unknownResource()
      return answer(reply, made)
    })
  }
}

export function pathRoutes({ health, metrics }: PathParts): PathRoutes {
  const ofHealth = (exchange: Exchange) => healthPage(exchange, health)
  const endpoints = ['/healthz', '/livez', '/readyz'].flatMap((path) => [path, `${path}/:check`])
  return {
    '/': () => jsonReply({ paths }),
    '/version': () => jsonReply(version),
    '/metrics': async () => ({ code: 200, contentType: metrics.contentType, body: await metrics.text() }),
    ...Object.fromEntries(endpoints.map((path) => [path, ofHealth])),
  }
}

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

/** /readyz, /readyz?verbose, and /readyz/<check> for a single one. */
async function healthPage({ info, query }: Exchange, health: Health): Promise<Reply | undefined> {
  const [, endpoint = '', only] = info.path.split('/')
  const excluded = query.getAll('exclude')
  const results = await health.run(endpoint as 'livez' | 'readyz' | 'healthz')
  const wanted = results.filter(({ name }) => (only === undefined || name === only) && !excluded.includes(name))
  if (only !== undefined && wanted.length === 0) return undefined
  return textReply(healthText(endpoint, wanted, query.has('verbose')), wanted.every(({ ok }) => ok) ? 200 : 500)
}
