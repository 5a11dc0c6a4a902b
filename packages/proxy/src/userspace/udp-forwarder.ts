/**
 * UDP forwarder: serves one UDP rule. UDP has no connections, so a client (address and port) that was heard of lately
 * stands for one: it keeps its backend, and the backend's answers come back to it from the address that it asked.
 *
 * Callers may rely on: a client whose backend is removed or refuses gets another with its next datagram (upstream
 * deletes the conntrack entry for the same reason); silent clients are forgotten after as long as conntrack waits.
 */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Timer } from '@dinghy/shared/api/clock'
import { Balancer, keyOf } from './balancer.ts'
import type { Forwarder, ForwarderDeps } from './forwarder.ts'
import type { Backend } from '../rules/endpoints.ts'
import { bindingOf, type Rule } from './rules.ts'

/** nf_conntrack_udp_timeout_stream */
const silenceMs = 120_000
/** A backend that cannot keep up loses datagrams, as a network would; we do not collect them in memory. */
const mostWaiting = 64

interface Session {
  upstream: Socket
  backend: Backend
  timer: Timer
  /** Datagrams that came before the socket was connected. */
  waiting: Buffer[] | undefined
}

/** Rejects with the error of bind(2). */
export async function listenUdp(rule: Rule, deps: ForwarderDeps): Promise<Forwarder> {
  const forwarder = new UdpForwarder(rule, deps)
  await forwarder.listen()
  return forwarder
}

class UdpForwarder implements Forwarder {
  #rule: Rule
  readonly #deps: ForwarderDeps
  readonly #balancer: Balancer
  readonly #socket = createSocket({ type: 'udp4', reuseAddr: false })
  readonly #sessions = new Map<string, Session>()

  constructor(rule: Rule, deps: ForwarderDeps) {
    this.#rule = rule
    this.#deps = deps
    this.#balancer = new Balancer(deps.clock)
    this.#socket.on('message', (datagram, client) => this.#receive(datagram, client))
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('error', reject)
      this.#socket.bind({ address: this.#rule.address, port: this.#rule.port, exclusive: true }, () => {
        this.#socket.removeListener('error', reject)
        this.#socket.on('error', (error) =>
          this.#deps.log.error({ rule: bindingOf(this.#rule), err: error }, 'receiving failed'),
        )
        resolve()
      })
    })
  }

  get connections(): number {
    return this.#sessions.size
  }

  update(rule: Rule): void {
    this.#rule = rule
    const kept = new Set(rule.backends.map(keyOf))
    for (const [key, { backend }] of this.#sessions) if (!kept.has(keyOf(backend))) this.#end(key)
  }

  // The answers leave through the socket that is being closed, so unlike TCP nothing can go on.
  close(): void {
    this.destroy()
    this.#socket.close()
  }

  destroy(): void {
    for (const key of this.#sessions.keys()) this.#end(key)
  }

  #receive(datagram: Buffer, client: RemoteInfo): void {
    const key = `${client.address}:${client.port}`
    const session = this.#sessions.get(key) ?? this.#begin(key, client)
    if (!session) return
    this.#touch(key, session)
    if (!session.waiting) session.upstream.send(datagram)
    else if (session.waiting.length < mostWaiting) session.waiting.push(datagram)
  }

  #begin(key: string, client: RemoteInfo): Session | undefined {
    const { address } = client
    const [backend] = this.#balancer.order(this.#rule, { address, node: this.#deps.nodeOf(address) })
    if (!backend) return undefined
    this.#balancer.connected(this.#rule, client, backend)
    const upstream = createSocket('udp4')
    const timer = this.#deps.clock.setTimeout(() => this.#end(key), silenceMs)
    const session: Session = { upstream, backend, timer, waiting: [] }
    this.#sessions.set(key, session)
    upstream.on('message', (answer) => {
      this.#touch(key, session)
      this.#socket.send(answer, client.port, client.address)
    })
    // A connected socket hears when nobody listens over there (ICMP). The next datagram will try someone else.
    upstream.on('error', (error) => {
      this.#deps.log.debug({ rule: bindingOf(this.#rule), backend, err: error }, 'backend does not answer')
      this.#end(key)
    })
    upstream.once('connect', () => {
      for (const datagram of session.waiting ?? []) upstream.send(datagram)
      session.waiting = undefined
    })
    upstream.connect(backend.port, backend.address)
    return session
  }

  #touch(key: string, session: Session): void {
    const { clock } = this.#deps
    clock.clear(session.timer)
    if (this.#sessions.get(key) === session) session.timer = clock.setTimeout(() => this.#end(key), silenceMs)
  }

  #end(key: string): void {
    const session = this.#sessions.get(key)
    if (!session) return
    this.#sessions.delete(key)
    this.#deps.clock.clear(session.timer)
    session.upstream.close()
  }
}
