/**
 * What is served: the model of the cluster, on open ports, with the certificates of Secrets and the endpoints of
 * Services. It begins when there is something to serve; until then node's HTTP and TLS are not even loaded.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { randomHex } from '@dinghy/shared/api/ids'
import { createAuthority, issueCertificate, type KeyPair } from '@dinghy/shared/pki/authority'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Metrics } from '@dinghy/shared/process/metrics'
import type { SecureContext } from 'node:tls'
import type { ClusterModel } from './cluster-model.ts'
import { type FullView, secretOf } from './cluster-view.ts'
import { Backends } from './forward/backends.ts'
import { Forwarder, routeName } from './forward/forwarder.ts'
import { IngressServer } from './forward/server.ts'
import type { Serving } from './ingress-controller.ts'
import { OpenPorts } from './open-ports.ts'
import { RouteTable } from './routing/route-table.ts'
import { chooseCertificate, SecretCertificates, secureContextOf } from './tls/certificates.ts'

export interface ServeOptions {
  clock: Clock
  log: Logger
  metrics: Metrics
  addressesOf: (port: number) => { host: string; port: number }[]
  /** Whether a port can be had has changed. */
  onPortsChange: () => void
  idleTimeoutMs: number
  connectTimeoutMs: number
  headTimeoutMs: number
  logsAccess: boolean
  believesClients: boolean
}

const tenYearsSeconds = 3650 * 86_400

/** Unlike any other process'. A random number for each request would cost more than all else about its headers. */
function requestIds(): () => string {
  const prefix = randomHex(20)
  let count = 0
  return () => prefix + (count++).toString(16).padStart(12, '0')
}

interface Parts {
  view: FullView
  backends: Backends
  forwarder: Forwarder
  server: IngressServer
  ports: OpenPorts
  certificates: SecretCertificates
}

export class Serve implements Serving {
  readonly #options: ServeOptions
  #parts: Parts | undefined
  #model: ClusterModel | undefined
  #fallback: { pair: KeyPair; context: SecureContext } | undefined

  constructor(options: ServeOptions) {
    this.#options = options
  }

  begin(view: FullView): void {
    const { clock, log, metrics, idleTimeoutMs, connectTimeoutMs, headTimeoutMs, logsAccess } = this.#options
    const backends = new Backends({
      service: (key) => view.services.lister.get(key),
      slices: (key) => view.slices.lister.byIndex('service', key),
      clock,
      connectTimeoutMs,
    })
    const forwarder = new Forwarder(
      {
        backends,
        clock,
        log,
        metrics,
        forwarding: {
          pseudonym: `dinghy-${randomHex(8)}`,
          believesClients: this.#options.believesClients,
          newId: requestIds(),
        },
        idleTimeoutMs,
        logsAccess,
        random: () => Math.random(),
      },
      new RouteTable([], []),
    )
    const server = new IngressServer({
      handle: (client) => forwarder.handle(client),
      certificateFor: (port, name) => this.#contextFor(port, name),
      certificateOf: (port) => this.#pairOf(port),
      clock,
      log,
      headTimeoutMs,
    })
    metrics.observed('dinghy_ingress_connections', 'Connections of clients.', () => server.connections)
    const { addressesOf, onPortsChange: onChange } = this.#options
    const ports = new OpenPorts({ server, clock, log, addressesOf, onChange })
    const certificates = new SecretCertificates((key) => secretOf(view, key))
    this.#parts = { view, backends, forwarder, server, ports, certificates }
  }

  async show(model: ClusterModel): Promise<void> {
    const { forwarder, ports, server, certificates } = this.#begun()
    this.#model = model
    forwarder.routes = new RouteTable(model.routes, model.listeners)
    certificates.keep(new Set(model.certificates.map(({ secret }) => secret)))
    server.certificatesChanged()
    await ports.apply(model.ports)
  }

  serviceChanged(key: string): void {
    this.#parts?.backends.changed(key)
  }

  portProblem(port: number): string | undefined {
    return this.#parts?.ports.problem(port)
  }

  certificateProblem(secretKey: string): string | undefined {
    return this.#begun().certificates.problem(secretKey)
  }

  /** For /debug/routes. */
  page(): object {
    if (!this.#parts) return { ports: [], routes: [], backends: [] }
    const { forwarder, ports, backends } = this.#parts
    const routes = forwarder.routes.routes.map((route) => {
      const { ports: at, host, path, method, headers, query, listener, isDefault, filters } = route
      return {
        route: routeName(route),
        rule: route.source.rule,
        ports: at,
        host: host || '*',
        path: `${path.type} ${path.value || '/'}`,
        ...(method === undefined ? {} : { method }),
        ...(headers.length > 0 ? { headers: headers.map(({ name, value }) => `${name}: ${value}`) } : {}),
        ...(query.length > 0 ? { query: query.map(({ name, value }) => `${name}=${value}`) } : {}),
        ...(listener ? { listener: `${listener.gateway}/${listener.name}` } : {}),
        ...(isDefault ? { isDefault } : {}),
        ...(filters.length > 0 ? { filters: filters.map(({ type }) => type) } : {}),
        backends: route.backends.map(({ target, weight }) => ({
          service: target ? `${target.service}:${target.port}` : null,
          weight,
        })),
      }
    })
    return { ports: ports.view(), routes, backends: backends.view() }
  }

  /** What is under way gets `drainMs` to end. */
  async close(drainMs: number): Promise<void> {
    if (!this.#parts) return
    const { ports, server, forwarder, backends } = this.#parts
    const { clock } = this.#options
    ports.close()
    const giveUpAt = clock.now() + drainMs
    await server.close(async () => {
      while (forwarder.inFlight > 0 && clock.now() < giveUpAt) await clock.sleep(20)
    })
    forwarder.stop()
    backends.keep([])
  }

  #contextFor(port: number, name: string): SecureContext {
    const { certificates } = this.#begun()
    const secret = this.#secretFor(port, name)
    return (secret === undefined ? undefined : certificates.context(secret)) ?? this.#ownCertificate().context
  }

  #pairOf(port: number): KeyPair {
    const secret = this.#secretFor(port, '')
    return (secret === undefined ? undefined : this.#begun().certificates.pair(secret)) ?? this.#ownCertificate().pair
  }

  #secretFor(port: number, name: string): string | undefined {
    const { certificates } = this.#begun()
    const isUsable = (key: string) => certificates.problem(key) === undefined
    return chooseCertificate(this.#model?.certificates ?? [], port, name, isUsable)
  }

  /** For names that nobody has brought a certificate for; browsers warn of it, as they should. */
  #ownCertificate(): { pair: KeyPair; context: SecureContext } {
    if (this.#fallback) return this.#fallback
    const validity = { now: this.#options.clock.now(), expiresInSeconds: tenYearsSeconds }
    const pair = issueCertificate(createAuthority('dinghy ingress', validity), {
      ...validity,
      subject: { user: 'Dinghy Ingress Controller Fake Certificate', groups: ['Dinghy'] },
      usages: ['digital signature', 'key encipherment', 'server auth'],
      names: ['ingress.local'],
    })
    this.#fallback = { pair, context: secureContextOf(pair) }
    return this.#fallback
  }

  #begun(): Parts {
    if (!this.#parts) throw new Error('nothing is served yet')
    return this.#parts
  }
}
