/**
 * Hands a request on to another server of this machine and its answer back: as HTTP, or as a raw connection when the
 * client wants to leave HTTP (WebSocket, SPDY).
 */

import type { IncomingHttpHeaders } from 'node:http'
import { STATUS_CODES } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { serviceUnavailable } from '@dinghy/shared/api/errors'
import { type ClientTls, type HttpResponse, httpRequest } from '@dinghy/shared/http/client'
import { httpUpgrade } from '@dinghy/shared/http/client-upgrade'
import { takeConnection } from '@dinghy/shared/http/upgrade'
import type { Exchange } from './exchange.ts'
import type { Reply } from './reply.ts'

export interface Target {
  scheme: 'http' | 'https'
  host: string
  port: number
  /** Whom it is trusted by, and how this server shows itself. Nothing: any certificate will do. */
  tls?: ClientTls | undefined
  /** With the query string. */
  path: string
  /** Sent besides what the client sent. */
  headers?: Record<string, string | string[]>
}

const hopByHop = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Makes an error of ours out of another server's refusal. */
export type Refusal = (code: number, text: string) => Error

/**
 * The target's answer, its body still to come. Throws ServiceUnavailable if the target cannot be reached, and what
 * `refusal` says if the target refuses; without it, refusals are handed on as they are.
 */
export async function pipeHttp(exchange: Exchange, target: Target, refusal?: Refusal): Promise<Reply> {
  const { request, signal } = exchange
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  const hasBody = encoding !== undefined || (length !== undefined && length !== '0')
  const asked = httpRequest(
    {
      method: request.method,
      url: { origin: originOf(target), path: target.path },
      tls: target.tls ?? anyCertificate,
      headers: forwarded(request.headers, target),
      body: hasBody ? request.raw : undefined,
      // A program in a pod may think as long as it likes: its client knows when to give up.
      headersTimeoutMs: 0,
      keepAlive: false,
    },
    signal,
  )
  try {
    return await replyOf(await asked.catch((error: unknown) => unreachable(target, error)), refusal)
  } finally {
    // What the target did not want of the body would stand before the client's next request.
    if (hasBody && !request.raw.complete) exchange.reply.header('connection', 'close')
  }
}

/** Like pipeHttp, for a request whose connection changes its protocol. Undefined: the connection is taken, and over. */
export async function pipeUpgrade(exchange: Exchange, target: Target, refusal?: Refusal): Promise<Reply | undefined> {
  const { request, reply, signal } = exchange
  const asked = httpUpgrade(
    {
      method: request.method,
      url: { origin: originOf(target), path: target.path },
      tls: target.tls ?? anyCertificate,
      protocol: request.headers.upgrade ?? '',
      headers: forwarded(request.headers, target),
    },
    signal,
  )
  const answered = await asked.catch((error: unknown) => unreachable(target, error))
  if (!('socket' in answered)) return await replyOf(answered, refusal)
  const { headers, socket: upstream } = answered
  const client = takeConnection(request, reply)
  client.write(head(101, headers))
  try {
    await pipeline(client, upstream, client, { signal })
  } catch (error) {
    if (!signal.aborted && !isHangUp(error)) throw error
  } finally {
    upstream.destroy()
    client.destroy()
  }
  return undefined
}

const refusalBytes = 2048

async function replyOf({ status, headers, body }: HttpResponse, refusal: Refusal | undefined): Promise<Reply> {
  if (refusal && (status < 200 || status > 206)) throw refusal(status, await beginningOf(body))
  const { 'content-type': contentType = 'application/octet-stream', ...others } = withoutHopByHop(headers)
  return { code: status, contentType, headers: others, body }
}

async function beginningOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.length
    if (size >= refusalBytes) break
  }
  return Buffer.concat(chunks).subarray(0, refusalBytes).toString()
}

function head(status: number, headers: IncomingHttpHeaders): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().map((one) => `${name}: ${one}`))
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n`
}

function forwarded(headers: IncomingHttpHeaders, target: Target): IncomingHttpHeaders {
  const passed = Object.entries(withoutHopByHop(headers)).filter(([name]) => !isForThisServer(name))
  return { ...Object.fromEntries(passed), ...target.headers, host: authority(target) }
}

/** What proved to this server who asks; whoever it hands the request on to must not be able to use it. */
function isForThisServer(name: string): boolean {
  return name === 'authorization' || name.startsWith('impersonate-') || name.startsWith('x-remote-')
}

function withoutHopByHop(headers: IncomingHttpHeaders): Record<string, string> & { 'content-type'?: string } {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => !hopByHop.has(entry[0])),
  )
}

/** As upstream: a proxied program's certificate is made out to names that nobody here knows. */
const anyCertificate = { rejectUnauthorized: false }

function originOf(target: Target): string {
  return `${target.scheme}://${authority(target)}`
}

function authority({ host, port }: Target): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function unreachable({ host, port }: Target, error: unknown): never {
  const message = error instanceof Error ? error.message : String(error)
  throw serviceUnavailable(`error trying to reach service: dial tcp ${host}:${port}: ${message}`, { cause: error })
}

function isHangUp(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  return hangUps.has(code)
}

const hangUps = new Set([
  'ERR_STREAM_PREMATURE_CLOSE',
  'ECONNRESET',
  'EPIPE',
  'ABORT_ERR',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
])
