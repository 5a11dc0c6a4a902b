/**
 * The networks of the Docker API and who is on them; persisted in `<root>/networks.json`.
 *
 * A dynamic address belongs to a container while it runs, as in Docker: attach() at the start, detach() at the end.
 * Endpoints of containers that no longer run are forgotten when the runtime starts.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { randomHex } from '@dinghy/shared/api/ids'
import type { Clock } from '@dinghy/shared/api/clock'
import { badParameter, conflict, DockerError, notFound } from '@dinghy/shared/docker/errors'
import type { EventBus } from '../events.ts'
import {
  allocate,
  chooseSubnet,
  contains,
  formatAddress,
  formatSubnet,
  overlap,
  parseAddress,
  parseSubnet,
} from './ipam.ts'
import type { Subnet } from './ipam.ts'
import { macOf } from './bridge/links.ts'
import { checkNetworkOptions, type NetworkRequest } from './network-options.ts'
import { kindOf, type AddressSpace, type Attachment, type Network } from './network.ts'
import { formatMs } from '../timestamps.ts'

/** What a container wants of a network, and what it had if it has been running all along. */
export interface AttachRequest {
  id: string
  name: string
  requestedIp?: string
  requestedMac?: string
  endpointId?: string
}

/** Which address space serves which driver of `docker network create`; `bridge` is also the default. */
export type Spaces = Record<'bridge' | 'loopback', AddressSpace>

function rangeWithin(subnet: string, range: string): string {
  const parsed = parseSubnet(range)
  if (!contains(parseSubnet(subnet), parsed.first)) {
    throw badParameter(`invalid network config: invalid ip-range ${range}: it is not within ${subnet}`)
  }
  return range
}

/** Older files lack what bridges brought. */
function withNewFields(network: Network): Network {
  for (const [id, endpoint] of Object.entries(network.endpoints)) {
    network.endpoints[id] = { ...endpoint, mac: endpoint.mac ?? '', interface: endpoint.interface ?? '' }
  }
  return network
}

function newId(): string {
  return randomHex(64)
}

export class Networks {
  readonly #file: string
  readonly #clock: Clock
  readonly #events: EventBus
  readonly #spaces: Spaces
  readonly #networks = new Map<string, Network>()

  constructor(options: { file: string; clock: Clock; events: EventBus; spaces: Spaces }) {
    this.#file = options.file
    this.#clock = options.clock
    this.#events = options.events
    this.#spaces = options.spaces
    const stored = existsSync(this.#file) ? (JSON.parse(readFileSync(this.#file, 'utf8')) as Network[]) : []
    for (const network of stored) this.#networks.set(network.id, withNewFields(network))
    if (stored.length === 0) this.#createPredefined()
  }

  list(): Network[] {
    return [...this.#networks.values()]
  }

  /** By name, id or unambiguous beginning of an id. */
  get(reference: string): Network {
    const found = this.find(reference)
    if (found === undefined) throw notFound(`network ${reference} not found`)
    return found
  }

  /** The same; undefined if there is none. */
  find(reference: string): Network | undefined {
    const all = this.list()
    const exact = all.find(({ id, name }) => id === reference || name === reference)
    if (exact !== undefined) return exact
    const matching = all.filter(({ id }) => reference !== '' && id.startsWith(reference))
    if (matching.length > 1)
      throw badParameter(`network ${reference} is ambiguous (${matching.length} matches found on ID prefix)`)
    return matching[0]
  }

  create(request: NetworkRequest): Network {
    const { Name: name = '', Driver: driver = '', IPAM } = request
    if (name.trim() === '') throw badParameter('invalid network name: name is empty')
    if (this.list().some((network) => network.name === name)) {
      throw conflict(`network with name ${name} already exists`)
    }
    if (driver === 'host' || driver === 'null') {
      throw new DockerError(403, `only one instance of "${driver}" network is allowed`)
    }
    if (!['', 'default', 'bridge', 'loopback'].includes(driver)) {
      throw notFound(`could not find plugin ${driver} in v1 plugin registry: plugin "${driver}" not found`)
    }
    checkNetworkOptions(request)
    const config = IPAM?.Config?.find((entry) => entry.Subnet !== undefined && entry.Subnet !== '')
    const space = this.#spaces[driver === 'loopback' ? 'loopback' : 'bridge']
    const subnet = config?.Subnet ?? this.#freeSubnet(space)
    this.#checkSubnet(space, subnet)
    const network = this.#make({
      name,
      driver: driver === '' || driver === 'default' ? 'bridge' : driver,
      subnet: formatSubnet(parseSubnet(subnet)),
      isSubnetChosen: config === undefined,
      ...(config?.Gateway !== undefined && config.Gateway !== '' ? { gateway: config.Gateway } : {}),
      ...(config?.IPRange ? { ipRange: rangeWithin(subnet, config.IPRange) } : {}),
      ...(config?.AuxiliaryAddresses ? { reserved: config.AuxiliaryAddresses } : {}),
      internal: request.Internal ?? false,
      attachable: request.Attachable ?? false,
      enableIPv6: request.EnableIPv6 ?? false,
      labels: request.Labels ?? {},
      options: request.Options ?? {},
      ipamDriver: IPAM?.Driver ?? 'default',
      ipamOptions: IPAM?.Options ?? null,
    })
    this.#save()
    this.#events.publish('network', 'create', network.id, { name, type: network.driver })
    return network
  }

  remove(reference: string): void {
    const network = this.get(reference)
    if (network.predefined) throw new DockerError(403, `${network.name} is a pre-defined network and cannot be removed`)
    const users = Object.keys(network.endpoints).length
    if (users > 0) {
      const names = Object.values(network.endpoints).map(
        ({ name, endpointId }) => `name:"${name}" id:"${endpointId.slice(0, 12)}"`,
      )
      throw new DockerError(
        403,
        `error while removing network: network ${network.name} has active endpoints (${names.join(', ')})`,
      )
    }
    this.#networks.delete(network.id)
    this.#save()
    this.#events.publish('network', 'destroy', network.id, { name: network.name, type: network.driver })
  }

  /** Gives the container an address on the network; the one it has if it is attached already. */
  attach(reference: string, container: AttachRequest): Attachment & { network: Network } {
    const network = this.get(reference)
    const existing = network.endpoints[container.id]
    if (existing !== undefined) return { ...existing, network }
    const ip = this.#allocate(network, container.requestedIp)
    const isBridge = kindOf(network) === 'bridge'
    const attachment = {
      ip,
      mac: isBridge ? container.requestedMac || macOf(ip) : '',
      interface: isBridge ? this.#freeInterface(container.id) : '',
      endpointId: container.endpointId || newId(),
    }
    network.endpoints[container.id] = { ...attachment, name: container.name }
    // Without an address there is nothing that could be given to another.
    if (ip !== '') this.#save()
    this.#events.publish('network', 'connect', network.id, {
      container: container.id,
      name: network.name,
      type: network.driver,
    })
    return { ...attachment, network }
  }

  /**
   * Idempotent. That a container which has ended is off its networks need not be saved: retain() finds it out at the
   * next start.
   */
  detach(reference: string, containerId: string, hasEnded = false): void {
    const network = this.list().find(({ id, name }) => id === reference || name === reference)
    if (network === undefined || !(containerId in network.endpoints)) return
    delete network.endpoints[containerId]
    if (!hasEnded) this.#save()
    this.#events.publish('network', 'disconnect', network.id, {
      container: containerId,
      name: network.name,
      type: network.driver,
    })
  }

  rename(containerId: string, name: string): void {
    for (const network of this.list()) {
      const endpoint = network.endpoints[containerId]
      if (endpoint !== undefined) endpoint.name = name
    }
    this.#save()
  }

  /** Drops the endpoints of containers that do not run any more. */
  retain(running: ReadonlySet<string>): void {
    for (const network of this.list()) {
      for (const id of Object.keys(network.endpoints)) if (!running.has(id)) delete network.endpoints[id]
    }
    this.#followMode()
    this.#save()
  }

  /** For a network that nobody is on: its subnet is needed elsewhere. */
  chooseAnotherSubnet(network: Network, refused: Subnet[]): void {
    this.#setSubnet(network, this.#freeSubnet(this.#spaces.bridge, refused))
    this.#save()
  }

  /** Undefined: nobody answers for the names of its members. */
  setDnsPort(network: Network, port: number | undefined): void {
    if (network.dnsPort === port) return
    if (port === undefined) delete network.dnsPort
    else network.dnsPort = port
    this.#save()
  }

  /** The default network becomes what the mode in force makes of it, once nobody is on it. */
  #followMode(): void {
    const bridge = this.list().find(({ name, predefined }) => predefined && name === 'bridge')
    if (bridge === undefined || kindOf(bridge) === this.#spaces.bridge.name) return
    if (Object.keys(bridge.endpoints).length === 0) this.#setSubnet(bridge, this.#freeSubnet(this.#spaces.bridge))
  }

  #setSubnet(network: Network, subnet: string): void {
    network.subnet = subnet
    network.gateway = formatAddress(parseSubnet(subnet).first + 1)
  }

  #freeInterface(containerId: string): string {
    const taken = new Set(this.list().map(({ endpoints }) => endpoints[containerId]?.interface))
    for (let index = 0; ; index++) if (!taken.has(`eth${index}`)) return `eth${index}`
  }

  #allocate(network: Network, requested: string | undefined): string {
    if (network.subnet === '') return ''
    const { endpoints, gateway, reserved = {}, subnet, ipRange = subnet } = network
    const taken = [...Object.values(endpoints).map(({ ip }) => ip), gateway, ...Object.values(reserved)]
    const all = new Set(taken.filter((ip) => ip !== '').map(parseAddress))
    return formatAddress(allocate(parseSubnet(subnet), all, requested, parseSubnet(ipRange)))
  }

  #freeSubnet(space: AddressSpace, refused: Subnet[] = []): string {
    const used = this.list().flatMap(({ subnet }) => (subnet === '' ? [] : [parseSubnet(subnet)]))
    return formatSubnet(chooseSubnet([...space.pools()].map(parseSubnet), [...used, ...space.taken(), ...refused]))
  }

  #checkSubnet(space: AddressSpace, subnet: string): void {
    space.check(subnet)
    const wanted = parseSubnet(subnet)
    const clash = this.list().find((network) => network.subnet !== '' && overlap(parseSubnet(network.subnet), wanted))
    if (clash !== undefined) {
      throw new DockerError(403, `invalid pool request: Pool overlaps with other one on this address space`)
    }
  }

  #make(options: Partial<Network> & { name: string; driver: string; subnet: string }): Network {
    const { subnet } = options
    const gateway = options.gateway ?? (subnet === '' ? '' : formatAddress(parseSubnet(subnet).first + 1))
    if (gateway !== '' && !contains(parseSubnet(subnet), parseAddress(gateway))) {
      throw badParameter(`invalid network config: no matching subnet for gateway ${gateway}`)
    }
    const network: Network = {
      id: newId(),
      createdAt: formatMs(this.#clock.now()),
      internal: false,
      attachable: false,
      enableIPv6: false,
      labels: {},
      options: {},
      ipamDriver: 'default',
      ipamOptions: null,
      predefined: false,
      ...options,
      gateway,
      endpoints: {},
    }
    this.#networks.set(network.id, network)
    return network
  }

  #createPredefined(): void {
    const subnet = this.#freeSubnet(this.#spaces.bridge)
    this.#make({ name: 'bridge', driver: 'bridge', subnet, isSubnetChosen: true, predefined: true })
    this.#make({ name: 'host', driver: 'host', subnet: '', predefined: true })
    this.#make({ name: 'none', driver: 'null', subnet: '', predefined: true })
    this.#save()
  }

  #save(): void {
    writeFileSync(`${this.#file}.tmp`, JSON.stringify(this.list()))
    renameSync(`${this.#file}.tmp`, this.#file)
  }
}
