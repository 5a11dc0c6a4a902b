/**
 * Endpoint: one address of a Service, and the connections to it.
 *
 * Callers may rely on: of the connections that are free the one used last is used first, so that those that are too
 * many grow old and go; a retired endpoint takes no new request, and what is under way comes to its end.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { BackendProtocol } from '../routing/service-endpoints.ts'
import type { BackendCall, BackendReceiver, BackendRequest } from './backend-call.ts'
import { Http1Connection } from './http1-connection.ts'
import { Http2Connection } from './http2-connection.ts'

export interface EndpointOptions {
  address: string
  port: number
  protocol: BackendProtocol
  clock: Clock
  connectTimeoutMs: number
}

/** Like nginx' upstream keepalive: more than this are not kept when they are free. */
const mostFree = 64
/** A free connection is not used again after this time: backends close theirs at about 60 s, some at 5. */
const freeForMs = 4_000
/** After it could not be reached, others are tried first. */
const restMs = 1_000

export class Endpoint {
  readonly #options: EndpointOptions
  readonly #free: { connection: Http1Connection; sinceMs: number }[] = []
  readonly #all = new Set<Http1Connection>()
  #http2: Http2Connection | undefined
  #restsUntilMs = 0
  #isRetired = false
  /** Requests under way, kept by who sends them. */
  inFlight = 0

  constructor(options: EndpointOptions) {
    this.#options = options
  }

  /** "10.244.1.7:8080" */
  get name(): string {
    const { address, port } = this.#options
    return `${address.includes(':') ? `[${address}]` : address}:${port}`
  }

  get rests(): boolean {
    return this.#restsUntilMs > this.#options.clock.now()
  }

  rest(): void {
    this.#restsUntilMs = this.#options.clock.now() + restMs
  }

  send(request: BackendRequest, receiver: BackendReceiver): BackendCall {
    const { protocol } = this.#options
    if (protocol !== 'h2c' || request.upgrade !== undefined) return this.#connection().send(request, receiver)
    const { address, port, clock, connectTimeoutMs } = this.#options
    const onGone = (gone: Http2Connection) => {
      if (this.#http2 === gone) this.#http2 = undefined
    }
    this.#http2 ??= new Http2Connection({ address, port, clock, connectTimeoutMs, onGone })
    return this.#http2.send(request, receiver)
  }

  retire(): void {
    this.#isRetired = true
    for (const connection of this.#all) connection.close()
    this.#http2?.close()
  }

  get connections(): number {
    return this.#all.size + (this.#http2 ? 1 : 0)
  }

  #connection(): Http1Connection {
    const { clock } = this.#options
    const newest = this.#free.pop()
    if (newest && newest.sinceMs + freeForMs > clock.now()) return newest.connection
    // The newest is too old, so all are.
    const old = [...(newest ? [newest] : []), ...this.#free.splice(0)]
    for (const { connection } of old) connection.close()
    const connection = new Http1Connection({
      ...this.#options,
      isTls: this.#options.protocol === 'https',
      onFree: (one) => this.#keep(one),
      onGone: (one) => this.#forget(one),
    })
    this.#all.add(connection)
    return connection
  }

  #keep(connection: Http1Connection): void {
    if (this.#isRetired || this.#free.length >= mostFree) return connection.close()
    this.#free.push({ connection, sinceMs: this.#options.clock.now() })
  }

  #forget(connection: Http1Connection): void {
    this.#all.delete(connection)
    const at = this.#free.findIndex((one) => one.connection === connection)
    if (at >= 0) this.#free.splice(at, 1)
  }
}
