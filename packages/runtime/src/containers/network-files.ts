/**
 * /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files of its directory, mounted into it. The hosts
 * files of a network's running members are rewritten when one comes or goes, which is how names resolve where the
 * network has no name server.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount } from '../snapshots/mount.ts'
import { nameServerAddress } from '../networks/bridge/links.ts'
import { hostsFile, isReachableServer, namedResolvConf, resolvConf, type HostEntry } from '../networks/hosts-file.ts'
import type { Container } from './container.ts'
import { aliasesOf } from './links.ts'
import { namespaceFileOf } from './network-namespace-file.ts'
import type { ContainerRecord } from './record.ts'
import { hasProcess } from './state.ts'

const files = ['hosts', 'hostname', 'resolv.conf'] as const

/** Of the machine; the second is what systemd's resolver asks, where the first names only that resolver. */
const resolvConfs = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']

interface Options {
  all: () => Container[]
  /** The address at which others reach a container on a network. */
  addressOn: (record: ContainerRecord, network: string) => string
  hasOwnNamespace: (record: ContainerRecord) => boolean
  gatewayOf: (network: string) => string
  /** Whether its members ask for each other's names, instead of being told. */
  hasNameServer: (network: string) => boolean
}

export class NetworkFiles {
  readonly #options: Options
  /** What this runtime has written into files of running containers: most refreshes change nothing. */
  readonly #written = new Map<string, string>()

  constructor(options: Options) {
    this.#options = options
  }

  /** The files of `owner`, which is the container itself or the one whose network it shares. */
  mounts(container: Container, owner: Container): Mount[] {
    const taken = new Set(container.record.mounts.map(({ target }) => target))
    return files
      .filter((name) => !taken.has(`/etc/${name}`) && existsSync(join(owner.dir, name)))
      .map((name) => ({
        type: 'bind',
        source: join(owner.dir, name),
        target: `/etc/${name}`,
        readOnly: false,
      }))
  }

  forget(container: Container): void {
    for (const name of files) this.#written.delete(join(container.dir, name))
  }

  /** Rewrites the hosts files of the running containers that share a network with this one, and its own. */
  refresh(record: ContainerRecord): void {
    const own = this.#options.all().find(({ id }) => id === record.id)
    if (own !== undefined) this.write(own)
    this.refreshOthers(record)
  }

  refreshOthers(record: ContainerRecord): void {
    const names = new Set(Object.keys(record.networks))
    for (const other of this.#options.all()) {
      if (!hasProcess(other.state.status) || other.id === record.id) continue
      // On the default network nobody knows anybody, except by --link.
      const hasLinks = (other.record.hostConfig.Links ?? []).length > 0
      const concerning = Object.keys(other.record.networks).filter((name) => hasLinks || name !== 'bridge')
      if (concerning.some((name) => names.has(name))) this.write(other)
    }
  }

  /** In place, because the files are mounted: a new file under the old name would not be seen inside. */
  write({ record, dir }: Container): void {
    const { config, hostConfig, networks } = record
    if (hostConfig.NetworkMode.startsWith('container:')) return
    this.#write(join(dir, 'hostname'), `${config.Hostname}\n`)
    this.#write(join(dir, 'resolv.conf'), this.#resolvConf(record))
    const isHost = hostConfig.NetworkMode === 'host' || namespaceFileOf(hostConfig.NetworkMode) !== undefined
    if (isHost && existsSync('/etc/hosts')) {
      this.#write(join(dir, 'hosts'), readFileSync('/etc/hosts', 'utf8'))
      return
    }
    const own = Object.entries(networks).filter(([, { IPAddress }]) => IPAddress !== '')
    const fqdn = config.Domainname === '' ? [] : [`${config.Hostname}.${config.Domainname}`]
    const entries = own.map(([, { IPAddress }]) => ({ ip: IPAddress, names: [...fqdn, config.Hostname] }))
    const gateway = this.#options.gatewayOf(own[0]?.[0] ?? '') || '127.0.0.1'
    this.#write(join(dir, 'hosts'), hostsFile(entries, hostConfig.ExtraHosts ?? [], this.#peersOf(record), gateway))
  }

  #resolvConf(record: ContainerRecord): string {
    const { Dns, DnsSearch, DnsOptions } = record.hostConfig
    const texts = resolvConfs.filter((path) => existsSync(path)).map((path) => readFileSync(path, 'utf8'))
    if (Object.keys(record.networks).some(this.#options.hasNameServer)) {
      return namedResolvConf(nameServerAddress, texts[0] ?? '', DnsSearch ?? [], DnsOptions ?? [])
    }
    const isReachable = this.#options.hasOwnNamespace(record) ? isReachableServer : () => true
    const usable = texts.find((text) => /^nameserver/m.test(resolvConf(text, [], [], [], isReachable)))
    return resolvConf(usable ?? texts[0] ?? '', Dns ?? [], DnsSearch ?? [], DnsOptions ?? [], isReachable)
  }

  #write(path: string, text: string): void {
    if (this.#written.get(path) === text) return
    writeFileSync(path, text)
    this.#written.set(path, text)
  }

  /** Of user-defined networks without a name server the running members; of the default one the targets of --link. */
  #peersOf(record: ContainerRecord): HostEntry[] {
    return this.#options.all().flatMap((other) => {
      if (!hasProcess(other.state.status) && other.id !== record.id) return []
      return Object.entries(other.record.networks).flatMap(([name, endpoint]) => {
        if (!(name in record.networks) || endpoint.IPAddress === '') return []
        if (this.#options.hasNameServer(name)) return []
        const links = [...(record.hostConfig.Links ?? []), ...(record.networks[name]?.Links ?? [])]
        const aliases = aliasesOf(other.record, links)
        if (name === 'bridge' && aliases.length === 0) return []
        const names = [...(endpoint.DNSNames ?? []), ...aliases]
        return [{ ip: this.#options.addressOn(other.record, name), names }]
      })
    })
  }
}
