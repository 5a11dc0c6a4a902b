/**
 * HTTP to the outside world: registries and `ADD https://…`.
 *
 * Redirects are followed for GET and HEAD; credentials never follow to another host. Names that do not resolve and
 * hosts that do not answer throw Go's messages, which is what Docker's users know.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { httpRequest, type HttpResponse } from '@dinghy/shared/http/client'

export interface WebRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  headers?: OutgoingHttpHeaders
  body?: Buffer | Readable
  /** How long the other side may take to connect and to begin its answer, and between two bytes. */
  timeoutMs?: number
}

export interface WebResponse {
  status: number
  headers: IncomingHttpHeaders
  body: Readable
  /** Where it came from in the end. */
  url: string
}

/** The other side could not be reached at all. */
export class UnreachableError extends Error {}

const maxRedirects = 10
const defaultTimeoutMs = 30_000

export async function webRequest(url: string, options: WebRequest = {}, signal?: AbortSignal): Promise<WebResponse> {
  const method = options.method ?? 'GET'
  let target = url
  let headers = options.headers ?? {}
  for (let hop = 0; ; hop++) {
    const response = await send(target, { ...options, method, headers }, signal)
    const location = response.headers.location
    const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== undefined
    if (!isRedirect || (method !== 'GET' && method !== 'HEAD')) return response
    if (hop >= maxRedirects) throw new Error(`Get ${JSON.stringify(url)}: stopped after ${maxRedirects} redirects`)
    response.body.destroy()
    const next = new URL(location, target)
    if (next.host !== new URL(target).host) headers = withoutCredentials(headers)
    target = next.href
  }
}

export async function readAll(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`response is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function send(url: string, options: WebRequest & { method: string }, signal?: AbortSignal): Promise<WebResponse> {
  const { protocol } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new Error(`unsupported protocol scheme ${JSON.stringify(protocol)}`)
  const { method, headers = {}, body, timeoutMs = defaultTimeoutMs } = options
  try {
    const request = { method, url, headers, body, headersTimeoutMs: timeoutMs, bodyTimeoutMs: timeoutMs }
    const response: HttpResponse = await httpRequest(request, signal)
    return { ...response, url }
  } catch (error) {
    throw signal?.aborted ? error : describe(error as NodeJS.ErrnoException, method, url)
  }
}

function describe(error: NodeJS.ErrnoException, method: string, url: string): Error {
  const { hostname, host, port } = new URL(url)
  const address = port === '' ? `${host}:${url.startsWith('https:') ? 443 : 80}` : host
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new UnreachableError(unreachable(method, url, `dial tcp: lookup ${hostname}: no such host`), {
        cause: error,
      })
    case 'ECONNREFUSED':
      return new UnreachableError(unreachable(method, url, `dial tcp ${address}: connect: connection refused`), {
        cause: error,
      })
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return new UnreachableError(unreachable(method, url, `dial tcp ${address}: connect: network is unreachable`), {
        cause: error,
      })
    case 'ETIMEDOUT':
      return new UnreachableError(unreachable(method, url, `dial tcp ${address}: i/o timeout`), { cause: error })
    case 'EPROTO':
      // TLS spoken to a server that does not, like a local registry.
      return new UnreachableError(unreachable(method, url, 'http: server gave HTTP response to HTTPS client'), {
        cause: error,
      })
    default:
      return error
  }
}

function unreachable(method: string, url: string, reason: string): string {
  const verb = method.charAt(0) + method.slice(1).toLowerCase()
  return `${verb} ${JSON.stringify(url)}: ${reason}`
}

function withoutCredentials(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !['authorization', 'cookie'].includes(name.toLowerCase())),
  )
}
