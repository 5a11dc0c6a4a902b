/**
 * The server of every process: a Fastify application, the sockets that it listens on, and its end.
 *
 *   request ─► guard ─► the server's own hooks ─► route ─► handler ─► answer
 *                │                                  │         │
 *                └──────────── errors ──────────────┴─────────┴─► errorHandler ─► answer
 *
 * Callers may rely on: one application may listen on several addresses (TCP, TLS, unix sockets). Bodies are left alone:
 * a handler reads `request.raw`, or all of it with readBody(). No schema is ever compiled, so nothing coerces or strips
 * what passes. Whatever is thrown becomes an answer in one place, errorHandler. A request to leave HTTP is routed like
 * the others (upgrade.ts). Clients that are slow with their headers (a minute), or whose headers are huge, are cut off.
 *
 * close() goes in order: accept nobody new, tell lasting requests by their signal, let the others finish within the
 * grace, cut what is left.
 */

import { EventEmitter } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Clock, systemClock } from '../api/clock.ts'
import { type ErrorAnswer, HttpError, plainTextError } from './http-error.ts'
import { type ListenAddress, type Listening, listenOn, type ServerTls } from './listen-address.ts'
import { responseOfUpgrade, upgradeOf, whenAnswered } from './upgrade.ts'

export interface HttpServerOptions {
  /** What an error is answered with. Plain text and the error's statusCode, if nothing is said. */
  errorHandler?: (error: unknown, request: FastifyRequest) => ErrorAnswer
  /** Throws for requests that must not even be looked at, by their Host or Origin. */
  guard?: (headers: IncomingHttpHeaders) => void
  /** Answers what no route answers. Without it, that is an HttpError of 404. */
  notFound?: (request: FastifyRequest, reply: FastifyReply) => unknown
  /** The URL as the routes see it; request.originalUrl and request.raw.url keep what the client sent. */
  rewriteUrl?: (request: IncomingMessage) => string
  /** Makes request.query of the query string; Fastify's own makes an object. */
  querystringParser?: (query: string) => unknown
  /** A slash at the end of a path does not make another path. */
  ignoreTrailingSlash?: boolean
  /** Docker's image names and Kubernetes' object names are longer than the 100 that Fastify allows. */
  maxParamLength?: number
  /** How long an idle connection is kept. */
  keepAliveTimeoutMs?: number
  clock?: Pick<Clock, 'setTimeout' | 'clear'>
}

const headersTimeoutMs = 60_000
const defaultGraceMs = 5_000

export class HttpServer {
  /** Routes and hooks are added here, before the first listen(). */
  readonly app: FastifyInstance
  readonly #keepAliveTimeoutMs: number
  readonly #clock: Pick<Clock, 'setTimeout' | 'clear'>
  readonly #listeners: Server[] = []
  /** Of requests that asked for a signal and are not over. */
  readonly #lasting = new Set<AbortController>()
  readonly #connections = new Set<Socket>()
  #isClosing = false

  constructor(options: HttpServerOptions = {}) {
    const { errorHandler = plainTextError, guard, notFound = noSuchRoute } = options
    this.#keepAliveTimeoutMs = options.keepAliveTimeoutMs ?? 60_000
    this.#clock = options.clock ?? systemClock
    const answerError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      const { statusCode, headers = {}, body } = errorHandler(error, request)
      // As bytes: Fastify adds a charset to the type of a text, which not every API has.
      return reply
        .code(statusCode)
        .headers(headers)
        .send(typeof body === 'string' ? Buffer.from(body) : body)
    }
    this.app = fastify({
      routerOptions: {
        maxParamLength: options.maxParamLength ?? 1024,
        ignoreTrailingSlash: options.ignoreTrailingSlash ?? false,
        ...(options.querystringParser
          ? { querystringParser: options.querystringParser as (query: string) => Record<string, unknown> }
          : {}),
      },
      return503OnClosing: false,
      // Fastify's own server would never listen: those of #createListener do.
      serverFactory: () => new EventEmitter() as Server,
      schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
      frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
      ...(options.rewriteUrl ? { rewriteUrl: options.rewriteUrl } : {}),
    })
    // To Fastify no method has a body, so that it leaves all bodies alone.
    for (const method of bodyMethods) this.app.addHttpMethod(method, { hasBody: false, overrideExisting: true })
    this.app.setErrorHandler(answerError)
    this.app.setNotFoundHandler(notFound)
    if (guard) {
      this.app.addHook('onRequest', (request, _reply, done) => {
        guard(request.headers)
        done()
      })
    }
    this.app.addHook('onSend', (_request, reply, payload, done) => {
      // The headers of a stream go out at once: who follows a log learns that it is connected before the first word.
      if (payload instanceof Readable) reply.raw.once('pipe', () => setImmediate(() => flushHeaders(reply)))
      done()
    })
    this.app.addHook('onResponse', (_request, _reply, done) => {
      // A connection whose request has just finished is idle now; nobody has to wait for it.
      if (this.#isClosing) setImmediate(() => this.#closeIdle())
      done()
    })
  }

  /** Resolves when it listens; rejects with node's error. The first call closes the list of routes and hooks. */
  async listen(address: ListenAddress): Promise<Listening> {
    await this.app.ready()
    const listener = await this.#createListener('tls' in address ? address.tls : undefined)
    const listening = await listenOn(listener, address)
    this.#listeners.push(listener)
    return listening
  }

  /** Takes connections that somebody else has accepted, paused. Closes the list of routes and hooks, too. */
  async receiver(): Promise<(connection: Socket) => void> {
    await this.app.ready()
    const listener = await this.#createListener(undefined)
    this.#listeners.push(listener)
    return (connection) => {
      listener.emit('connection', connection)
      connection.resume()
    }
  }

  /** A server alone does not keep the process alive any more. */
  unref(): void {
    for (const listener of this.#listeners) listener.unref()
  }

  /**
   * Aborted when the client is gone, or when the server closes: for requests that last, and for work that may be
   * stopped.
   */
  signalOf(request: FastifyRequest, reply: FastifyReply): AbortSignal {
    const controller = new AbortController()
    const connection = upgradeOf(request.raw)?.socket ?? reply.raw
    if (this.#isClosing || connection.destroyed) {
      controller.abort(this.#isClosing ? stopping() : clientGone())
      return controller.signal
    }
    this.#lasting.add(controller)
    connection.once('close', () => {
      this.#lasting.delete(controller)
      controller.abort(clientGone())
    })
    return controller.signal
  }

  /** Resolves when no connection is left. */
  async close(graceMs = defaultGraceMs): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    const closed = this.#listeners.map((listener) => new Promise<void>((resolve) => listener.close(() => resolve())))
    for (const controller of this.#lasting) controller.abort(stopping())
    this.#closeIdle()
    const cut = this.#clock.setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, graceMs)
    await Promise.all(closed)
    this.#clock.clear(cut)
    // No listener knows of those that came by way of receiver().
    for (const connection of this.#connections) connection.destroy()
    await this.app.close()
  }

  async #createListener(tls: ServerTls | undefined): Promise<Server> {
    const timing = { keepAliveTimeout: this.#keepAliveTimeoutMs, requestTimeout: 0, headersTimeout: headersTimeoutMs }
    // https is loaded when it is needed. A client that has sent all its input still wants to read, which TLS does not
    // expect.
    const listener = tls
      ? (await import('node:https')).createServer({ minVersion: 'TLSv1.2', ...timing, ...tls, allowHalfOpen: true })
      : createServer(timing)
    const newest = new WeakMap<Socket, ServerResponse>()
    listener.on('request', (request, response) => {
      newest.set(request.socket, response)
      this.app.routing(request, response)
    })
    listener.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      whenAnswered(newest.get(socket), socket, () => {
        this.app.routing(request, responseOfUpgrade(request, socket, head))
      })
    })
    listener.on('clientError', refuseGarbage)
    listener.on('connection', (socket: Socket) => {
      // What a socket says of itself does not tell: once it is closed, a TCP connection has no address either.
      if (typeof listener.address() === 'string' && !tls) ofUnixSockets.add(socket)
      this.#connections.add(socket)
      socket.once('close', () => this.#connections.delete(socket))
    })
    return listener
  }

  #closeIdle(): void {
    for (const listener of this.#listeners) listener.closeIdleConnections()
  }
}

const ofUnixSockets = new WeakSet<Socket>()

/**
 * Whether the connection of a request was made by way of the file system, whose modes have said who may. Where such a
 * socket speaks TLS, certificates say it.
 */
export function isFromUnixSocket(socket: Socket): boolean {
  return ofUnixSockets.has(socket)
}

const bodyMethods = ['DELETE', 'OPTIONS', 'PATCH', 'POST', 'PUT']

function flushHeaders({ raw }: FastifyReply): void {
  if (!raw.headersSent && !raw.destroyed) raw.flushHeaders()
}

function noSuchRoute(): never {
  throw new HttpError(404, '404 page not found')
}

function noCompiler(): never {
  throw new TypeError('a route has a schema; this house compiles none')
}

function stopping(): DOMException {
  return new DOMException('the server is stopping', 'AbortError')
}

function clientGone(): DOMException {
  return new DOMException('the client went away', 'AbortError')
}

/** No request could be made of what came. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status = garbageStatus.get(error.code ?? '') ?? '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

const garbageStatus = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
])
