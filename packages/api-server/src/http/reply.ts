/**
 * The answer to a request, and how it is put on the wire: status, headers, pretty-printing, YAML, compression.
 */

import type { Readable } from 'node:stream'
import { constants, gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Status } from '@dinghy/shared/api/errors'
import type { ErrorAnswer } from '@dinghy/shared/http/http-error'
import type { Exchange } from './exchange.ts'
import type { Format } from './negotiation.ts'

export interface Reply {
  code: number
  contentType: string
  /** A stream is a watch, a log, or what a proxied server says. */
  body: Buffer | string | Readable
  headers?: Record<string, string | string[]>
}

const compressFromBytes = 128 * 1024

export function jsonReply(value: unknown, code = 200, headers?: Reply['headers']): Reply {
  return { code, contentType: 'application/json', body: JSON.stringify(value), ...(headers ? { headers } : {}) }
}

/** Bytes that are already in the form that was negotiated, except that YAML is only now made of JSON. */
export function encoded(format: Format, json: Buffer, code = 200): Reply {
  return { code, contentType: format.mediaType, body: json }
}

export function textReply(text: string, code = 200): Reply {
  return { code, contentType: 'text/plain; charset=utf-8', body: text }
}

export function statusAnswer(status: Status): ErrorAnswer {
  const seconds = status.details?.retryAfterSeconds
  const headers = {
    'content-type': 'application/json',
    ...(seconds ? { 'retry-after': String(seconds) } : {}),
    // The rest of a body that was too large is not read; the connection is of no more use.
    ...(status.code === 413 ? { connection: 'close' } : {}),
  }
  return { statusCode: status.code, headers, body: JSON.stringify(status) }
}

/** Puts an answer on its way; what it looks like on the wire is settled by `encode`. */
export function answer(reply: FastifyReply, { code, contentType, body, headers = {} }: Reply): FastifyReply {
  return reply
    .code(code)
    .headers({ 'content-type': contentType, ...headers })
    .send(typeof body === 'string' ? Buffer.from(body) : body)
}

/** The last stage (an onSend hook): the headers that every answer carries, pretty-printing, YAML, compression. */
export function encode(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error?: Error | null, payload?: unknown) => void,
): void {
  const { exchange } = request
  setHeaders(exchange, reply)
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload
  if (!Buffer.isBuffer(body)) return done(null, body)
  const contentType = reply.getHeader('content-type')
  if (contentType === 'application/yaml') {
    toYaml(body).then((yaml) => done(null, yaml), done)
    return
  }
  const shown = contentType === 'application/json' ? jsonText(body, wantsPretty(exchange)) : body
  if (shown.length < compressFromBytes || !/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
    return done(null, shown)
  }
  reply.headers({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
  gzip(shown, { level: constants.Z_BEST_SPEED }, done)
}

function setHeaders(exchange: Exchange, reply: FastifyReply): void {
  reply.header('audit-id', exchange.auditId)
  // What is proxied has its own say on how long it may be kept.
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-cache, private')
  if (exchange.warnings.length === 0) return
  reply.header(
    'warning',
    [...new Set(exchange.warnings)].map((text) => `299 - ${quoted(text)}`),
  )
}

/** RFC 7234 warn-text. Header bytes must be printable ASCII. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&').replace(/[^\u0020-\u007e]/g, ' ')}"`
}

/** Asked for, or read by eye: upstream prints prettily for curl, wget and browsers. */
function wantsPretty({ query, request }: Exchange): boolean {
  const wish = query.get('pretty')
  if (wish !== null) return wish !== 'false' && wish !== '0'
  return /^(curl|Wget|Mozilla\/5\.0)/.test(request.headers['user-agent'] ?? '')
}

const newline = Buffer.from('\n')

/** Go's encoder ends each value with a newline. */
function jsonText(body: Buffer, pretty: boolean): Buffer {
  if (pretty) return Buffer.from(`${JSON.stringify(JSON.parse(body.toString()), undefined, 2)}\n`)
  return body.at(-1) === newline[0] ? body : Buffer.concat([body, newline])
}

async function toYaml(json: Buffer): Promise<Buffer> {
  // Loaded when first needed: it takes longer than all the rest of a request.
  const { stringify } = await import('yaml')
  return Buffer.from(stringify(JSON.parse(json.toString())))
}
