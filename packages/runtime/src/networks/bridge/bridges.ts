/**
 * The Linux bridges of this runtime: made when the first container needs one, removed with their network, or when the
 * runtime stops and nobody is plugged in. A bridge says whose it is (`ip link show` prints it as its alias), so that
 * what a killed runtime left is found again.
 *
 * Order: a bridge is made before the rules that mention it and removed after them. So where there is no bridge of ours,
 * there is no table of ours either.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import type { Logger } from '@dinghy/shared/process/logger'
import { DockerError, serverError } from '@dinghy/shared/docker/errors'
import type { NetworkInterface } from '../network-interface.ts'
import { rulesetOf, type BridgeRules } from './firewall.ts'
import { overlap, parseSubnet, type Subnet } from '../ipam.ts'
import { bridgeName, hasIcc, mtuOf, option, portName } from './interfaces.ts'
import { aliasOf, bridgeBatch, interfaceBatch, nameServerRules, portBatch, routes } from './links.ts'
import { readLinkNames, readRoutes } from './machine-links.ts'
import { kindOf, type Network } from '../network.ts'
import type { Networks } from '../networks.ts'
import { runTool } from '../run-tool.ts'

const forwarding = '/proc/sys/net/ipv4/ip_forward'
/** The kernel's limit for the name of an interface. */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/

export class Bridges {
  readonly #networks: Networks
  readonly #log: Logger
  readonly #owner: string
  readonly #table: string
  readonly #canMasquerade: boolean
  /** Ids of the networks whose bridges are there. */
  readonly #made = new Set<string>()
  readonly #unplugging = new Set<Promise<void>>()
  #tail: Promise<unknown> = Promise.resolve()

  constructor(options: { root: string; networks: Networks; log: Logger; canMasquerade: boolean }) {
    this.#networks = options.networks
    this.#log = options.log
    this.#canMasquerade = options.canMasquerade
    this.#table = `dinghy-${createHash('sha256').update(options.root).digest('hex').slice(0, 8)}`
    this.#owner = aliasOf(`${this.#table} ${options.root}`)
  }

  /**
   * Makes the bridge of a network, unless it is there. It may give the network another subnet, if nobody asked for the
   * one it has and this machine has a route to it by now.
   */
  async ensure(network: Network): Promise<void> {
    // An address is not given again before the cable of its last owner is gone.
    await Promise.all(this.#unplugging)
    await this.#exclusive(async () => {
      if (this.#made.has(network.id) && readLinkNames().has(bridgeName(network))) return
      await this.#create(network)
      this.#made.add(network.id)
      await this.#applyRules().catch(async (error: unknown) => {
        this.#made.delete(network.id)
        await deleteBridges([bridgeName(network)])
        throw error
      })
    })
  }

  /** Idempotent. Nobody may be plugged in. */
  async remove(network: Network): Promise<void> {
    await this.#exclusive(() => this.#remove([network]))
  }

  /** Plugs the namespace of a running process in, or leaves it as it was. */
  async plug(pid: number, added: NetworkInterface): Promise<void> {
    try {
      await ip(portBatch([added], `/proc/${pid}/ns/net`))
      await ip(interfaceBatch([added]), pid)
      await nft(nameServerRules([added]), pid)
    } catch (error) {
      await this.discard([added.port])
      throw error
    }
  }

  /** What a container loses while it runs; the rest gets the way out, and that to the name server. */
  async unplug(pid: number, port: string, remaining: NetworkInterface[]): Promise<void> {
    await this.discard([port])
    await this.reroute(pid, remaining)
  }

  /** Says again where the way out is, and the name server. */
  async reroute(pid: number, interfaces: NetworkInterface[]): Promise<void> {
    const lines = routes(interfaces)
    if (lines.length > 0) await ip(`${lines.join('\n')}\n`, pid)
    await nft(nameServerRules(interfaces, this.#canMasquerade), pid)
  }

  /**
   * Pulls the cables of a container that has ended. The kernel does the same when its last process is gone, but takes
   * its time, and others may have joined its namespace.
   */
  discard(ports: string[]): Promise<void> {
    const present = readLinkNames()
    const batch = ports.filter((port) => present.has(port)).map((port) => `link del dev ${port}\n`)
    if (batch.length === 0) return Promise.resolve()
    const done = ip(batch.join(''), undefined, ['-force'])
      .catch((error: unknown) => {
        // Gone meanwhile: the kernel was faster.
        if (!String(error).includes('Cannot find device')) this.#log.warn({ err: error }, 'could not remove a veth')
      })
      .finally(() => this.#unplugging.delete(done))
    this.#unplugging.add(done)
    return done
  }

  /** At start-up, when it is known who still runs: removes what an earlier runtime left behind. */
  async sweep(): Promise<void> {
    await this.#exclusive(async () => {
      const links = JSON.parse(await runTool('ip', ['-json', 'link', 'show'], '')) as Link[]
      const ours = links.filter(({ ifalias }) => ifalias === this.#owner).map(({ ifname }) => ifname)
      const known = new Map(this.#bridged().map((network) => [bridgeName(network), network]))
      for (const name of ours) {
        const network = known.get(name)
        if (network !== undefined) this.#made.add(network.id)
      }
      const ports = new Set(this.#bridged().flatMap(({ endpoints }) => Object.values(endpoints).map(portName)))
      const stale = links.filter(({ ifname, master }) => ours.includes(master ?? '') && !ports.has(ifname))
      await this.discard(stale.map(({ ifname }) => ifname))
      const unused = this.#unused()
      const unknown = ours.filter((name) => !known.has(name))
      if (ours.length === 0) return
      for (const network of unused) this.#made.delete(network.id)
      await this.#applyRules()
      await deleteBridges([...unknown, ...unused.map(bridgeName)])
    })
  }

  /** The runtime stops: leaves only what running containers need. */
  async close(): Promise<void> {
    await Promise.all(this.#unplugging)
    await this.#exclusive(() => this.#remove(this.#unused()))
  }

  #bridged(): Network[] {
    return this.#networks.list().filter((network) => kindOf(network) === 'bridge')
  }

  #unused(): Network[] {
    return this.#bridged().filter(({ id, endpoints }) => this.#made.has(id) && Object.keys(endpoints).length === 0)
  }

  async #remove(networks: Network[]): Promise<void> {
    const made = networks.filter(({ id }) => this.#made.has(id))
    if (made.length === 0) return
    await Promise.all(this.#unplugging)
    for (const { id } of made) this.#made.delete(id)
    await this.#applyRules(made)
    await deleteBridges(made.map(bridgeName))
  }

  async #create(network: Network): Promise<void> {
    const name = bridgeName(network)
    if (!namePattern.test(name)) throw serverError(`invalid name of a bridge: ${name}`)
    if (readLinkNames().has(name)) throw serverError(`the name of the bridge, ${name}, is used by something else`)
    const refused: Subnet[] = []
    for (;;) {
      const subnet = parseSubnet(network.subnet)
      const isFree = !readRoutes().some((route) => overlap(route, subnet))
      if (isFree && (await this.#tryCreate(network, name))) return
      refused.push(subnet)
      if (!network.isSubnetChosen || Object.keys(network.endpoints).length > 0) {
        throw new DockerError(403, 'invalid pool request: Pool overlaps with other one on this address space')
      }
      this.#networks.chooseAnotherSubnet(network, refused)
    }
  }

  /** False when another runtime has claimed the subnet at this moment. */
  async #tryCreate(network: Network, name: string): Promise<boolean> {
    const address = `${network.gateway}/${network.subnet.split('/')[1]}`
    try {
      await ip(bridgeBatch({ name, address, mtu: mtuOf(network), owner: this.#owner }))
      return true
    } catch (error) {
      await deleteBridges([name])
      if (String(error).includes('File exists')) return false
      throw error
    }
  }

  /** `leaving` are bridges about to be removed. */
  async #applyRules(leaving: Network[] = []): Promise<void> {
    if (!this.#canMasquerade) return
    const rules = this.#bridged()
      .filter((network) => this.#made.has(network.id) && !leaving.includes(network))
      .map(rulesFor)
    if (rules.some(({ masquerade }) => masquerade)) this.#enableForwarding()
    await runTool('nft', ['-f', '-'], rulesetOf(this.#table, rules))
  }

  #enableForwarding(): void {
    if (readFileSync(forwarding, 'utf8').trim() === '1') return
    writeFileSync(forwarding, '1')
    this.#log.info('switched IPv4 forwarding on (net.ipv4.ip_forward), as containers on bridges need it')
  }

  #exclusive<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(operation, operation)
    // The caller hears of a failure; the next in line starts all the same.
    this.#tail = result.catch(() => undefined)
    return result
  }
}

interface Link {
  ifname: string
  master?: string
  ifalias?: string
}

function rulesFor(network: Network): BridgeRules {
  return {
    name: bridgeName(network),
    subnet: network.subnet,
    internal: network.internal,
    masquerade: !network.internal && option(network, 'bridge.enable_ip_masquerade') !== 'false',
    icc: hasIcc(network),
  }
}

async function deleteBridges(names: string[]): Promise<void> {
  const present = readLinkNames()
  const batch = names.filter((name) => present.has(name)).map((name) => `link del dev ${name}\n`)
  if (batch.length > 0) await ip(batch.join(''))
}

async function nft(rules: string, pid: number): Promise<void> {
  if (rules !== '') await runTool('nsenter', [`--net=/proc/${pid}/ns/net`, 'nft', '-f', '-'], rules)
}

/** Runs `ip -batch`, in the network namespace of `pid` if there is one. */
async function ip(batch: string, pid?: number, flags: string[] = []): Promise<void> {
  const command = ['ip', ...flags, '-batch', '-']
  const [program = '', ...args] = pid === undefined ? command : ['nsenter', `--net=/proc/${pid}/ns/net`, ...command]
  await runTool(program, args, batch)
}
