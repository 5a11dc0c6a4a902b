/** An ingress on real sockets of the loopback address, with routes and Services that a test says. For tests only. */

import type { AddressInfo, Server } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { systemClock } from '@dinghy/shared/api/clock'
import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import { createAuthority, issueCertificate, type KeyPair } from '@dinghy/shared/pki/authority'
import { createLogger } from '@dinghy/shared/process/logger'
import { Metrics } from '@dinghy/shared/process/metrics'
import { Backends } from '../forward/backends.ts'
import { Forwarder } from '../forward/forwarder.ts'
import { IngressServer } from '../forward/server.ts'
import type { Route } from '../routing/model.ts'
import { pathMatch } from '../routing/route-match.ts'
import { RouteTable } from '../routing/route-table.ts'

export const authority = createAuthority('test', { now: Date.now(), expiresInSeconds: 3600 })

export function certificateFor(...names: string[]): KeyPair {
  const subject = { user: names[0] ?? 'none', groups: [] }
  return issueCertificate(authority, {
    now: Date.now(),
    expiresInSeconds: 3600,
    subject,
    usages: ['digital signature', 'server auth'],
    names,
  })
}

export class IngressFixture {
  readonly metrics = new Metrics()
  readonly lines: Record<string, unknown>[] = []
  readonly certificates = new Map<string, SecureContext>()
  readonly backends: Backends
  readonly forwarder: Forwarder
  readonly server: IngressServer
  http = 0
  https = 0
  readonly #endpoints = new Map<string, { appProtocol: string | undefined; ports: number[] }>()
  readonly #fallback = certificateFor('fallback.example')

  constructor({ headTimeoutMs = 10_000, idleTimeoutMs = 60_000 } = {}) {
    const clock = systemClock
    const log = createLogger({
      name: 'ingress',
      level: 'debug',
      clock,
      write: (line) => void this.lines.push(JSON.parse(line) as Record<string, unknown>),
    })
    this.backends = new Backends({
      service: (key) => this.#service(key),
      slices: (key) => this.#slices(key),
      clock,
      connectTimeoutMs: 1_000,
    })
    this.forwarder = new Forwarder(
      {
        backends: this.backends,
        clock,
        log,
        metrics: this.metrics,
        forwarding: { pseudonym: 'dinghy-test', believesClients: false, newId: () => 'id' },
        idleTimeoutMs,
        logsAccess: false,
        random: () => Math.random(),
      },
      new RouteTable([], []),
    )
    this.server = new IngressServer({
      handle: (client) => this.forwarder.handle(client),
      certificateFor: (_port, name) => this.certificates.get(name) ?? createSecureContext(pem(this.#fallback)),
      certificateOf: () => this.#fallback,
      clock,
      log,
      headTimeoutMs,
    })
  }

  async start(): Promise<this> {
    const on = async (scheme: 'http' | 'https', port: number) => {
      const { url } = await this.server.open({ host: '127.0.0.1', port: 0 }, { scheme, port })
      return Number(new URL(url).port)
    }
    this.http = await on('http', 80)
    this.https = await on('https', 443)
    return this
  }

  /** A Service "shop/NAME" with these ports of 127.0.0.1 behind it. */
  serve(name: string, ports: number[], appProtocol?: string): void {
    this.#endpoints.set(`shop/${name}`, { appProtocol, ports })
    this.backends.changed(`shop/${name}`)
  }

  route(...routes: Partial<Route>[]): void {
    this.forwarder.routes = new RouteTable(
      routes.map((one, rule) => ({
        source: { kind: 'Ingress', namespace: 'shop', name: 'test', rule, createdAt: '2025-01-01T00:00:00Z' },
        ports: [80, 443],
        host: '',
        wildcardLabels: 'one',
        path: pathMatch('Prefix', '/'),
        headers: [],
        query: [],
        isDefault: false,
        filters: [],
        backends: [to('web')],
        ...one,
      })),
      [],
    )
  }

  addCertificate(name: string, pair: KeyPair): void {
    this.certificates.set(name, createSecureContext(pem(pair)))
  }

  async stop(): Promise<void> {
    await this.server.close(() => Promise.resolve())
    this.forwarder.stop()
    this.backends.keep([])
  }

  #service(key: string): Service | undefined {
    const known = this.#endpoints.get(key)
    const { appProtocol } = known ?? {}
    const spec = { ports: [{ name: 'p0', port: 80, ...(appProtocol ? { appProtocol } : {}) }] }
    return known && ({ metadata: { name: key }, spec, status: {} } as unknown as Service)
  }

  #slices(key: string): EndpointSlice[] {
    return (this.#endpoints.get(key)?.ports ?? []).map(
      (port) =>
        ({
          addressType: 'IPv4',
          ports: [{ name: 'p0', port }],
          endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
        }) as unknown as EndpointSlice,
    )
  }
}

export function to(name: string, weight = 1): Route['backends'][number] {
  return { target: { service: `shop/${name}`, port: 80 }, weight, filters: [] }
}

function pem({ certificate: cert, key }: KeyPair) {
  return { cert, key }
}

/** Where a server of a test listens. */
export async function portOf(server: Server): Promise<number> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
