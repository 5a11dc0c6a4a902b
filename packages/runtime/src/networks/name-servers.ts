/**
 * The name server that containers on user-defined bridge networks find at 127.0.0.11, as in Docker.
 *
 *   container: 127.0.0.11:53 ─► rules of its own namespace (bridge/links.ts) ─► the gateway of one of its networks, at
 *   a port of ours ─► who asks? ─┬─► container-names.ts
 *                                └─► the forwarder: its --dns, or the machine's own name servers
 *
 * Docker's listens inside of each namespace. Ours listens once a network, so there is nothing of it in a container
 * that would end with the runtime: the next runtime takes the same port again, and the rules stay right. Who asks is
 * known by the address, on the network of that gateway; others (other networks, the machine, other machines) get no
 * answer, and a container that forges a neighbour's address does not get it either.
 */

import { readFileSync, statSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import { Forwarder } from '@dinghy/shared/dns/forwarder'
import { codes, makeReply, type Query, readQuery } from '@dinghy/shared/dns/reply'
import { nameServersIn } from '@dinghy/shared/dns/resolv-conf'
import { type DnsServer, listen } from '@dinghy/shared/dns/server'
import type { Logger } from '@dinghy/shared/process/logger'
import { type KnownNetwork, lookUp } from './container-names.ts'
import type { Network } from './network.ts'
import type { Networks } from './networks.ts'

/** A container that may ask. */
export interface Asker {
  id: string
  /** Its user-defined networks, in the order in which they are asked. */
  networks: KnownNetwork[]
  /** Of --dns; none: the machine's. */
  servers: string[]
  /** Whether anything it asks may leave the machine. */
  canLeave: boolean
  /** Names without a dot are not asked outside. */
  keepsDotless: boolean
}

interface Deps {
  networks: Pick<Networks, 'setDnsPort'>
  /** The container that has this address on this network. */
  askerAt: (network: Network, address: string) => Asker | undefined
  clock: Clock
  log: Logger
  signal: AbortSignal
  /** Of the machine; undefined reads them from /etc/resolv.conf. */
  machineServers?: () => string[]
}

interface Listening {
  address: string
  server: DnsServer
  /** It is not where containers that run already were told to ask. */
  hasMoved: boolean
}

const windowMs = 1000
const mostInWindow = 2000
/** Of one container, at a time. */
const mostForwarded = 64
/** Sets of name servers whose answers are remembered. */
const mostForwarders = 16
const attempts = 8

export class NameServers {
  readonly #deps: Deps
  readonly #machineServers: () => string[]
  /** By network id. */
  readonly #listening = new Map<string, Promise<Listening>>()
  readonly #forwarders = new Map<string, Forwarder>()
  readonly #forwarded = new Map<string, number>()
  #window = { startMs: 0, asked: new Map<string, number>() }

  constructor(deps: Deps) {
    this.#deps = deps
    this.#machineServers = deps.machineServers ?? machineServers()
  }

  /** Idempotent. The gateway must be an address of this machine. Resolves to whether the port is a new one. */
  async open(network: Network): Promise<boolean> {
    // One that could not be opened has said so to whoever wanted it.
    const before = await this.#listening.get(network.id)?.catch(() => undefined)
    if (before !== undefined && before.address !== network.gateway) await this.close(network)
    const opening = this.#listening.get(network.id) ?? this.#listen(network)
    this.#listening.set(network.id, opening)
    try {
      return (await opening).hasMoved
    } catch (error) {
      this.#listening.delete(network.id)
      throw error
    }
  }

  async close({ id }: Pick<Network, 'id'>): Promise<void> {
    const listening = this.#listening.get(id)
    this.#listening.delete(id)
    // One that could not be opened has said so to whoever wanted it.
    await (await listening?.catch(() => undefined))?.server.close()
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#listening.keys()].map((id) => this.close({ id })))
  }

  async #listen(network: Network): Promise<Listening> {
    const { networks, log } = this.#deps
    const { gateway: host, dnsPort = 0 } = network
    const resolver = { answer: (message: Buffer, from: string) => this.#answer(message, network, from) }
    for (let attempt = 0; ; attempt++) {
      try {
        const port = attempt === 0 ? dnsPort : 0
        const server = await listen({ host, port, resolver, connectionsOfOne: 20, log })
        const hasMoved = server.port !== dnsPort
        if (hasMoved) networks.setDnsPort(network, server.port)
        return { address: host, server, hasMoved }
      } catch (error) {
        // Somebody has taken the port, or has that of the same number for the other protocol.
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
        if (!isTaken || attempt === attempts) throw error
      }
    }
  }

  async #answer(message: Buffer, network: Network, from: string): Promise<{ query: Query; reply: Buffer } | undefined> {
    if (!this.#admits(`${network.id} ${from}`)) return undefined
    const asker = this.#deps.askerAt(network, from)
    const query = asker && readQuery(message)
    if (!query) return undefined
    return { query, reply: await this.#replyTo(query, asker) }
  }

  /** So much of somebody's questions that the others' can be answered, too. What is beyond is lost, as UDP may be. */
  #admits(key: string): boolean {
    const now = this.#deps.clock.now()
    if (now - this.#window.startMs >= windowMs) this.#window = { startMs: now, asked: new Map() }
    const asked = (this.#window.asked.get(key) ?? 0) + 1
    this.#window.asked.set(key, asked)
    return asked <= mostInWindow
  }

  async #replyTo(query: Query, asker: Asker): Promise<Buffer> {
    const { type } = query.question
    const name = query.question.name.replace(/\.$/, '')
    const outcome = lookUp(name, type, asker.networks)
    if (outcome !== 'elsewhere') return makeReply(query, { answers: shuffled(outcome.answers) })
    if (!asker.canLeave) return makeReply(query, { code: codes.serverFailure })
    const isDotless = !name.includes('.') && (type === 'A' || type === 'AAAA')
    // As Docker does: the client goes on with its search domains.
    if (isDotless && asker.keepsDotless) return makeReply(query, {})
    const found = await this.#forward(query, asker)
    // No name server of the world knows a name without a dot, so a machine without any can say as much.
    return found ?? makeReply(query, { code: isDotless ? codes.nameError : codes.serverFailure })
  }

  async #forward(query: Query, { id, servers }: Asker): Promise<Buffer | undefined> {
    const underWay = this.#forwarded.get(id) ?? 0
    if (underWay >= mostForwarded) return undefined
    this.#forwarded.set(id, underWay + 1)
    try {
      const upstreams = servers.length > 0 ? servers : this.#machineServers()
      return await this.#forwarderTo(upstreams).ask(query, this.#deps.signal)
    } finally {
      const left = (this.#forwarded.get(id) ?? 1) - 1
      if (left === 0) this.#forwarded.delete(id)
      else this.#forwarded.set(id, left)
    }
  }

  #forwarderTo(upstreams: string[]): Forwarder {
    const key = upstreams.join(' ')
    const { clock, log } = this.#deps
    const forwarder = this.#forwarders.get(key) ?? new Forwarder({ upstreams: new Map([['', upstreams]]), clock, log })
    // The one that was used last is the last to be forgotten.
    this.#forwarders.delete(key)
    this.#forwarders.set(key, forwarder)
    const [oldest] = this.#forwarders.keys()
    if (this.#forwarders.size > mostForwarders && oldest !== undefined) this.#forwarders.delete(oldest)
    return forwarder
  }
}

/** Reads the file again when it has changed: a laptop moves. At most three, as the C library does. */
function machineServers(path = '/etc/resolv.conf'): () => string[] {
  let known: { mtimeMs: number; servers: string[] } | undefined
  return () => {
    const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (mtimeMs === undefined) return []
    if (known?.mtimeMs !== mtimeMs) known = { mtimeMs, servers: nameServersIn(readFileSync(path, 'utf8')).slice(0, 3) }
    return known.servers
  }
}

/** Many clients take the first address. */
function shuffled<T>(values: T[]): T[] {
  const all = [...values]
  for (let i = all.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1))
    const [a, b] = [all[i], all[other]]
    if (a !== undefined && b !== undefined) [all[i], all[other]] = [b, a]
  }
  return all
}
