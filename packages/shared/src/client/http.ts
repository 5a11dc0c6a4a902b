/**
 * One HTTP request over node:http, with the body left as a stream.
 *
 * Callers may rely on: connections are kept and reused; both TCP (`http://…`) and unix sockets work; aborting the
 * signal destroys the request or, later, its response body; a 4xx or 5xx is a response here, not an error.
 *
 * node:http rather than fetch: loading undici costs a process more start-up time than everything else it does.
 */

import { Agent, request, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'

export interface HttpRequest {
  method: string
  /** `http://host:port/path?query`, or a path behind a unix socket. */
  url: string | { socketPath: string; path: string }
  headers?: OutgoingHttpHeaders
  body?: Buffer | string | Readable
  signal?: AbortSignal | undefined
}

export interface HttpResponse {
  status: number
  headers: IncomingHttpHeaders
  body: IncomingMessage
}

// Node's servers drop a connection that has been idle for 5 s. Dropping ours first closes the race in which a
// request is sent on a connection that the server has just closed.
const idleConnectionMs = 4_000

const agent = new Agent({ keepAlive: true, timeout: idleConnectionMs })

/** Resolves when the response headers are in. Rejects with node's own error (ECONNREFUSED, AbortError, …). */
export async function httpRequest(options: HttpRequest): Promise<HttpResponse> {
  try {
    return await send(options)
  } catch (error) {
    if (error instanceof StaleConnectionError && isRepeatable(options)) return await send(options)
    throw error instanceof StaleConnectionError ? error.cause : error
  }
}

/** The whole body as text. */
export async function readText(response: HttpResponse): Promise<string> {
  return (await readBytes(response)).toString('utf8')
}

/** The whole body parsed as JSON; an empty body is undefined. */
export async function readJson<T>(response: HttpResponse): Promise<T> {
  const text = await readText(response)
  return (text === '' ? undefined : JSON.parse(text)) as T
}

export async function readBytes(response: HttpResponse): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response.body) chunks.push(chunk as Buffer)
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

/**
 * The stream cut at newlines, without them. A last line that was not finished is not delivered: it may be half a line.
 */
export async function* readLines(body: Readable): AsyncIterable<string> {
  body.setEncoding('utf8')
  let rest = ''
  for await (const chunk of body) {
    rest += chunk as string
    let start = 0
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
      if (end > start) yield rest.slice(start, end)
      start = end + 1
    }
    rest = rest.slice(start)
  }
}

function send({ method, url, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const options = { method, agent, headers: withLength(headers, body), ...(signal ? { signal } : {}) }
    const sent = typeof url === 'string' ? request(url, options) : request({ ...url, ...options })
    sent.once('response', (response) =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response }),
    )
    // Not `once`: a request that is aborted after its response has begun emits an error again, which the reader of
    // the body sees as well.
    sent.on('error', (error) => reject(sent.reusedSocket && isReset(error) ? new StaleConnectionError(error) : error))
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) sent.end(body)
    else body.once('error', (error) => sent.destroy(error)).pipe(sent)
  })
}

// With a known length node sends no chunked encoding, and a body-less DELETE says nothing about a body at all.
function withLength(headers: OutgoingHttpHeaders = {}, body: HttpRequest['body']): OutgoingHttpHeaders {
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return headers
  return { ...headers, 'Content-Length': Buffer.byteLength(body) }
}

/** A kept connection turned out to be closed: the server most likely never saw the request. */
class StaleConnectionError extends Error {
  constructor(cause: Error) {
    super('the kept connection was closed', { cause })
  }
}

function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

// "Most likely" is not enough for a POST: sent twice it may create two objects.
function isRepeatable({ method, body }: HttpRequest): boolean {
  return method !== 'POST' && (body === undefined || typeof body === 'string' || Buffer.isBuffer(body))
}
