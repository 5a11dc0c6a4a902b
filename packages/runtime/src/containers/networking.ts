/**
 * What a container gets of the networks: addresses, interfaces, published ports, the files in /etc that go with them.
 *
 * All networks of a container are of one kind: on bridge networks it has a network namespace of its own, on loopback
 * networks it shares the machine's.
 */
import { badParameter, conflict, DockerError, serverError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { Driver, Running } from '../drivers/driver.ts'
import type { Mount } from '../snapshots/mount.ts'
import type { NetworkInterface } from '../networks/network-interface.ts'
import type { Bridges } from '../networks/bridge/bridges.ts'
import { gatewayOf, interfacesOf, portName, type Plugged } from '../networks/bridge/interfaces.ts'
import { readTraffic, type Traffic } from '../networks/bridge/machine-links.ts'
import type { NameServers } from '../networks/name-servers.ts'
import { kindOf, type Network, type NetworkKind } from '../networks/network.ts'
import type { Networks } from '../networks/networks.ts'
import type { PortProxies } from '../networks/port-proxy.ts'
import { publishRequests } from '../networks/ports.ts'
import type { Container } from './container.ts'
import { inOrder, newEndpoint } from './endpoint.ts'
import { aliasesOf, linkVariables } from './links.ts'
import { NetworkFiles } from './network-files.ts'
import { namespaceFileOf, requireNamespace } from './network-namespace-file.ts'
import type { ContainerRecord, Endpoint } from './record.ts'
import { hasProcess } from './state.ts'

/** Where the Node preload is inside containers. */
const preloadTarget = '/.dinghy/preload.cjs'
const prefixOf = /\/(\d+)$/

/** What it takes of the bridges of this machine. */
export type Cables = Pick<Bridges, 'ensure' | 'plug' | 'unplug' | 'reroute' | 'discard'>

export interface Networked {
  mounts: Mount[]
  env: string[]
  hostname: string
  /** It has a network namespace of its own, or shares that of a container which has. */
  isolated: boolean
  interfaces: NetworkInterface[]
}

export class Networking {
  readonly #networks: Networks
  readonly #bridges: Cables | undefined
  readonly #nameServers: Pick<NameServers, 'open'> | undefined
  readonly #proxies: PortProxies
  readonly #preload: string
  readonly #all: () => Container[]
  readonly #files: NetworkFiles
  readonly #isAlive: (running: Running) => boolean

  /**
   * `all` lists the containers, `preload` is the shim's file on this machine. No bridges: only loopback networks work;
   * no name servers: names are in /etc/hosts.
   */
  constructor(options: {
    networks: Networks
    bridges: Cables | undefined
    nameServers?: Pick<NameServers, 'open'> | undefined
    proxies: PortProxies
    preload: string
    driver: Pick<Driver, 'isAlive'>
    all: () => Container[]
  }) {
    this.#isAlive = (running) => options.driver.isAlive(running)
    this.#networks = options.networks
    this.#bridges = options.bridges
    this.#nameServers = options.nameServers
    this.#proxies = options.proxies
    this.#preload = options.preload
    this.#all = options.all
    this.#files = new NetworkFiles({
      all: options.all,
      // On several loopback networks it has several addresses, but a Node program of it listens on the first: see
      // preload.cjs.
      addressOn: (record, name) =>
        this.hasOwnNamespace(record) ? (record.networks[name]?.IPAddress ?? '') : this.addressOf(record),
      hasOwnNamespace: (record) => this.hasOwnNamespace(record),
      gatewayOf: (name) => this.#networks.find(name)?.gateway ?? '',
      hasNameServer: (name) => this.#networks.find(name)?.dnsPort !== undefined,
    })
  }

  /** Addresses, ports and files for a container that is about to start. Undo with `release`. */
  async acquire(container: Container): Promise<Networked> {
    const { record } = container
    const namespaceFile = namespaceFileOf(record.hostConfig.NetworkMode)
    if (namespaceFile !== undefined) requireNamespace(namespaceFile)
    for (const name of inOrder(record)) {
      const network = this.#networks.find(name)
      if (network === undefined) {
        throw serverError(`failed to set up container networking: network ${name} not found`)
      }
      this.#checkKind(record, network)
      await this.#ensureBridge(network)
      this.#attach(container, name)
    }
    await this.publish(container)
    const shared = this.#sharedWith(record)
    this.#files.write(container)
    this.refresh(record)
    const preload: Mount = { type: 'bind', source: this.#preload, target: preloadTarget, readOnly: true }
    const mounts = this.#files.mounts(container, shared ?? container)
    return {
      mounts: this.#pinOf(record).length === 0 ? mounts : [...mounts, preload],
      env: this.envOf(record),
      hostname: (shared?.record ?? record).config.Hostname,
      isolated: this.hasOwnNamespace(record),
      interfaces: this.#interfacesOf(record),
    }
  }

  /** For a container that kept running: notes the addresses that it was given, should the note have been lost. */
  reacquire(container: Container): void {
    for (const name of inOrder(container.record)) this.#attach(container, name, true)
  }

  /** Likewise, opens anew its published ports and the name servers that it asks. */
  async reopen(container: Container): Promise<void> {
    const { running } = container.state
    const networks = this.#pluggedOf(container.record).map(({ network }) => network)
    const moved = await Promise.all(networks.map((network) => this.#openNameServer(network)))
    if (running !== undefined && moved.includes(true)) {
      await this.#bridges?.reroute(running.pid, this.#interfacesOf(container.record))
      this.refresh(container.record)
    }
    await this.publish(container)
  }

  /** Gives everything back. Idempotent. */
  async release(container: Container): Promise<void> {
    const { record } = container
    await this.#proxies.unpublish(record.id)
    const ports = this.#pluggedOf(record)
      .flatMap(({ network }) => network.endpoints[record.id] ?? [])
      .map(portName)
    // Nobody has to wait for it: the next one that is plugged in does.
    if (this.#bridges !== undefined) void this.#bridges.discard(ports)
    for (const [name, endpoint] of Object.entries(record.networks)) {
      this.#networks.detach(name, record.id, true)
      Object.assign(endpoint, { EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0, MacAddress: '' })
    }
    this.#files.forget(container)
    this.#files.refreshOthers(record)
  }

  /** Forgets the endpoints of all other containers. */
  retain(running: ReadonlySet<string>): void {
    this.#networks.retain(running)
  }

  /** Variables of its links, as far as it has none of these names, and those of its address. */
  envOf(record: ContainerRecord): string[] {
    const own = new Set(record.config.Env.map((entry) => entry.split('=', 1)[0]))
    const linked = this.#linkVariables(record).filter((entry) => !own.has(entry.split('=', 1)[0]))
    return [...linked, ...this.#pinOf(record)]
  }

  /** On the default network, of those that run. */
  #linkVariables({ name, hostConfig, networks }: ContainerRecord): string[] {
    const links = hostConfig.Links ?? []
    if (links.length === 0 || networks['bridge'] === undefined) return []
    return this.#all().flatMap(({ record: other }) => {
      const ip = other.networks['bridge']?.IPAddress ?? ''
      if (ip === '' || !hasProcess(other.state.status)) return []
      return aliasesOf(other, links).flatMap((alias) => linkVariables(name, alias, ip, other.config))
    })
  }

  /** Ties the container's programs to its address, where it is one of many in the machine's namespace. */
  #pinOf(record: ContainerRecord): string[] {
    const ip = this.addressOf(record)
    if (ip === '' || this.hasOwnNamespace(record)) return []
    const own = record.config.Env.findLast((entry) => entry.startsWith('NODE_OPTIONS='))?.slice('NODE_OPTIONS='.length)
    return [`DINGHY_IP=${ip}`, `NODE_OPTIONS=${own === undefined ? '' : `${own} `}--require=${preloadTarget}`]
  }

  /** The container's address, or that of the container whose network it shares; empty without one. */
  addressOf(record: ContainerRecord): string {
    const shared = this.#sharedWith(record)
    if (shared !== undefined) return this.addressOf(shared.record)
    const primary = record.networks[record.hostConfig.NetworkMode]
    return (
      primary?.IPAddress || (Object.values(record.networks).find(({ IPAddress }) => IPAddress !== '')?.IPAddress ?? '')
    )
  }

  /** Its own or that of the container whose network it shares. */
  hasOwnNamespace(record: ContainerRecord): boolean {
    const owner = this.#sharedWith(record)?.record ?? record
    if (namespaceFileOf(owner.hostConfig.NetworkMode) !== undefined) return true
    const kind = this.#kindOf(owner) ?? (this.#bridges === undefined ? 'loopback' : 'bridge')
    return kind === 'bridge' || kind === 'none'
  }

  async publish(container: Container): Promise<void> {
    const { record } = container
    const { PortBindings, PublishAllPorts } = record.hostConfig
    const requests = publishRequests(PortBindings, Object.keys(record.config.ExposedPorts ?? {}), PublishAllPorts)
    const ip = this.#publishedAddressOf(record)
    if (requests.length === 0 || ip === '') return
    try {
      await this.#proxies.publish(record.id, ip, requests)
    } catch (error) {
      const endpoint = Object.values(record.networks)[0]?.EndpointID ?? ''
      throw serverError(
        `failed to set up container networking: driver failed programming external connectivity on endpoint ${record.name} (${endpoint}): ${messageOf(error)}`,
        error,
      )
    }
  }

  /** What went through its interfaces; of a namespace that is not the machine's. */
  trafficOf({ record, state }: Container): Record<string, Traffic> {
    if (state.running === undefined || !this.hasOwnNamespace(record)) return {}
    return readTraffic(state.running.pid)
  }

  /** Call it through the container's `exclusive`, so that it does not meet a start or an end. */
  async connect(container: Container, reference: string, config: Partial<Endpoint> = {}): Promise<void> {
    const { record } = container
    const network = this.#networks.get(reference)
    const isRunning = hasProcess(record.state.status)
    if (record.hostConfig.NetworkMode.startsWith('container:')) {
      throw conflict(
        'container sharing network namespace with another container or host cannot be connected to any other network',
      )
    }
    const namespaceFile = namespaceFileOf(record.hostConfig.NetworkMode)
    if (record.hostConfig.NetworkMode === 'host' || network.name === 'host' || namespaceFile !== undefined) {
      throw conflict('container cannot be connected to host network')
    }
    if (network.name in record.networks && isRunning) {
      throw new DockerError(403, `endpoint with name ${record.name} already exists in network ${network.name}`)
    }
    this.#checkKind(record, network)
    const endpoint = newEndpoint(record, network, config)
    record.networks[network.name] = endpoint
    if (isRunning) {
      try {
        await this.#ensureBridge(network)
        this.#attach(container, network.name)
        await this.#plug(container, network)
        await this.#republish(container)
      } catch (error) {
        this.#networks.detach(network.name, record.id)
        delete record.networks[network.name]
        if (!(await this.#endsNow(container))) throw error
        // It ended meanwhile, so it joins as what does not run.
        return this.connect(container, reference, config)
      }
    }
    container.save()
    this.refresh(record)
  }

  /** Through the container's `exclusive`, too. */
  async disconnect(container: Container, reference: string): Promise<void> {
    const { record } = container
    const network = this.#networks.get(reference)
    if (network.name === 'host')
      throw conflict('container cannot be disconnected from host network or connected to host network')
    if (!(network.name in record.networks)) {
      throw conflict(`container ${record.id} is not connected to network ${network.name}`)
    }
    const endpoint = network.endpoints[record.id]
    const before = structuredClone(record)
    delete record.networks[network.name]
    const { running } = record.state
    if (this.#bridges !== undefined && endpoint !== undefined && endpoint.interface !== '' && running !== undefined) {
      try {
        await this.#bridges.unplug(running.pid, portName(endpoint), this.#interfacesOf(record))
      } catch (error) {
        // With its namespace its interfaces have gone.
        if (!(await this.#endsNow(container))) throw error
      }
    }
    this.#networks.detach(network.name, record.id)
    if (record.state.running !== undefined) await this.#republish(container)
    container.save()
    this.#files.write(container)
    this.refresh(before)
  }

  /** Whether its process is gone. Resolves when its end has been dealt with. */
  async #endsNow({ state, ended }: Container): Promise<boolean> {
    if (state.running !== undefined && this.#isAlive(state.running)) return false
    await ended
    return true
  }

  /** Rewrites the hosts files of the running containers that share a network with this one, and its own. */
  refresh(record: ContainerRecord): void {
    this.#files.refresh(record)
  }

  /** Undefined when it has been taken off all its networks, and the one it was made for is gone. */
  #kindOf(record: ContainerRecord): NetworkKind | undefined {
    const [name = record.hostConfig.NetworkMode] = Object.keys(record.networks)
    const network = this.#networks.find(name)
    return network && kindOf(network)
  }

  /** A container is in one namespace: its own, or the machine's. */
  #checkKind(record: ContainerRecord, network: Network): void {
    const kind = kindOf(network)
    const other = this.#kindOf(record)
    if (other === undefined || kind === other) return
    if (kind === 'none' || other === 'none') {
      throw badParameter(
        'container cannot be connected to multiple networks with one of the networks in private (none) mode',
      )
    }
    throw badParameter(
      `container ${record.name} cannot be connected to ${network.name}: it is a ${kind} network, and those of the container are not`,
    )
  }

  /** On bridges it is the network that leads out through which others come in; an internal one has no such thing. */
  #publishedAddressOf(record: ContainerRecord): string {
    if (record.hostConfig.NetworkMode.startsWith('container:')) return ''
    if (this.#kindOf(record) !== 'bridge') return this.addressOf(record)
    const way = gatewayOf(this.#pluggedOf(record))
    return way === undefined ? '' : (record.networks[way.name]?.IPAddress ?? '')
  }

  /** After a change of its networks. */
  async #republish(container: Container): Promise<void> {
    const { record } = container
    const ip = this.#publishedAddressOf(record)
    if (ip === '') await this.#proxies.unpublish(record.id)
    else if (this.#proxies.published(record.id).length > 0) this.#proxies.retarget(record.id, ip)
    else await this.publish(container)
  }

  async #ensureBridge(network: Network): Promise<void> {
    if (kindOf(network) !== 'bridge') return
    if (this.#bridges === undefined) {
      throw serverError(`network ${network.name} (${network.subnet}) needs a bridge, but this runtime makes none`)
    }
    await this.#bridges.ensure(network)
    await this.#proxies.addGateway(network.gateway)
    await this.#openNameServer(network)
  }

  /** On the default network nobody is known by name. Resolves to whether those who run must be told where it is. */
  async #openNameServer(network: Network): Promise<boolean> {
    return !network.predefined && ((await this.#nameServers?.open(network)) ?? false)
  }

  async #plug({ state, record }: Container, network: Network): Promise<void> {
    const name = network.endpoints[record.id]?.interface
    const added = this.#interfacesOf(record).find((each) => each.name === name)
    if (added !== undefined && state.running !== undefined) await this.#bridges?.plug(state.running.pid, added)
  }

  #interfacesOf(record: ContainerRecord): NetworkInterface[] {
    return interfacesOf(record.id, this.#pluggedOf(record))
  }

  /** Its bridge networks. */
  #pluggedOf(record: ContainerRecord): Plugged[] {
    return Object.entries(record.networks).flatMap(([name, { GwPriority: priority = 0 }]) => {
      const network = this.#networks.find(name)
      return network === undefined || kindOf(network) !== 'bridge' ? [] : [{ network, priority }]
    })
  }

  /** `isKept`: with what it has already, because it kept running while the runtime did not. */
  #attach({ record }: Container, name: string, isKept = false): void {
    const endpoint = record.networks[name]
    if (endpoint === undefined) return
    const kept = isKept ? endpoint : { IPAddress: '', MacAddress: '', EndpointID: '' }
    const { id, config } = record
    const isPrimary = name === record.hostConfig.NetworkMode
    const { ip, mac, endpointId, network } = this.#networks.attach(name, {
      id,
      name: record.name,
      requestedIp: kept.IPAddress || (endpoint.IPAMConfig?.IPv4Address ?? ''),
      requestedMac: kept.MacAddress || endpoint.DesiredMacAddress || (isPrimary ? (config.MacAddress ?? '') : ''),
      endpointId: kept.EndpointID,
    })
    const isDeadEnd = kindOf(network) === 'bridge' && network.internal
    Object.assign(endpoint, {
      NetworkID: network.id,
      EndpointID: endpointId,
      Gateway: isDeadEnd ? '' : network.gateway,
      IPAddress: ip,
      IPPrefixLen: Number(prefixOf.exec(network.subnet)?.[1] ?? 0),
      MacAddress: mac,
    })
  }

  #sharedWith({ hostConfig }: ContainerRecord): Container | undefined {
    if (!hostConfig.NetworkMode.startsWith('container:')) return undefined
    const reference = hostConfig.NetworkMode.slice('container:'.length)
    const other = this.#all().find(({ id, name }) => id === reference || name === reference || id.startsWith(reference))
    if (other === undefined)
      throw serverError(`joining network namespace of container: No such container: ${reference}`)
    return other
  }
}
