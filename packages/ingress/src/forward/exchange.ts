/**
 * Exchange: one request, from its arrival to the end of its answer.
 *
 *   read ─► route ─► filters ─► backend by weight ─► least loaded endpoint ─► body ⇄ answer ─► told (metrics, log)
 *    │ 400    │ 404     │ 30x        │ 500, 503          │ again on another one
 *    └ 508    └         └            └                   └ if nobody has seen it; 502, 504
 *
 * Callers may rely on: bodies stream both ways, and whoever is slow slows the other down; a request is sent again only
 * if no program can have seen it (no connection came about), or if a kept connection turned out to be closed and it is
 * safe to be sent twice (RFC 9110, 9.2.2: idempotent, and no part of a body is gone).
 */

import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import { modifyHeaders } from '../routing/header-changes.ts'
import type { Filter, Route, WeightedBackend } from '../routing/model.ts'
import type { RouteTable } from '../routing/route-table.ts'
import { redirectLocation, rewriteTarget } from '../routing/redirect.ts'
import { readRequestPath, type RequestPath } from '../routing/request-path.ts'
import {
  type BackendCall,
  type BackendReceiver,
  type BackendRequest,
  type CallError,
  idempotent,
} from './backend-call.ts'
import { type Backends, chooseBackend } from './backends.ts'
import type { ClientRequest } from './client-request.ts'
import type { Endpoint } from './endpoint.ts'
import type { IdleWatch, Watched } from './idle-watch.ts'
import { Mirror } from './mirror.ts'
import { refusal } from './refusal.ts'
import {
  answeredHeaders,
  type Authority,
  forwardedHeaders,
  type ForwardingOptions,
  hasBeenHere,
  readAuthority,
} from './request-head.ts'

/** What became of a request. */
export interface Outcome {
  client: ClientRequest
  host: string | undefined
  path: string | undefined
  route: Route | undefined
  backend: WeightedBackend | undefined
  status: number
  bytes: number
  durationMs: number
  attempts: number
}

export interface ExchangeDeps {
  routes: () => RouteTable
  backends: Backends
  clock: Clock
  log: Logger
  forwarding: ForwardingOptions
  idle: IdleWatch
  /** Connections that have left HTTP. */
  upgraded: Set<Duplex>
  random: () => number
  tell: (outcome: Outcome) => void
}

const mostAttempts = 4
const mostTargetLength = 8 * 1024

export class Exchange implements BackendReceiver, Watched {
  movedAtMs: number
  readonly #client: ClientRequest
  readonly #deps: ExchangeDeps
  readonly #startedAtMs: number
  readonly #tried = new Set<Endpoint>()
  readonly #mirrors: Mirror[] = []
  #route: Route | undefined
  #authority: Authority | undefined
  #path: RequestPath | undefined
  #backend: WeightedBackend | undefined
  #request: BackendRequest | undefined
  #endpoint: Endpoint | undefined
  #call: BackendCall | undefined
  #status = 0
  #bytes = 0
  #attempts = 0
  /** A kept connection was ready before its call was known. */
  #isReadyEarly = false
  #isBodyBegun = false
  #isBodyRead = false
  #isSettled = false
  #requestTimer: Timer | undefined
  #attemptTimer: Timer | undefined

  constructor(client: ClientRequest, deps: ExchangeDeps) {
    this.#client = client
    this.#deps = deps
    this.#startedAtMs = deps.clock.now()
    this.movedAtMs = this.#startedAtMs
    deps.idle.add(this)
    client.onGone(() => this.#abandon())
  }

  start(): void {
    const { target, authority, method, headers, connection } = this.#client
    if (method === 'CONNECT' || method === 'TRACE') return this.#refuse(405, `${method} is not served`)
    if (target.length > mostTargetLength) return this.#refuse(414, 'the address is too long')
    const asked = originForm(target, authority)
    const read = asked && readAuthority(asked.authority)
    const path = asked && readRequestPath(asked.target)
    if (!read || !path) return this.#refuse(400, read ? 'the path is not plain' : 'one Host is needed')
    if (hasBeenHere(headers, this.#deps.forwarding.pseudonym)) return this.#refuse(508, 'this request was here before')
    const { host } = read
    const { port } = connection
    this.#authority = read
    this.#path = path
    this.#route = this.#deps.routes().find({ port, host, method, path: path.path, query: path.query, headers })
    if (!this.#route) return this.#refuse(404, 'no route for this host and path')
    this.#follow(this.#route, read, path)
  }

  #follow(route: Route, { authority, host }: Authority, path: RequestPath): void {
    const { clock, random, forwarding } = this.#deps
    const { connection, remoteAddress, version, method, body, contentLength, upgrade } = this.#client
    const backend = chooseBackend(route.backends, random())
    const filters = backend?.filters.length ? [...route.filters, ...backend.filters] : route.filters
    const redirect = filters.find((one) => one.type === 'RequestRedirect')
    if (redirect) {
      const { scheme, port } = connection
      const location = redirectLocation(redirect, { scheme, host, port, target: path.target }, route.path)
      return this.#answer(redirect.code, ['Location', location, 'Content-Length', '0'], '')
    }
    if (!backend?.target) {
      // What upstream asks for: an Ingress' missing Service is unavailable, a route's is a mistake of the route.
      const status = route.source.kind === 'Ingress' ? 503 : 500
      return this.#refuse(status, 'there is no backend for this route')
    }
    const { scheme, port } = connection
    const origin = { remoteAddress, scheme, authority, port, version }
    let headers = forwardedHeaders(this.#client.headers, origin, forwarding)
    let rewritten: { target: string; authority: string } = { target: path.target, authority }
    for (const filter of filters) {
      if (filter.type === 'RequestHeaderModifier') headers = modifyHeaders(headers, filter)
      else if (filter.type === 'URLRewrite') {
        const target = rewriteTarget(rewritten.target, filter.path, route.path)
        rewritten = { target, authority: filter.hostname ?? rewritten.authority }
      }
    }
    if (body === 'known') headers.push('Content-Length', contentLength ?? '0')
    const changedHost = setHost(headers)
    this.#backend = backend
    this.#request = {
      method,
      target: rewritten.target,
      authority: changedHost ?? rewritten.authority,
      headers,
      body,
      ...(upgrade === undefined ? {} : { upgrade }),
    }
    if (route.requestTimeoutMs) {
      this.#requestTimer = clock.setTimeout(() => this.#late('the request'), route.requestTimeoutMs)
    }
    for (const filter of filters) if (filter.type === 'RequestMirror') this.#mirror(filter, this.#request)
    this.#attempt()
  }

  #mirror(filter: Extract<Filter, { type: 'RequestMirror' }>, request: BackendRequest): void {
    const { backends, random } = this.#deps
    if (!filter.target || random() * filter.denominator >= filter.numerator) return
    const endpoint = backends.choose(backends.endpoints(filter.target) ?? new Map(), new Set())
    if (endpoint) this.#mirrors.push(new Mirror(endpoint, request))
  }

  #attempt(): void {
    const { backends, clock } = this.#deps
    const { target } = this.#backend ?? {}
    const request = this.#request
    if (!target || !request) return
    const endpoints = backends.endpoints(target)
    if (!endpoints) {
      const status = this.#route?.source.kind === 'Ingress' ? 503 : 500
      return this.#refuse(status, 'the Service, or its port, does not exist')
    }
    const endpoint = backends.choose(endpoints, this.#tried)
    if (!endpoint) {
      if (this.#tried.size > 0) return this.#refuse(502, 'no endpoint of the Service could be reached')
      return this.#refuse(503, 'the Service has no endpoint that is ready')
    }
    this.#endpoint = endpoint
    endpoint.inFlight += 1
    if (this.#route?.backendTimeoutMs) {
      this.#attemptTimer = clock.setTimeout(() => this.#late('the backend'), this.#route.backendTimeoutMs)
    }
    const call = endpoint.send(request, this)
    // It may have answered, or failed, at once.
    if (this.#endpoint === endpoint) this.#call = call
    if (this.#isReadyEarly) this.#readBody()
  }

  onReady(): void {
    if (!this.#call) this.#isReadyEarly = true
    else this.#readBody()
  }

  #readBody(): void {
    if (this.#isBodyBegun || this.#request?.body === 'none') return
    this.#isBodyBegun = true
    this.#client.readBody({
      onData: (chunk) => {
        this.movedAtMs = this.#deps.clock.now()
        for (const mirror of this.#mirrors) mirror.write(chunk)
        if (this.#call && !this.#call.write(chunk)) this.#client.pauseBody()
      },
      onEnd: (trailers) => {
        this.#isBodyRead = true
        for (const mirror of this.#mirrors) mirror.end(trailers)
        this.#call?.end(trailers)
      },
    })
  }

  onDrain(): void {
    this.movedAtMs = this.#deps.clock.now()
    if (this.#isBodyBegun && !this.#isBodyRead) this.#client.resumeBody()
  }

  onInformation(status: number, headers: string[]): void {
    this.#client.inform(status, answeredHeaders(headers))
  }

  onHead(status: number, headers: string[]): void {
    this.movedAtMs = this.#deps.clock.now()
    this.#status = status
    this.#client.respond(status, this.#changed(answeredHeaders(headers)))
  }

  onData(chunk: Buffer): void {
    this.movedAtMs = this.#deps.clock.now()
    this.#bytes += chunk.length
    if (this.#client.write(chunk)) return
    this.#call?.pause()
    this.#client.onDrain(() => {
      this.movedAtMs = this.#deps.clock.now()
      this.#call?.resume()
    })
  }

  onEnd(trailers: string[]): void {
    this.#letGo()
    this.#client.end(trailers)
    this.#settle()
  }

  onUpgrade(headers: string[], socket: Duplex): void {
    this.#status = 101
    const { upgrade = '' } = this.#request ?? {}
    const changed = [...this.#changed(answeredHeaders(headers)), 'Connection', 'Upgrade', 'Upgrade', upgrade]
    const endpoint = this.#endpoint
    // As long as the connection lives it is a load of its endpoint.
    if (endpoint) {
      endpoint.inFlight += 1
      socket.once('close', () => (endpoint.inFlight -= 1))
    }
    this.#deps.upgraded.add(socket)
    socket.once('close', () => this.#deps.upgraded.delete(socket))
    this.#letGo()
    this.#client.switchProtocols(changed, socket)
    this.#settle()
  }

  onError(error: CallError): void {
    const endpoint = this.#endpoint
    this.#letGo()
    const { method, body = 'none' } = this.#request ?? {}
    const isUnread = body === 'none' || !this.#isBodyBegun
    const mayRepeat = isUnread && error.reach !== 'sent' && (error.reach !== 'stale' || idempotent.has(method ?? ''))
    // It is another connection that is wanted after a stale one, not another endpoint.
    if (error.reach === 'not-sent' && endpoint) {
      endpoint.rest()
      this.#tried.add(endpoint)
    }
    this.#deps.log.debug({ endpoint: endpoint?.name, reason: error.message, reach: error.reach }, 'a backend failed')
    this.#attempts += 1
    this.#isReadyEarly = false
    if (mayRepeat && this.#attempts < mostAttempts && this.#status === 0) return this.#attempt()
    this.#refuse(502, 'the backend did not answer')
  }

  onIdle(): void {
    const isClients = this.#isBodyBegun && !this.#isBodyRead && this.#status === 0
    this.#stopCalls()
    if (isClients) this.#refuse(408, 'the rest of the request did not come')
    else this.#refuse(504, 'the backend did not answer in time')
  }

  #late(who: string): void {
    this.#stopCalls()
    this.#refuse(504, `${who} took longer than its route allows`)
  }

  /** The client has left. */
  #abandon(): void {
    if (this.#isSettled) return
    this.#stopCalls()
    // nginx' word for it.
    if (this.#status === 0) this.#status = 499
    this.#settle()
  }

  #refuse(status: number, why: string): void {
    if (this.#isSettled) return
    this.#stopCalls()
    // Half an answer cannot be taken back; the client is to see that it is half.
    if (this.#status !== 0) {
      this.#client.cut()
      return this.#settle()
    }
    const answer = refusal(status, why, this.#client.headers)
    this.#answer(answer.status, answer.headers, answer.body, status)
  }

  #answer(status: number, headers: string[], body: string, told = status): void {
    this.#status = told
    // What of its body has not been read would be taken for the next request; it is not worth reading.
    const isWhole = this.#client.body === 'none' || this.#isBodyRead
    const closing = isWhole || this.#client.version === '2.0' ? [] : ['Connection', 'close']
    this.#client.respond(status, [...headers, ...closing])
    if (body !== '' && this.#client.method !== 'HEAD') this.#client.write(Buffer.from(body))
    this.#client.end([])
    this.#settle()
  }

  #changed(headers: string[]): string[] {
    const { filters = [] } = this.#route ?? {}
    const all = this.#backend?.filters.length ? [...filters, ...this.#backend.filters] : filters
    let changed = headers
    for (const one of all) if (one.type === 'ResponseHeaderModifier') changed = modifyHeaders(changed, one)
    return changed
  }

  /** The attempt is over, whatever became of it. */
  #letGo(): void {
    this.#deps.clock.clear(this.#attemptTimer)
    if (this.#endpoint) this.#endpoint.inFlight -= 1
    this.#endpoint = undefined
    this.#call = undefined
  }

  #stopCalls(): void {
    this.#call?.abort()
    for (const mirror of this.#mirrors) mirror.abort()
    if (this.#endpoint) this.#letGo()
  }

  #settle(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    const { clock, idle, tell } = this.#deps
    idle.delete(this)
    clock.clear(this.#requestTimer)
    tell({
      client: this.#client,
      host: this.#authority?.host,
      path: this.#path?.path,
      route: this.#route,
      backend: this.#backend,
      status: this.#status,
      bytes: this.#bytes,
      durationMs: clock.now() - this.#startedAtMs,
      attempts: this.#attempts + 1,
    })
  }
}

/** A client of a proxy may name the whole address; its authority is then the one that counts (RFC 9112, 3.2.2). */
function originForm(target: string, authority: string | undefined): { target: string; authority: string } | undefined {
  if (target.startsWith('/')) return authority === undefined ? undefined : { target, authority }
  const [, named, rest = ''] = /^https?:\/\/([^/?#@]+)([/?].*)?$/i.exec(target) ?? []
  if (named === undefined || authority === undefined) return undefined
  return { target: rest.startsWith('/') ? rest : `/${rest}`, authority: named }
}

/** A RequestHeaderModifier may set Host; that is no header among others. Takes it out. */
function setHost(headers: string[]): string | undefined {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'host')
  return at < 0 ? undefined : headers.splice(at, 2)[1]
}
