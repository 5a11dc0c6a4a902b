/**
 * What a backend is told of a request, and a client of an answer: the headers that concern one connection are left out,
 * what the backend cannot know by itself is added. Pure.
 *
 * As ingress-nginx: what a client says about who forwarded it is not believed unless that is asked for
 * (--use-forwarded-headers), or anybody could claim any address.
 */

import type { HeaderList } from '../routing/model.ts'

/** RFC 9110, section 7.6.1, and what people send although nobody should. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'http2-settings',
  'proxy-authenticate',
])

/** What we write ourselves, or have done already. */
const ours = new Set([
  'host',
  'expect',
  'content-length',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
])

export interface RequestOrigin {
  remoteAddress: string
  scheme: 'http' | 'https'
  /** As the client wrote it. */
  authority: string
  port: number
  version: string
}

export interface ForwardingOptions {
  /** Our name in Via headers. A request that carries it has been here before. */
  pseudonym: string
  believesClients: boolean
  newId: () => string
}

export function forwardedHeaders(headers: HeaderList, origin: RequestOrigin, options: ForwardingOptions): string[] {
  const { believesClients, pseudonym, newId } = options
  const { remoteAddress, scheme, authority, port, version } = origin
  const named = namedByConnection(headers)
  const kept: string[] = []
  let [via, forwardedFor, forwardedHost, forwardedPort, forwardedProto, realIp] = ['', '', '', '', '', '']
  let hasId = false
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    const lower = name.toLowerCase()
    // gRPC asks for trailers by it, and goes without a Connection header that names it.
    if (lower === 'te' && version === '2.0' && value.toLowerCase() === 'trailers') kept.push(name, 'trailers')
    if (hopByHop.has(lower) || named?.has(lower)) continue
    if (lower === 'x-request-id') hasId = true
    if (!ours.has(lower)) {
      kept.push(name, value)
    } else if (lower === 'via') {
      via = via === '' ? `${value}, ` : `${via}${value}, `
    } else if (believesClients) {
      if (lower === 'x-forwarded-for') forwardedFor += `${value}, `
      else if (lower === 'x-forwarded-host') forwardedHost ||= value
      else if (lower === 'x-forwarded-port') forwardedPort ||= value
      else if (lower === 'x-forwarded-proto') forwardedProto ||= value
      else if (lower === 'x-real-ip') realIp ||= value
      else if (lower === 'forwarded') kept.push(name, value)
    }
  }
  kept.push('X-Forwarded-For', forwardedFor + remoteAddress)
  kept.push('X-Forwarded-Host', forwardedHost || authority)
  kept.push('X-Forwarded-Port', forwardedPort || String(port))
  kept.push('X-Forwarded-Proto', forwardedProto || scheme)
  kept.push('X-Real-IP', realIp || remoteAddress)
  if (!hasId) kept.push('X-Request-ID', newId())
  kept.push('Via', `${via}${version} ${pseudonym}`)
  return kept
}

export function answeredHeaders(headers: HeaderList): string[] {
  const named = namedByConnection(headers)
  const kept: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const lower = name.toLowerCase()
    if (!hopByHop.has(lower) && !named?.has(lower)) kept.push(name, headers[index + 1] ?? '')
  }
  return kept
}

export function hasBeenHere(headers: HeaderList, pseudonym: string): boolean {
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() === 'via' && headers[index + 1]?.includes(pseudonym)) return true
  }
  return false
}

/** "Connection: close, X-Secret" makes X-Secret one that concerns this connection alone. */
function namedByConnection(headers: HeaderList): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue
    const value = headers[index + 1] ?? ''
    if (value === 'keep-alive' || value === 'close') continue
    named ??= new Set()
    for (const one of value.toLowerCase().split(',')) named.add(one.trim())
  }
  return named
}

export interface Authority {
  /** In lower case, without port and final dot; an IPv6 address without its brackets. */
  host: string
  /** As it was sent. */
  authority: string
}

/** Undefined for what is no host. */
export function readAuthority(authority: string): Authority | undefined {
  if (plainAuthority.test(authority)) return { host: authority, authority }
  const [, name, address] = /^(?:([\w.-]{1,253})|\[([\da-f:.]{2,45})\])(?::\d{1,5})?$/i.exec(authority) ?? []
  const host = (name ?? address)?.toLowerCase().replace(/\.$/, '')
  return host ? { host, authority } : undefined
}

const plainAuthority = /^[a-z\d_-]+(?:\.[a-z\d_-]+)*$/
