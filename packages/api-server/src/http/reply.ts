/**
 * The answer to a request, and how it is put on the wire: status, headers, pretty-printing, YAML, compression.
 */

import { constants, gzip } from 'node:zlib'
import { promisify } from 'node:util'
import type { Status } from '@dinghy/shared/api/errors'
import type { Exchange } from './exchange.ts'
import type { Format } from './negotiation.ts'

export interface Reply {
  code: number
  contentType: string
  body: Buffer | string
  headers?: Record<string, string>
}

const gzipAsync = promisify(gzip)
const compressFromBytes = 128 * 1024

export function jsonReply(value: unknown, code = 200, headers?: Record<string, string>): Reply {
  return { code, contentType: 'application/json', body: JSON.stringify(value), ...(headers ? { headers } : {}) }
}

/** Bytes that are already in the form that was negotiated, except that YAML is only now made of JSON. */
export function encoded(format: Format, json: Buffer, code = 200): Reply {
  return { code, contentType: format.mediaType, body: json }
}

export function textReply(text: string, code = 200): Reply {
  return { code, contentType: 'text/plain; charset=utf-8', body: text }
}

export function statusReply(status: Status): Reply {
  const seconds = status.details?.retryAfterSeconds
  const headers = {
    ...(seconds ? { 'retry-after': String(seconds) } : {}),
    // The rest of a body that was too large is not read; the connection is of no more use.
    ...(status.code === 413 ? { connection: 'close' } : {}),
  }
  return jsonReply(status, status.code, headers)
}

export async function send(exchange: Exchange, reply: Reply): Promise<void> {
  const { request, response } = exchange
  if (response.writableEnded || response.destroyed) return
  let body = Buffer.isBuffer(reply.body) ? reply.body : Buffer.from(reply.body)
  if (reply.contentType === 'application/json' && wantsPretty(exchange)) body = pretty(body)
  if (reply.contentType === 'application/yaml') body = await toYaml(body)
  response.statusCode = reply.code
  setHeaders(exchange, { 'content-type': reply.contentType, ...reply.headers })
  if (body.length >= compressFromBytes && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
    body = await gzipAsync(body, { level: constants.Z_BEST_SPEED })
    response.setHeader('content-encoding', 'gzip')
    response.setHeader('vary', 'Accept-Encoding')
  }
  response.setHeader('content-length', body.length)
  if (exchange.upgrade) response.setHeader('connection', 'close')
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** What every answer carries, streamed or not. */
export function setHeaders(exchange: Exchange, headers: Record<string, string>): void {
  const { response } = exchange
  response.setHeader('audit-id', exchange.auditId)
  response.setHeader('cache-control', 'no-cache, private')
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  const warnings = [...new Set(exchange.warnings)].map((text) => `299 - ${quoted(text)}`)
  if (warnings.length > 0) response.setHeader('warning', warnings)
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

function pretty(body: Buffer): Buffer {
  return Buffer.from(`${JSON.stringify(JSON.parse(body.toString()), undefined, 2)}\n`)
}

async function toYaml(json: Buffer): Promise<Buffer> {
  // Loaded when first needed: it takes longer than all the rest of a request.
  const { stringify } = await import('yaml')
  return Buffer.from(stringify(JSON.parse(json.toString())))
}
