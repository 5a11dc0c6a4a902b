/**
 * An HTTP GET at a container: for probes, where 200–399 is success, and for lifecycle hooks, where any answer will do.
 * Follows upstream's pkg/probe/http: no connection is kept, redirects on the same host are followed, certificates are
 * not verified. (grpc-check.ts and tcp-check.ts speak to the socket themselves: HTTP/2 trailers, and no HTTP at all.)
 */

import type { Probe } from '@dinghy/shared/api/types'
import { httpRequest } from '@dinghy/shared/http/client'
import { goNetworkError } from './network-error.ts'

export type HttpGet = NonNullable<Probe['httpGet']>

export interface CheckResult {
  outcome: 'success' | 'failure'
  output: string
}

const mostRedirects = 10
/** As much of a body as an event can show. */
const bodyLimit = 10 * 1024

export function urlOf({ scheme = 'HTTP', host, path = '/' }: HttpGet, podIP: string, port: number): URL {
  const name = host ?? podIP
  const base = `${scheme.toLowerCase()}://${name.includes(':') ? `[${name}]` : name}:${port}`
  return new URL(path.startsWith('/') ? path : `/${path}`, base)
}

export async function httpCheck(url: URL, headers: HttpGet['httpHeaders'], signal: AbortSignal): Promise<CheckResult> {
  let target = url
  for (let redirects = 0; ; redirects++) {
    try {
      const { status, location, body } = await get(target, headers ?? [], signal)
      if (status < 200 || status >= 400) return failure(`HTTP probe failed with statuscode: ${status}`)
      const next = status >= 300 && location !== undefined ? new URL(location, target) : undefined
      // Another host's health is not this container's.
      if (!next || next.hostname !== url.hostname) return { outcome: 'success', output: body }
      if (redirects >= mostRedirects) return failure(`Get "${next.href}": stopped after ${mostRedirects} redirects`)
      target = next
    } catch (error) {
      const reason = signal.aborted
        ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        : goNetworkError(error, `${target.hostname}:${target.port || defaultPort(target)}`)
      return failure(`Get "${target.href}": ${reason}`)
    }
  }
}

/** The object itself matters: see ClientTls. */
const unverified = { rejectUnauthorized: false }

async function get(
  url: URL,
  given: NonNullable<HttpGet['httpHeaders']>,
  signal: AbortSignal,
): Promise<{ status: number; location: string | undefined; body: string }> {
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.33', Accept: '*/*' }
  for (const { name, value } of given) {
    const known = Object.keys(headers).find((header) => header.toLowerCase() === name.toLowerCase())
    headers[known ?? name] = value
  }
  // The probe's own timeout is the signal's.
  const patience = { keepAlive: false, headersTimeoutMs: 0 }
  const response = await httpRequest({ method: 'GET', url, headers, tls: unverified, ...patience }, signal)
  return { status: response.status, location: response.headers.location, body: await readLimited(response.body) }
}

async function readLimited(body: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  // Leaving the loop early hangs up.
  for await (const piece of body) {
    pieces.push(piece)
    size += piece.length
    if (size >= bodyLimit) break
  }
  return Buffer.concat(pieces).toString('utf8', 0, bodyLimit)
}

function defaultPort(url: URL): string {
  return url.protocol === 'https:' ? '443' : '80'
}

function failure(output: string): CheckResult {
  return { outcome: 'failure', output }
}
