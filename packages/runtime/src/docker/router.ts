/**
 * Puts the handlers of the Engine API on a Fastify application: what they are given, and what becomes of what they
 * throw.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { messageOf } from '@dinghy/shared/api/message-of'
import { badParameter, DockerError } from '@dinghy/shared/docker/errors'
import { InvalidReferenceError } from '@dinghy/shared/docker/reference'
import { readBody } from '@dinghy/shared/http/body'
import { HttpError, type ErrorAnswer } from '@dinghy/shared/http/http-error'
import type { HttpServer } from '@dinghy/shared/http/server'
import { takeConnection, upgradeOf } from '@dinghy/shared/http/upgrade'
import type { Logger } from '@dinghy/shared/process/logger'
import { checkPlain, checkShape, type Shape } from './body-shape.ts'
import { compareVersions, rawStream } from './api-version.ts'
import { splitVersion, type ApiVersion } from './engine-path.ts'
import type { DockerRequest, Handler } from './request.ts'

/** Bodies that are read whole; streams (build contexts, archives) are not. */
const maxBodyBytes = 32 * 1024 * 1024

export class Router {
  readonly #server: HttpServer
  readonly #log: Logger

  constructor(server: HttpServer, log: Logger) {
    this.#server = server
    this.#log = log
  }

  /** `path` as Fastify writes it, without version: /containers/:id/json. */
  add(method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE', path: string, handler: Handler): void {
    this.#server.app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const docker = new EngineRequest(this.#server, request, reply)
        try {
          checkAddress(docker)
          await handler(docker, reply)
        } catch (error) {
          if (docker.isGone(error)) return reply.hijack()
          if (!reply.sent) throw error
          logUnexpected(this.#log, request, error)
          reply.raw.destroy()
        }
        return reply
      },
    })
  }
}

class EngineRequest implements DockerRequest {
  readonly #server: HttpServer
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  readonly version: ApiVersion
  readonly query: URLSearchParams
  #signal: AbortSignal | undefined
  #isBodyRead = false

  constructor(server: HttpServer, request: FastifyRequest, reply: FastifyReply) {
    this.#server = server
    this.#request = request
    this.#reply = reply
    const url = request.originalUrl
    this.version = splitVersion(url).version
    this.query = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')
  }

  get params() {
    return this.#request.params as Record<string, string>
  }

  get headers() {
    return this.#request.headers
  }

  get stream() {
    return this.#request.raw
  }

  get signal(): AbortSignal {
    this.#signal ??= this.#server.signalOf(this.#request, this.#reply)
    return this.#signal
  }

  async json<T>(shape: Shape): Promise<T> {
    this.#isBodyRead = true
    const body = parseJson(await readBody(this.stream, maxBodyBytes))
    checkPlain(body)
    return checkShape(body, shape) as T
  }

  /**
   * Since API 1.42 the content type of the answer tells raw and framed streams apart; clients before that always get
   * raw-stream. Without an upgrade request the connection is taken over just the same, after a 200.
   */
  async hijack(contentType: string): Promise<Duplex> {
    // dockerode repeats its query in the body of an attach.
    const hasBody = Number(this.headers['content-length'] ?? 0) > 0
    if (hasBody && !this.#isBodyRead) await readBody(this.stream, maxBodyBytes)
    const type = this.version !== undefined && compareVersions(this.version, [1, 42]) < 0 ? rawStream : contentType
    const isUpgrade = upgradeOf(this.stream) !== undefined
    const connection = takeConnection(this.#request, this.#reply)
    // The reason phrase is dockerd's.
    const status = isUpgrade ? '101 UPGRADED' : '200 OK'
    const upgrade = isUpgrade ? 'Connection: Upgrade\r\nUpgrade: tcp\r\n' : ''
    connection.write(`HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n${upgrade}\r\n`)
    return connection
  }

  /** Nobody is left to be told, and giving up was right. */
  isGone(error: unknown): boolean {
    return this.#signal?.aborted === true && error === this.#signal.reason
  }
}

/** Names and paths end up in system calls, which take no NUL byte. */
function checkAddress({ params, query }: Pick<DockerRequest, 'params' | 'query'>): void {
  const texts = [...Object.values(params), ...[...query].flat()]
  if (texts.some((text) => text.includes('\0'))) throw badParameter('invalid request: it holds a NUL byte')
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(body.toString()) ?? {}
  } catch (error) {
    throw badParameter(`invalid JSON: ${messageOf(error)}`)
  }
}

/** The one place where errors become `{"message"}`. */
export function answerTo(error: unknown): ErrorAnswer {
  const statusCode = statusOf(error)
  if (statusCode === 304) return { statusCode }
  return {
    statusCode,
    headers: { 'content-type': 'application/json', ...(error instanceof HttpError ? error.headers : {}) },
    // A text would get a charset, and docker's client reads JSON only under exactly this type.
    body: Buffer.from(`${JSON.stringify({ message: messageOf(error) || STATUS_CODES[statusCode] })}\n`),
  }
}

/** Fastify's own errors (a path that cannot be decoded) carry a status as the kit's do; others are bugs of ours. */
function statusOf(error: unknown): number {
  if (error instanceof DockerError) return error.status
  if (error instanceof InvalidReferenceError) return 400
  const { statusCode = 500 } = error as { statusCode?: number }
  return statusCode
}

export function logUnexpected(log: Logger, { method, originalUrl: url }: FastifyRequest, error: unknown): void {
  if (statusOf(error) === 500 && !(error instanceof DockerError))
    log.error({ err: error, method, url }, 'request failed')
}
