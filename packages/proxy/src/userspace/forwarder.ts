/**
 * Forwarder: serves one TCP rule in user space. Each connection is piped to a backend, byte for byte.
 *
 *   client ──accept──► order of backends ──connect──► pipe both ways until both sides have ended
 *                          │ refused: the next one
 *                          └ none left: reset the client
 *
 * Callers may rely on: half-closed connections stay half open in the other direction (HTTP/1.0 clients, `nc`); a reset
 * is passed on as a reset; close() stops accepting at once but lets established connections finish, as conntrack does
 * upstream when a Service goes away. A pod keeps its own address as the source where the machine lets us bind it
 * (127.0.0.0/8); upstream's masquerading of NodePort clients is not imitated.
 */

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Clock, Timer } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { Balancer } from './balancer.ts'
import type { Backend } from '../rules/endpoints.ts'
import { bindingOf, type Rule } from './rules.ts'

export interface Forwarder {
  /** The rule has changed: the same address and port, other backends. */
  update(rule: Rule): void
  /** Established connections, or for UDP clients that were heard of lately. */
  readonly connections: number
  /** Accepts nothing more. What is established goes on. */
  close(): void
  /** Ends what is established. */
  destroy(): void
}

export interface ForwarderDeps {
  clock: Clock
  log: Logger
  /** The node that an address belongs to, if it is a pod's or a node's. */
  nodeOf(address: string): string | undefined
  /** How to reach a backend, if not by its address; TCP alone. */
  dial?: Dial
}

/** Rejects if nobody answers. */
export type Dial = (backend: Backend) => Promise<Socket>

/** A backend on a stopped machine would otherwise hold the client for minutes. */
const connectTimeoutMs = 2_000

/** Rejects with the error of listen(2): EADDRINUSE, EACCES, EADDRNOTAVAIL. */
export async function listenTcp(rule: Rule, deps: ForwarderDeps): Promise<Forwarder> {
  const forwarder = new TcpForwarder(rule, deps)
  await forwarder.listen()
  return forwarder
}

class TcpForwarder implements Forwarder {
  #rule: Rule
  readonly #deps: ForwarderDeps
  readonly #balancer: Balancer
  readonly #server: Server
  readonly #clients = new Set<Socket>()

  constructor(rule: Rule, deps: ForwarderDeps) {
    this.#rule = rule
    this.#deps = deps
    this.#balancer = new Balancer(deps.clock)
    // Not read before a backend is connected: the bytes wait in the kernel, and are not lost on a retry.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true })
    this.#server.on('connection', (client) => this.#accept(client))
  }

  listen(): Promise<void> {
    const { address: host, port } = this.#rule
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, exclusive: true }, () => {
        this.#server.removeListener('error', reject)
        // From here on: EMFILE and the like. One lost connection is no reason to stop serving.
        this.#server.on('error', (error) =>
          this.#deps.log.error({ rule: bindingOf(this.#rule), err: error }, 'accept failed'),
        )
        resolve()
      })
    })
  }

  get connections(): number {
    return this.#clients.size
  }

  update(rule: Rule): void {
    this.#rule = rule
  }

  close(): void {
    this.#server.close()
  }

  destroy(): void {
    for (const client of this.#clients) client.destroy()
  }

  #accept(client: Socket): void {
    this.#clients.add(client)
    client.once('close', () => this.#clients.delete(client))
    this.#serve(client).catch((error: unknown) => {
      this.#deps.log.error({ rule: bindingOf(this.#rule), err: error }, 'a connection could not be forwarded')
      client.resetAndDestroy()
    })
  }

  async #serve(client: Socket): Promise<void> {
    // Until the pipes are in place nobody else listens, and an error without a listener ends the process.
    client.on('error', (error) => this.#deps.log.debug({ rule: bindingOf(this.#rule), err: error }, 'client failed'))
    const rule = this.#rule
    const address = client.remoteAddress ?? ''
    for (const backend of this.#balancer.order(rule, { address, node: this.#deps.nodeOf(address) })) {
      const upstream = await this.#connect(backend, sourceFor(address))
      if (!upstream) continue
      if (client.destroyed) {
        upstream.destroy()
        return
      }
      this.#balancer.connected(rule, { address }, backend)
      join(client, upstream)
      return
    }
    this.#deps.log.debug({ rule: bindingOf(rule) }, 'no backend accepts connections')
    client.resetAndDestroy()
  }

  /** Undefined when the backend does not answer. */
  async #connect(backend: Backend, source: string | undefined): Promise<Socket | undefined> {
    const { clock, log } = this.#deps
    try {
      const way = this.#deps.dial
      return await (way ? inTime(way(backend), clock) : connectTo(backend, source, clock))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // All ports of this source are taken, or it is no address of this machine: better served under another name.
      const isSourceAtFault = code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL'
      if (source !== undefined && isSourceAtFault) return await this.#connect(backend, undefined)
      log.debug({ rule: bindingOf(this.#rule), backend, err: error }, 'backend does not answer')
      return undefined
    }
  }
}

function connectTo({ address: host, port }: Backend, localAddress: string | undefined, clock: Clock): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const options = { host, port, allowHalfOpen: true, noDelay: true, keepAlive: true }
    const upstream = connect(localAddress === undefined ? options : { ...options, localAddress })
    const timer = clock.setTimeout(() => upstream.destroy(new Error('timed out connecting')), connectTimeoutMs)
    upstream.once('error', (error) => {
      clock.clear(timer)
      reject(error)
    })
    upstream.once('connect', () => {
      clock.clear(timer)
      resolve(upstream)
    })
  })
}

async function inTime(dialing: Promise<Socket>, clock: Clock): Promise<Socket> {
  let timer: Timer | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = clock.setTimeout(() => reject(new Error('timed out connecting')), connectTimeoutMs)
  })
  try {
    return await Promise.race([dialing, tooLate])
  } catch (error) {
    // Should it come after all, nobody waits for it; should it not, that has been said.
    void dialing.then((socket) => socket.destroy()).catch(() => undefined)
    throw error
  } finally {
    clock.clear(timer)
  }
}

/** Pipes both ways until both have ended. */
export function join(client: Socket, upstream: Socket): void {
  client.pipe(upstream)
  upstream.pipe(client)
  // pipe() passes an end on, but not a failure.
  client.once('close', (hadError) => (hadError ? upstream.resetAndDestroy() : endUnlessEnded(upstream)))
  upstream.once('close', (hadError) => (hadError ? client.resetAndDestroy() : endUnlessEnded(client)))
  upstream.on('error', () => client.resetAndDestroy())
}

/** Its peer is gone altogether (destroyed by us, say): nothing will ever be read from it again. */
function endUnlessEnded(socket: Socket): void {
  if (!socket.destroyed && !socket.writableEnded) socket.destroy()
}

/** A client from the cluster's own loopback addresses keeps its address; 127.0.0.1 is what connect() uses anyway. */
function sourceFor(address: string): string | undefined {
  return address.startsWith('127.') && address !== '127.0.0.1' ? address : undefined
}
