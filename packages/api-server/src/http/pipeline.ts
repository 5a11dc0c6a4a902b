/**
 * The way of a request, one line a stage, by Kubernetes' own names for them. The first six are Fastify's onRequest
 * hooks, in this order; `encode` is its onSend hook; upgrades (exec, attach, port-forward) take the same way.
 *
 *   request ─► request info ─► is local ─► authenticate ─► impersonate ─► flow control ─► authorize
 *                                403           401             403             429            403
 *           ─► aggregate ─► handler ─► encode ─► answer     (aggregate: another server may answer)
 *                              │
 *      decode ─► default ─► mutating admission ─► validate ─► validating admission ─► storage
 *     400 413 415             any                   422           403 …               409 404
 *
 * The last line is the handler's: decode in decode-request.ts, the rest in registry/create.ts and update.ts, where
 * all of it is done again if somebody else writes in between. Whatever a stage throws becomes a Status in one place,
 * `statusOf`.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  badRequest,
  requestEntityTooLarge,
  type Status,
  StatusError,
  toStatus,
  unknownResource,
} from '@dinghy/shared/api/errors'
import type { ErrorAnswer } from '@dinghy/shared/http/http-error'
import { HttpServer } from '@dinghy/shared/http/server'
import type { Logger } from '@dinghy/shared/process/logger'
import { authenticate } from '../auth/authenticate.ts'
import type { Auditor } from '../audit/auditor.ts'
import type { AccessAttributes } from '../auth/authorize.ts'
import { notAuthorized } from '../auth/forbidden.ts'
import { impersonate } from '../auth/impersonation.ts'
import { requireLocal } from '../auth/loopback.ts'
import type { FlowController } from '../flow-control/flow-controller.ts'
import { Exchange, maxBodyBytes } from './exchange.ts'
import { beginAudit, watchAnswers } from './audit-hooks.ts'
import { seatsOf, takeSeat } from './flow-control.ts'
import { attributesOf } from './access-attributes.ts'
import { addPathRoutes, type PathRoutes } from './path-routes.ts'
import { answer, encode, type Reply, statusAnswer } from './reply.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { findHandler } from './resource-routes.ts'
import { addResourceRoutes } from './routes.ts'
import type { Services } from './services.ts'

export interface Pipeline {
  services: Services
  flowControl: FlowController
  paths: PathRoutes
  metrics: RequestMetrics
  log: Logger
  /** Writes down who did what. */
  auditor?: Auditor | undefined
  /** What a path stands for that is more than a path. Undefined: authorization is asked about the request itself. */
  accessTo(exchange: Exchange): AccessAttributes | undefined
  /** Another server that answers for this path (../aggregation/), if there is one. */
  extensionFor(path: string): Extension | undefined
}

/** A group and version that somebody else answers for. */
export interface Extension {
  group: string
  version: string
  /** A refusal is thrown. Undefined: the connection has been taken. */
  answer(exchange: Exchange): Promise<Reply | undefined>
}

export function createApiServer(pipeline: Pipeline): HttpServer {
  const { services, log, auditor } = pipeline
  const server = new HttpServer({
    errorHandler: (error, request) => answerError(error, request, log),
    notFound: () => {
      throw unknownResource()
    },
    querystringParser: (query) => new URLSearchParams(query),
    ignoreTrailingSlash: true,
    keepAliveTimeoutMs: 90_000,
  })
  const { app } = server
  app.decorateRequest('exchange')

  app.addHook('onRequest', function requestInfo(request, reply, done) {
    request.exchange = new Exchange(request, reply, server)
    observe(request.exchange, pipeline)
    done()
  })
  app.addHook('onRequest', function isLocal(request, _reply, done) {
    requireLocal(request.headers)
    done()
  })
  app.addHook('onRequest', function authenticateRequest({ exchange, headers, raw }, _reply, done) {
    const { path } = exchange.info
    try {
      exchange.user = authenticate(services.authenticators, { headers, path, socket: raw.socket })
    } catch (error) {
      if (auditor) beginAudit(auditor, exchange, undefined)
      throw error
    }
    if (auditor) beginAudit(auditor, exchange, exchange.user)
    // Credentials are for this server: nobody whom the request is handed on to shall see them. To delete what is not
    // there would make all that follows look the other headers up in a slower way.
    if (headers.authorization !== undefined) delete headers.authorization
    done()
  })
  app.addHook('onRequest', function impersonateUser({ exchange, headers, raw }, _reply, done) {
    const asked = exchange.user
    exchange.user = impersonate(asked, raw.rawHeaders, services.authorization.authorize)
    if (exchange.user !== asked) exchange.audit?.impersonated(exchange.user)
    for (const name in headers) if (name.startsWith('impersonate-')) delete headers[name]
    done()
  })
  app.addHook('onRequest', function flowControl({ exchange }, _reply, done) {
    const seated = takeSeat(exchange, pipeline.flowControl, seatsOf(exchange.info, services))
    if (seated) void seated.then(() => done(), done)
    else done()
  })
  app.addHook('onRequest', function authorizeRequest({ exchange }, _reply, done) {
    authorize(exchange, pipeline)
    done()
  })
  app.addHook('onRequest', function aggregate({ exchange }, reply, done) {
    const extension = pipeline.extensionFor(exchange.info.path)
    if (!extension) return done()
    // Nothing after this hook is called for what another server answers, unless it is a refusal.
    void extension.answer(exchange).then((made) => made && answer(reply, made), done)
  })
  app.addHook('onSend', function watchBegins({ exchange }, _reply, payload, done) {
    // From now on it costs nothing but what happens.
    if (exchange.info.verb === 'watch') exchange.ticket?.release()
    done(null, payload)
  })
  if (auditor) watchAnswers(app)
  app.addHook('onSend', encode)

  addPathRoutes(app, pipeline.paths)
  addResourceRoutes(app, async ({ exchange }: FastifyRequest, reply: FastifyReply) => {
    const { definition, handler } = findHandler(exchange.info, services)
    if (definition.deprecation) exchange.warnings.push(definition.deprecation)
    const made = await handler(exchange, definition, services)
    // A handler that has taken the connection answers for itself.
    return made ? answer(reply, made) : reply
  })
  return server
}

function observe(exchange: Exchange, { metrics, log }: Pipeline): void {
  const finish = metrics.begin(exchange.info)
  const connection = exchange.upgrade?.socket ?? exchange.reply.raw
  // The answer is out, or the client gone.
  connection.once('close', () => {
    const { method, url } = exchange.request
    const { statusCode: code } = exchange.reply
    exchange.ticket?.release()
    finish(code)
    log.debug({ method, url, code, user: exchange.user.username }, 'answered')
  })
}

function authorize(exchange: Exchange, pipeline: Pipeline): void {
  const { user, info, query, audit } = exchange
  const attributes = pipeline.accessTo(exchange) ?? attributesOf(user, info, query)
  const decision = pipeline.services.authorization.authorize(attributes)
  audit?.decided(decision)
  if (!decision.allowed) throw notAuthorized(attributes, decision.reason)
}

function answerError(error: unknown, request: FastifyRequest, log: Logger): ErrorAnswer {
  const status = statusOf(error)
  if (status.code >= 500) log.error({ err: error, url: request.url }, 'request failed')
  return statusAnswer(status)
}

/** What the server kit refuses by itself (a body that is too large, a path that cannot be read) has no Status yet. */
function statusOf(error: unknown): Status {
  const { statusCode, message } = error as { statusCode?: number; message?: string }
  if (error instanceof StatusError || statusCode === undefined || statusCode >= 500) return toStatus(error)
  return toStatus(statusCode === 413 ? requestEntityTooLarge(`limit is ${maxBodyBytes}`) : badRequest(message ?? ''))
}
