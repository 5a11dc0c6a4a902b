/**
 * The way of a request, one line a stage, by Kubernetes' own names for them:
 *
 *   request ─► is it local ─► authenticate ─► flow control ─► authorize ─► handler ─► encode ─► answer
 *                 403             401             429            403          │
 *      decode ─► default ─► mutating admission ─► validate ─► validating admission ─► storage
 *       400 415               any                   422           403 …               409 404
 *
 * The second line is the handler's: decode in write-verbs.ts, the rest in registry/create.ts and update.ts. Whatever a
 * stage throws becomes a Status in one place, at the end of `handle`.
 */

import { forbidden, toStatus } from '@dinghy/shared/api/errors'
import type { Logger } from '@dinghy/shared/process/logger'
import { authenticate } from '../auth/authenticate.ts'
import type { Authorizer } from '../auth/authorize.ts'
import { requireLocal } from '../auth/loopback.ts'
import type { Exchange } from './exchange.ts'
import type { FlowControl } from './flow-control.ts'
import type { Reply } from './reply.ts'
import { send, statusReply } from './reply.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { findHandler } from './resource-routes.ts'
import type { Services } from './services.ts'

/** Answers what is no resource: /version, /healthz, discovery. Undefined if the path is nobody's. */
export type PathRoutes = (exchange: Exchange) => Promise<Reply>

export interface Pipeline {
  services: Services
  flowControl: FlowControl
  paths: PathRoutes
  metrics: RequestMetrics
  log: Logger
}

/** Answers one request, in any case. */
export async function handle(exchange: Exchange, pipeline: Pipeline): Promise<void> {
  const observe = pipeline.metrics.begin(exchange.info)
  try {
    const reply = await answer(exchange, pipeline)
    if (reply) await send(exchange, reply)
  } catch (error) {
    const status = toStatus(error)
    if (status.code >= 500) pipeline.log.error({ err: error, url: exchange.request.url }, 'request failed')
    // After the headers of a stream there is no other way to say that something went wrong.
    if (exchange.response.headersSent) exchange.response.destroy()
    else await send(exchange, statusReply(status))
  } finally {
    const { method, url } = exchange.request
    const { statusCode: code } = exchange.response
    observe(code)
    pipeline.log.debug({ method, url, code, user: exchange.user.username }, 'answered')
  }
}

async function answer(exchange: Exchange, { services, flowControl, paths }: Pipeline): Promise<Reply | undefined> {
  requireLocal(exchange.request.headers)
  exchange.user = authenticate(services.authenticators, exchange.request.headers)
  const leave = flowControl.enter(exchange.info)
  try {
    authorize(exchange, services.authorizer)
    if (!exchange.info.isResource) return await paths(exchange)
    const { definition, handler } = findHandler(exchange.info, services)
    return await handler(exchange, definition, services)
  } finally {
    leave()
  }
}

function authorize({ user, info }: Exchange, authorizer: Authorizer): void {
  const { verb, group, version, resource, subresource, namespace, name } = info
  const path = info.isResource ? undefined : info.path
  const decision = authorizer({ user, verb, group, version, resource, subresource, namespace, name, path })
  if (decision.allowed) return
  const what = info.isResource
    ? `User ${JSON.stringify(user.username)} cannot ${verb} resource ${JSON.stringify(subresource ? `${resource}/${subresource}` : resource)} in API group ${JSON.stringify(group)} ${namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope'}`
    : `User ${JSON.stringify(user.username)} cannot ${verb} path ${JSON.stringify(path)}`
  throw forbidden(group, resource, name ?? '', decision.reason ? `${what}: ${decision.reason}` : what)
}
