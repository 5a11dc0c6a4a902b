/**
 * An HTTP GET at a container: for probes, where 200–399 is success, and for lifecycle hooks, where any answer will do.
 * Follows upstream's pkg/probe/http: no connection is kept, redirects on the same host are followed, certificates are
 * not verified.
 */

import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Probe } from '@dinghy/shared/api/types'
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

async function get(
  url: URL,
  given: NonNullable<HttpGet['httpHeaders']>,
  signal: AbortSignal,
): Promise<{ status: number; location: string | undefined; body: string }> {
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.33', Accept: '*/*', Connection: 'close' }
  for (const { name, value } of given) {
    const known = Object.keys(headers).find((header) => header.toLowerCase() === name.toLowerCase())
    headers[known ?? name] = value
  }
  const options = { agent: false, headers, signal, rejectUnauthorized: false }
  // Loaded when first needed: TLS costs a process more to load than the rest of this agent.
  const request = url.protocol === 'https:' ? (await import('node:https')).request : httpRequest
  return await new Promise((resolve, reject) => {
    const answer = (response: IncomingMessage): void => {
      readLimited(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, location: response.headers.location, body }),
        reject,
      )
    }
    const sent = request(url, options, answer)
    sent.on('error', reject)
    sent.end()
  })
}

async function readLimited(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length >= bodyLimit) break
  }
  return text.slice(0, bodyLimit)
}

function defaultPort(url: URL): string {
  return url.protocol === 'https:' ? '443' : '80'
}

function failure(output: string): CheckResult {
  return { outcome: 'failure', output }
}
