/**
 * Forwarder: takes requests, whichever connection they came by, and tells what became of them.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Metrics } from '@dinghy/shared/process/metrics'
import type { Route } from '../routing/model.ts'
import type { RouteTable } from '../routing/route-table.ts'
import type { Backends } from './backends.ts'
import type { ClientRequest } from './client-request.ts'
import { Exchange, type ExchangeDeps, type Outcome } from './exchange.ts'
import { IdleWatch } from './idle-watch.ts'
import type { ForwardingOptions } from './request-head.ts'

export interface ForwarderOptions {
  backends: Backends
  clock: Clock
  log: Logger
  metrics: Metrics
  forwarding: ForwardingOptions
  /** What may pass without a byte in either direction. */
  idleTimeoutMs: number
  /** Every request is logged, not only when details are asked for. */
  logsAccess: boolean
  random: () => number
}

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #deps: ExchangeDeps
  readonly #counts: RequestCounts
  #routes: RouteTable

  constructor(options: ForwarderOptions, routes: RouteTable) {
    this.#options = options
    this.#routes = routes
    this.#counts = new RequestCounts(options.metrics)
    const { backends, clock, log, forwarding, random } = options
    this.#deps = {
      backends,
      clock,
      log,
      forwarding,
      random,
      routes: () => this.#routes,
      idle: new IdleWatch(clock, options.idleTimeoutMs),
      upgraded: new Set(),
      tell: (outcome) => this.#tell(outcome),
    }
    options.metrics.observed('dinghy_ingress_requests_in_flight', 'Requests under way.', () => this.inFlight)
  }

  get routes(): RouteTable {
    return this.#routes
  }

  set routes(table: RouteTable) {
    this.#routes = table
    const refs = table.routes.flatMap(({ backends, filters }) => [
      ...backends.map(({ target }) => target),
      ...filters.map((one) => (one.type === 'RequestMirror' ? one.target : undefined)),
    ])
    this.#options.backends.keep(refs.filter((ref) => ref !== undefined))
  }

  get inFlight(): number {
    return this.#deps.idle.size
  }

  handle(client: ClientRequest): void {
    new Exchange(client, this.#deps).start()
  }

  /** Whatever is still under way has had its time. */
  stop(): void {
    this.#deps.idle.stop()
    for (const connection of this.#deps.upgraded) connection.destroy()
  }

  #tell(outcome: Outcome): void {
    this.#counts.count(outcome)
    const { log, logsAccess } = this.#options
    if (!logsAccess && log.level !== 'debug' && log.level !== 'trace') return
    const { client, host, route, backend, status, bytes, durationMs, attempts } = outcome
    const line = {
      client: client.remoteAddress,
      method: client.method,
      host: host ?? client.authority,
      target: client.target.slice(0, 1_000),
      version: client.version,
      ...(client.connection.scheme === 'https' ? { tls: true } : {}),
      status,
      bytes,
      durationMs,
      ...(route ? { route: routeName(route) } : {}),
      ...(backend?.target ? { service: backend.target.service } : {}),
      ...(attempts > 1 ? { attempts } : {}),
    }
    if (logsAccess) log.info(line, 'request')
    else log.debug(line, 'request')
  }
}

/** "HTTPRoute shop/canary" */
export function routeName({ source: { kind, namespace, name } }: Route): string {
  return `${kind} ${namespace}/${name}`
}

/**
 * Counted by hosts as routes have them, never as clients write them: nobody shall fill our memory with names. Plain
 * numbers, because looking a counter up by its labels would be a tenth of what a request costs.
 */
class RequestCounts {
  readonly #counts = new Map<string, Map<string, Map<number, number>>>()
  readonly #durations

  constructor(metrics: Metrics) {
    this.#durations = metrics.histogram(
      'dinghy_ingress_request_duration_seconds',
      'From arrival to the end of the answer.',
    )
    metrics.observed('dinghy_ingress_requests_total', 'Requests by host, Service and status.', () => this.#samples(), {
      labelNames: ['host', 'service', 'code'],
      type: 'counter',
    })
  }

  count({ route, backend, status, durationMs }: Outcome): void {
    const host = route?.host ?? ''
    const service = backend?.target?.service ?? ''
    const ofHost = this.#counts.get(host) ?? new Map<string, Map<number, number>>()
    this.#counts.set(host, ofHost)
    const ofService = ofHost.get(service) ?? new Map<number, number>()
    ofHost.set(service, ofService)
    ofService.set(status, (ofService.get(status) ?? 0) + 1)
    this.#durations.observe(durationMs / 1000)
  }

  #samples() {
    return [...this.#counts].flatMap(([host, services]) =>
      [...services].flatMap(([service, codes]) =>
        [...codes].map(([code, value]) => ({ labels: { host, service, code: String(code) }, value })),
      ),
    )
  }
}
