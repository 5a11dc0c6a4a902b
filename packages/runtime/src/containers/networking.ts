/**
 * What a container gets of the networks: addresses, the files in /etc that go with them, published ports.
 *
 * /etc/hosts, /etc/hostname and /etc/resolv.conf are files of the container's directory, mounted into it; the hosts
 * files of a network's running members are rewritten when one comes or goes, which is how names resolve.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { badParameter, conflict, serverError, messageOf } from '../docker/errors.ts'
import type { Mount } from '../drivers/driver.ts'
import { hostsFile, resolvConf, type HostEntry } from '../networks/hosts-file.ts'
import type { Network } from '../networks/network.ts'
import type { Networks } from '../networks/networks.ts'
import type { PortProxies } from '../networks/port-proxy.ts'
import { publishRequests } from '../networks/ports.ts'
import type { Container } from './container.ts'
import type { ContainerRecord, Endpoint } from './record.ts'
import { hasProcess } from './state.ts'

/** Where the Node preload is inside containers. */
const PRELOAD_TARGET = '/.dinghy/preload.cjs'
/** The files in /etc that are a container's own. */
const FILES = ['hosts', 'hostname', 'resolv.conf'] as const
const PREFIX_OF = /\/(\d+)$/

export interface Networked {
  mounts: Mount[]
  env: string[]
  hostname: string
  /** It has a network namespace of its own, in which there is nothing but itself. */
  isolated: boolean
}

export class Networking {
  readonly #networks: Networks
  readonly #proxies: PortProxies
  readonly #preload: string
  readonly #all: () => Container[]
  /** What this runtime has written into files of running containers: most refreshes change nothing. */
  readonly #written = new Map<string, string>()

  /** `all` lists the containers, `preload` is the shim's file on this machine. */
  constructor(options: { networks: Networks; proxies: PortProxies; preload: string; all: () => Container[] }) {
    this.#networks = options.networks
    this.#proxies = options.proxies
    this.#preload = options.preload
    this.#all = options.all
  }

  /** Addresses, ports and files for a container that is about to start. Undo with `release`. */
  async acquire(container: Container): Promise<Networked> {
    const { record } = container
    for (const [name, endpoint] of Object.entries(record.networks)) {
      if (this.#networks.find(name) === undefined) {
        throw serverError(`failed to set up container networking: network ${name} not found`)
      }
      this.#attach(container, name, endpoint)
    }
    await this.publish(container)
    const shared = this.#sharedWith(record)
    this.#writeFiles(container)
    this.refresh(record)
    return {
      mounts: this.#mounts(container, shared ?? container),
      env: this.envOf(record),
      hostname: (shared?.record ?? record).config.Hostname,
      isolated: this.isIsolated(record),
    }
  }

  /** For a container that kept running: notes the addresses that it was given, should the note have been lost. */
  reacquire(container: Container): void {
    for (const [name, endpoint] of Object.entries(container.record.networks)) this.#attach(container, name, endpoint)
  }

  /** Gives everything back. Idempotent. */
  async release(container: Container): Promise<void> {
    const { record } = container
    await this.#proxies.unpublish(record.id)
    for (const [name, endpoint] of Object.entries(record.networks)) {
      this.#networks.detach(name, record.id)
      Object.assign(endpoint, { EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0, MacAddress: '' })
    }
    for (const name of FILES) this.#written.delete(join(container.dir, name))
    this.#refreshOthers(record)
  }

  /** Forgets the endpoints of all other containers. */
  retain(running: ReadonlySet<string>): void {
    this.#networks.retain(running)
  }

  /** Variables that tie the container's programs to its address. */
  envOf(record: ContainerRecord): string[] {
    const ip = this.addressOf(record)
    if (ip === '') return []
    const own = record.config.Env.findLast((entry) => entry.startsWith('NODE_OPTIONS='))?.slice('NODE_OPTIONS='.length)
    return [`DINGHY_IP=${ip}`, `NODE_OPTIONS=${own === undefined ? '' : `${own} `}--require=${PRELOAD_TARGET}`]
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

  /** `--network none`, its own or that of the container whose network it shares. */
  isIsolated(record: ContainerRecord): boolean {
    return (this.#sharedWith(record)?.record ?? record).hostConfig.NetworkMode === 'none'
  }

  async publish(container: Container): Promise<void> {
    const { record } = container
    const { PortBindings, PublishAllPorts } = record.hostConfig
    const requests = publishRequests(PortBindings, Object.keys(record.config.ExposedPorts ?? {}), PublishAllPorts)
    const ip = this.addressOf(record)
    if (requests.length === 0 || ip === '' || record.hostConfig.NetworkMode.startsWith('container:')) return
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

  connect(container: Container, reference: string, config: Partial<Endpoint> = {}): void {
    const { record } = container
    const network = this.#networks.get(reference)
    if (record.hostConfig.NetworkMode.startsWith('container:')) {
      throw conflict(
        'container sharing network namespace with another container or host cannot be connected to any other network',
      )
    }
    if (record.hostConfig.NetworkMode === 'host' || network.name === 'host') {
      throw conflict('container cannot be connected to host network')
    }
    if (network.name in record.networks && hasProcess(record.state.status)) {
      throw conflict(`endpoint with name ${record.name} already exists in network ${network.name}`)
    }
    record.networks[network.name] = newEndpoint(record, network, config)
    if (hasProcess(record.state.status))
      this.#attach(container, network.name, record.networks[network.name] as Endpoint)
    container.save()
    this.refresh(record)
  }

  disconnect(container: Container, reference: string): void {
    const { record } = container
    const network = this.#networks.get(reference)
    if (network.name === 'host')
      throw conflict('container cannot be disconnected from host network or connected to host network')
    if (!(network.name in record.networks)) {
      throw conflict(`container ${record.id} is not connected to network ${network.name}`)
    }
    this.#networks.detach(network.name, record.id)
    const before = structuredClone(record)
    delete record.networks[network.name]
    container.save()
    this.#writeFiles(container)
    this.refresh(before)
  }

  /** Rewrites the hosts files of the running containers that share a network with this one, and its own. */
  refresh(record: ContainerRecord): void {
    const own = this.#all().find(({ id }) => id === record.id)
    if (own !== undefined) this.#writeFiles(own)
    this.#refreshOthers(record)
  }

  #refreshOthers(record: ContainerRecord): void {
    const names = new Set(Object.keys(record.networks))
    for (const other of this.#all()) {
      if (!hasProcess(other.state.status) || other.id === record.id) continue
      // On the default network nobody knows anybody, except by --link.
      const hasLinks = (other.record.hostConfig.Links ?? []).length > 0
      const concerning = Object.keys(other.record.networks).filter((name) => hasLinks || name !== 'bridge')
      if (concerning.some((name) => names.has(name))) this.#writeFiles(other)
    }
  }

  #attach(container: Container, name: string, endpoint: Endpoint): void {
    const { id, record } = container
    const requestedIp = endpoint.IPAMConfig?.IPv4Address
    const { ip, endpointId, network } = this.#networks.attach(name, {
      id,
      name: record.name,
      ...(requestedIp !== undefined && requestedIp !== '' && { requestedIp }),
    })
    Object.assign(endpoint, {
      NetworkID: network.id,
      EndpointID: endpointId,
      Gateway: network.gateway,
      IPAddress: ip,
      IPPrefixLen: Number(PREFIX_OF.exec(network.subnet)?.[1] ?? 0),
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

  #mounts(container: Container, owner: Container): Mount[] {
    const taken = new Set(container.record.mounts.map(({ target }) => target))
    const files: Mount[] = FILES.filter((name) => !taken.has(`/etc/${name}`) && existsSync(join(owner.dir, name))).map(
      (name) => ({ type: 'bind', source: join(owner.dir, name), target: `/etc/${name}`, readOnly: false }),
    )
    if (this.addressOf(container.record) === '') return files
    return [...files, { type: 'bind', source: this.#preload, target: PRELOAD_TARGET, readOnly: true }]
  }

  /** In place, because the files are mounted: a new file under the old name would not be seen inside. */
  #writeFiles(container: Container): void {
    const { record, dir } = container
    if (this.#sharesNetwork(record)) return
    const { config, hostConfig } = record
    this.#write(join(dir, 'hostname'), `${config.Hostname}\n`)
    const resolv = existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : ''
    const { Dns, DnsSearch, DnsOptions } = hostConfig
    this.#write(join(dir, 'resolv.conf'), resolvConf(resolv, Dns ?? [], DnsSearch ?? [], DnsOptions ?? []))
    if (hostConfig.NetworkMode === 'host' && existsSync('/etc/hosts')) {
      this.#write(join(dir, 'hosts'), readFileSync('/etc/hosts', 'utf8'))
      return
    }
    const endpoints = Object.values(record.networks).filter(({ IPAddress }) => IPAddress !== '')
    const fqdn = config.Domainname === '' ? [] : [`${config.Hostname}.${config.Domainname}`]
    const own = endpoints.map(({ IPAddress }) => ({ ip: IPAddress, names: [...fqdn, config.Hostname] }))
    const gateway = endpoints[0]?.Gateway || '127.0.0.1'
    this.#write(join(dir, 'hosts'), hostsFile(own, hostConfig.ExtraHosts ?? [], this.#peersOf(record), gateway))
  }

  #write(path: string, text: string): void {
    if (this.#written.get(path) === text) return
    writeFileSync(path, text)
    this.#written.set(path, text)
  }

  #sharesNetwork({ hostConfig }: ContainerRecord): boolean {
    return hostConfig.NetworkMode.startsWith('container:')
  }

  /** Running members of the same user-defined networks, and the --link targets on the default one. */
  #peersOf(record: ContainerRecord): HostEntry[] {
    const links = new Map(
      (record.hostConfig.Links ?? []).map((link) => link.split(':') as [string, string | undefined]),
    )
    return this.#all().flatMap((other) => {
      if (!hasProcess(other.state.status) && other.id !== record.id) return []
      return Object.entries(other.record.networks).flatMap(([name, endpoint]) => {
        if (!(name in record.networks) || endpoint.IPAddress === '') return []
        const isLinked = links.has(other.name) || links.has(`/${other.name}`)
        if (name === 'bridge' && !isLinked) return []
        const alias = links.get(other.name) ?? links.get(`/${other.name}`)
        const names = [...(endpoint.DNSNames ?? []), ...(isLinked && alias !== undefined ? [alias] : [])]
        // On several networks it has several addresses, but a Node program of it listens on the first: see preload.cjs.
        return [{ ip: this.addressOf(other.record), names }]
      })
    })
  }
}

/** The endpoint as it is before the container runs. */
export function newEndpoint(
  record: Pick<ContainerRecord, 'id' | 'name' | 'config'>,
  network: Pick<Network, 'id' | 'name' | 'predefined'>,
  config: Partial<Endpoint>,
): Endpoint {
  const aliases = config.Aliases ?? []
  const requested = config.IPAMConfig?.IPv4Address
  if (requested && network.name === 'bridge' && network.predefined) {
    throw badParameter('user specified IP address is supported on user defined networks only')
  }
  return {
    IPAMConfig: config.IPAMConfig ?? null,
    Links: config.Links ?? null,
    Aliases: aliases.length > 0 ? aliases : null,
    DriverOpts: config.DriverOpts ?? null,
    NetworkID: network.id,
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    MacAddress: '',
    DNSNames: dnsNames(record, aliases),
  }
}

export function dnsNames(record: Pick<ContainerRecord, 'id' | 'name' | 'config'>, aliases: string[]): string[] {
  const shortId = record.id.slice(0, 12)
  return [...new Set([record.name, ...aliases, shortId, record.config.Hostname])]
}
