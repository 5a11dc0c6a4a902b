/**
 * The HTTP client of every process, on undici: one request, with the body of the answer left as a stream.
 *
 * Callers may rely on: connections are kept and used again; TCP, TLS and unix sockets all work; a 4xx or 5xx is an
 * answer here, not an error; a peer that does not begin to answer in time is given up (TimeoutError), and so is one
 * that pauses for too long in the middle of its body, if that was asked for. Aborting the signal ends the request or,
 * later, its body, with the signal's reason. Other failures carry node's codes (ECONNREFUSED, ENOENT, ECONNRESET, …).
 *
 * Only three of undici's files are loaded: all of it would cost each process three times as much at its start.
 */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { setFlagsFromString } from 'node:v8'
import type { Pool as PoolType } from 'undici'
import send from 'undici/lib/api/api-request.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import { atStart } from '../api/at-start.ts'
import type { ClientTls } from './client-tls.ts'
import { connector } from './connector.ts'

// undici's parser is one large WebAssembly function. V8 would optimize it in the background as soon as the first answer
// is read, which takes a process 100 ms of processor time while its cluster starts; the baseline code is fast enough
// for us. A process that wakes from a snapshot has this flag already (scripts/snapshot.mjs).
atStart(() => setFlagsFromString('--liftoff-only'))

/** Where a request goes: a URL, or a path as it shall appear on the wire, at an origin or behind a unix socket. */
export type Target = string | URL | { origin: string; path: string } | { socketPath: string; path: string }

export type { ClientTls }

export interface ConnectionOptions {
  url: Target
  headers?: OutgoingHttpHeaders
  tls?: ClientTls | undefined
  /** How long the peer may take to begin its answer: a minute if nothing is said, 0 for as long as it likes. */
  headersTimeoutMs?: number
}

export interface HttpRequest extends ConnectionOptions {
  method: string
  body?: Buffer | string | Readable | undefined
  /** How long the peer may pause in the middle of its body. As long as it likes, if nothing is said. */
  bodyTimeoutMs?: number
  /** False: a connection of its own, closed after the answer. For peers that are asked once. */
  keepAlive?: boolean
}

export interface HttpResponse {
  status: number
  headers: IncomingHttpHeaders
  /**
   * Bytes, to be read to their end, or destroyed: until then they hold a connection. setEncoding() does nothing useful.
   */
  body: Readable
}

/** The peer did not answer in time. */
export class TimeoutError extends Error {
  readonly code = 'ETIMEDOUT'
}

const defaultHeadersTimeoutMs = 60_000

/** Resolves when the headers of the answer are in. */
export async function httpRequest(options: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
  try {
    return await sendOnce(options, signal)
  } catch (error) {
    if (isStale(error) && isRepeatable(options)) return await sendOnce(options, signal).catch(rethrown)
    return rethrown(error)
  }
}

/** The whole body as text. */
export async function readText(response: Pick<HttpResponse, 'body'>): Promise<string> {
  return (await readBytes(response)).toString('utf8')
}

/** The whole body parsed as JSON; an empty body is undefined. */
export async function readJson<T>(response: Pick<HttpResponse, 'body'>): Promise<T> {
  const text = await readText(response)
  return (text === '' ? undefined : JSON.parse(text)) as T
}

/** Throws, and hangs up, when the body is longer than that. */
export async function readBytes({ body }: Pick<HttpResponse, 'body'>, maxBytes = Infinity): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new RangeError(`the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  const [first] = chunks
  return chunks.length === 1 && first ? first : Buffer.concat(chunks)
}

/**
 * The stream cut at newlines, without them. A last line that was not finished is not delivered: it may be half a line.
 */
export async function* readLines(body: Readable): AsyncIterable<string> {
  // Not setEncoding(): undici's streams take that as a wish only, and a character may lie across two packets.
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of body as AsyncIterable<Buffer>) {
    rest += decoder.write(chunk)
    let start = 0
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
      if (end > start) yield rest.slice(start, end)
      start = end + 1
    }
    rest = rest.slice(start)
  }
}

/** Where undici sends a request: an origin and a path, and for a unix socket the socket. */
export function resolveTarget(url: Target): { origin: string; path: string; socketPath?: string } {
  if (typeof url === 'string' || url instanceof URL) {
    const { origin, pathname, search } = new URL(url)
    return { origin, path: pathname + search }
  }
  return 'socketPath' in url ? { ...url, origin: 'http://localhost' } : url
}

export function createPool(origin: string, socketPath: string | undefined, tls: ClientTls | undefined): PoolType {
  const connectTo = connector(origin, socketPath, tls)
  return new Pool(origin, {
    connect: (options, callback) => {
      // undici answers with the socket that it has just begun to connect, too.
      const begun: unknown = connectTo(options, (...result) => {
        const [error, socket] = result
        if (!error) rememberReuse(socket)
        callback(...result)
      })
      return begun as undefined
    },
  })
}

/** Turns undici's own errors into ours. */
export function rethrown(error: unknown): never {
  const { code } = error as { code?: unknown }
  switch (code) {
    case 'UND_ERR_SOCKET':
      throw Object.assign(new Error('socket hang up', { cause: error }), { code: 'ECONNRESET' })
    case 'UND_ERR_HEADERS_TIMEOUT':
      throw new TimeoutError('the peer did not begin to answer in time', { cause: error })
    case 'UND_ERR_CONNECT_TIMEOUT':
      throw new TimeoutError('the connection was not established in time', { cause: error })
    default:
      throw error
  }
}

async function sendOnce(options: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
  const { method, url, headers, body, tls, keepAlive = true, bodyTimeoutMs = 0 } = options
  const { origin, path, socketPath } = resolveTarget(url)
  const pool = keepAlive ? keptPool(origin, socketPath, tls) : createPool(origin, socketPath, tls)
  const sent = send.call(pool, {
    method: method as 'GET',
    path,
    headersTimeout: options.headersTimeoutMs ?? defaultHeadersTimeoutMs,
    bodyTimeout: bodyTimeoutMs,
    reset: !keepAlive,
    ...(headers ? { headers: definedHeaders(headers) } : {}),
    ...(body === undefined ? {} : { body }),
    ...(signal ? { signal } : {}),
  })
  const answer = await orAborted(sent, signal)
  // Whoever reads the body gets its errors by reading. One that is destroyed unread (undici tells that as an error,
  // too) has nobody to tell, and must not end the process.
  answer.body.on('error', () => undefined)
  return { status: answer.statusCode, headers: answer.headers, body: answer.body }
}

/** undici looks at the signal of a request only once it has a connection, which a silent address may never give it. */
export function orAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return answer
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

export function definedHeaders(headers: OutgoingHttpHeaders): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'number' ? String(value) : value]],
    ),
  )
}

const withoutTls: ClientTls = {}
const pools = new WeakMap<ClientTls, Map<string, PoolType>>()

function keptPool(origin: string, socketPath: string | undefined, tls: ClientTls | undefined): PoolType {
  const key = tls ?? withoutTls
  const ofPeer = pools.get(key) ?? new Map<string, PoolType>()
  pools.set(key, ofPeer)
  const address = socketPath ?? origin
  const pool = ofPeer.get(address) ?? createPool(origin, socketPath, tls)
  ofPeer.set(address, pool)
  return pool
}

/** Errors of connections that had served a request before. */
const onReusedConnection = new WeakSet<Error>()

function rememberReuse(socket: Socket): void {
  socket.prependListener('error', (error) => {
    if (socket.bytesRead > 0) onReusedConnection.add(error)
  })
}

/** A kept connection turned out to be closed: the peer most likely never saw the request. */
function isStale(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, socket } = error as { code?: unknown; socket?: { bytesRead?: number } }
  if (code === 'UND_ERR_SOCKET') return (socket?.bytesRead ?? 0) > 0 || onReusedConnection.has(error)
  return (code === 'ECONNRESET' || code === 'EPIPE') && onReusedConnection.has(error)
}

// "Most likely" is not enough for a POST: sent twice it may create two objects.
function isRepeatable({ method, body }: HttpRequest): boolean {
  return method !== 'POST' && (body === undefined || typeof body === 'string' || Buffer.isBuffer(body))
}
