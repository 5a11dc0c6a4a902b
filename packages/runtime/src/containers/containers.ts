/**
 * All containers of this runtime: making, finding and removing them. Their running is lifecycle.ts' business.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { availableParallelism, hostname } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import { badParameter, conflict, notFound } from '@dinghy/shared/docker/errors'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import type { Driver } from '../drivers/driver.ts'
import type { LiveSnapshotter } from '../snapshots/snapshotter.ts'
import type { EventBus } from '../events.ts'
import type { Image, ImageStore } from '@dinghy/images/store/image-store'
import { checkPlatform } from '@dinghy/images/distribution/platform'
import { ImageTrees } from '../volumes/image-trees.ts'
import type { NameServers } from '../networks/name-servers.ts'
import type { Networks } from '../networks/networks.ts'
import type { PortProxies } from '../networks/port-proxy.ts'
import { HeldDirectory } from '../snapshots/held-directory.ts'
import { mountPointsOf, requestFor } from '../volumes/binds.ts'
import { resolveSubpath } from '../volumes/subpath.ts'
import type { Volumes } from '../volumes/volumes.ts'
import { Container } from './container.ts'
import { ContainerFiles } from './container-files.ts'
import { despiteFullDisk } from './full-disk.ts'
import { completeConfig, completeHostConfig, type CreateBody } from './create-body.ts'
import { parseLink, withoutLink } from './links.ts'
import { checkName, inventName, newId } from './names.ts'
import { newEndpoint } from './endpoint.ts'
import { checkNamespaceFile, namespaceFileOf } from './network-namespace-file.ts'
import { Networking, type Cables } from './networking.ts'
import { never, type ContainerRecord, type Endpoint, type HostConfig } from './record.ts'
import type { MountPoint } from '../volumes/mount-point.ts'
import { resourcesOf } from './runtime-spec.ts'
import { refusal } from './state.ts'
import { isNetworkSysctl, notSeparate } from './sysctls.ts'
import { checkSupported, discarded } from './unsupported.ts'
import { formatMs } from '../timestamps.ts'

export interface ContainersOptions {
  root: string
  clock: Clock
  log: Logger
  driver: Driver
  snapshotter: LiveSnapshotter
  images: Pick<ImageStore, 'resolve'>
  networks: Networks
  bridges: Cables | undefined
  nameServers?: Pick<NameServers, 'open'> | undefined
  proxies: PortProxies
  volumes: Volumes
  events: EventBus
  /** File of the Node preload on this machine. */
  preload: string
}

export class Containers {
  readonly #root: string
  readonly #clock: Clock
  readonly #log: Logger
  readonly #images: Pick<ImageStore, 'resolve'>
  readonly #networks: Networks
  readonly #events: EventBus
  readonly #byId = new Map<string, Container>()
  /** Names whose containers are being made. */
  readonly #reserved = new Set<string>()
  readonly driver: Driver
  readonly snapshotter: LiveSnapshotter
  readonly files: ContainerFiles
  readonly volumes: Volumes
  readonly networking: Networking
  readonly #imageTrees: ImageTrees
  /** Those that are being made and not in the list yet. */
  readonly #drafts = new Set<Container>()

  constructor(options: ContainersOptions) {
    this.#root = join(options.root, 'containers')
    this.#clock = options.clock
    this.#log = options.log
    this.#images = options.images
    this.#networks = options.networks
    this.#events = options.events
    this.driver = options.driver
    this.snapshotter = options.snapshotter
    this.files = new ContainerFiles(options.snapshotter, options.driver)
    this.volumes = options.volumes
    this.#imageTrees = new ImageTrees({ ...options, root: join(options.root, 'image-mounts') })
    this.networking = new Networking({ ...options, all: () => this.list() })
    mkdirSync(this.#root, { recursive: true, mode: 0o711 })
  }

  /** Reads what an earlier runtime left, and removes what it had not finished making. */
  async load(): Promise<void> {
    for (const id of readdirSync(this.#root)) {
      const dir = join(this.#root, id)
      const container = Container.load(dir, this.#clock)
      if (container === undefined) await removeTree(dir)
      else this.#byId.set(id, container)
    }
    await this.#removeUnusedImageTrees()
  }

  /** Newest first, as `docker ps` shows them. */
  list(): Container[] {
    return [...this.#byId.values()].toSorted((a, b) => (a.record.created < b.record.created ? 1 : -1))
  }

  /** The same in no order, for questions that come often. */
  records(): ContainerRecord[] {
    return [...this.#byId.values()].map(({ record }) => record)
  }

  /** By id, name or unambiguous beginning of an id; 404 otherwise. */
  get(reference: string): Container {
    const bare = reference.replace(/^\//, '')
    const exact = this.#byId.get(bare) ?? this.list().find(({ name }) => name === bare)
    if (exact !== undefined) return exact
    const matching = this.list().filter(({ id }) => bare !== '' && id.startsWith(bare))
    if (matching.length > 1) throw badParameter(`multiple IDs found with provided prefix: ${bare}`)
    if (matching[0] === undefined) throw notFound(`No such container: ${reference}`)
    return matching[0]
  }

  /** `platform`: the only one that will do, e.g. `linux/arm64`; empty for any. */
  async create(
    body: CreateBody,
    requestedName: string,
    platform = '',
  ): Promise<{ container: Container; warnings: string[] }> {
    const name = requestedName === '' ? inventName((candidate) => this.#isTaken(candidate)) : checkName(requestedName)
    if (!body.Image) throw badParameter('no image specified')
    const id = newId()
    this.#reserve(name, id)
    try {
      const image = await this.#images.resolve(body.Image)
      const foreign = checkPlatform(image.config, body.Image, platform)
      const container = this.#make(id, name, body, image)
      this.#drafts.add(container)
      try {
        await this.snapshotter.prepare(container.rootfs)
        await this.#provideVolumes(container)
        container.save()
      } catch (error) {
        await this.snapshotter.cleanup(container.rootfs)
        await removeTree(container.dir)
        this.#drafts.delete(container)
        await this.#removeImageTreesAfter(container)
        throw error
      } finally {
        this.#drafts.delete(container)
      }
      this.#byId.set(id, container)
      this.publish(container, 'create')
      const { hostConfig } = container.record
      const warnings = [...foreign, ...discarded(hostConfig), ...this.driver.warningsFor(resourcesOf(hostConfig))]
      return { container, warnings }
    } finally {
      this.#reserved.delete(name)
    }
  }

  rename(container: Container, requested: string): void {
    if (requested === '') throw badParameter('Neither old nor new names may be empty')
    const name = checkName(requested)
    if (name === container.name) {
      throw badParameter('Renaming a container with the same name as its current name')
    }
    this.#reserve(name, container.id)
    this.#reserved.delete(name)
    const oldName = container.name
    container.record.name = name
    for (const endpoint of Object.values(container.record.networks)) {
      endpoint.DNSNames = endpoint.DNSNames?.map((dnsName) => (dnsName === oldName ? name : dnsName)) ?? null
    }
    container.save()
    this.#networks.rename(container.id, name)
    this.networking.refresh(container.record)
    this.publish(container, 'rename', { oldName: `/${oldName}` })
  }

  /** `docker rm --link`: the container `parent` forgets what it calls `alias`. */
  unlink(parent: string, alias: string): void {
    const container = this.#byId.get(parent) ?? this.list().find(({ name }) => name === parent)
    const left = withoutLink(container?.record.hostConfig.Links ?? [], alias)
    if (container === undefined || left === undefined) throw notFound(`No such container: ${parent}/${alias}`)
    container.record.hostConfig.Links = left
    container.save()
    this.networking.refresh(container.record)
  }

  /** The container must not run. `volumes`: its anonymous volumes too. */
  async remove(container: Container, options: { volumes: boolean }): Promise<void> {
    const refused = refusal('remove', container.state.status, container.id, container.name)
    if (refused !== undefined) throw refused
    // Somebody else was faster.
    if (this.#byId.get(container.id) !== container) return
    container.beginRemoval()
    await despiteFullDisk(this.#log, container, () => this.networking.release(container))
    await this.snapshotter.cleanup(container.rootfs)
    container.log?.close()
    await removeTree(container.dir)
    this.#byId.delete(container.id)
    if (options.volumes) await this.#removeAnonymousVolumes(container)
    await this.#removeImageTreesAfter(container)
    this.publish(container, 'destroy')
    container.notifyRemoved()
  }

  async #removeImageTreesAfter({ record }: Container): Promise<void> {
    if (record.mounts.some(({ type }) => type === 'image')) await this.#removeUnusedImageTrees()
  }

  #removeUnusedImageTrees(): Promise<void> {
    return this.#imageTrees.retain([...this.#byId.values(), ...this.#drafts].flatMap(({ record }) => record.mounts))
  }

  /** Ids of the containers that use a volume. */
  usersOf(volume: string): string[] {
    return this.list()
      .filter(({ record }) => record.mounts.some((mount) => mount.volume === volume))
      .map(({ id }) => id)
  }

  publish(container: Container, action: string, attributes: Record<string, string> = {}): void {
    const { config, name } = container.record
    this.#events.publish('container', action, container.id, {
      ...config.Labels,
      image: config.Image,
      name,
      ...attributes,
    })
  }

  #isTaken(name: string): boolean {
    return this.#reserved.has(name) || this.list().some((container) => container.name === name)
  }

  #reserve(name: string, id: string): void {
    const other = this.list().find((container) => container.name === name)
    if (this.#isTaken(name)) {
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${other?.id ?? id}". You have to remove (or rename) that container to be able to reuse that name.`,
      )
    }
    this.#reserved.add(name)
  }

  #make(id: string, name: string, body: CreateBody, image: Image): Container {
    const isAlone = body.NetworkDisabled === true
    const options = { ...body.HostConfig, ...(isAlone ? { NetworkMode: 'none' } : {}) }
    const hostConfig = completeHostConfig(options, body.Labels ?? {})
    checkNamespaceFile(hostConfig.NetworkMode, this.driver.name)
    checkSupported(hostConfig, { cpus: availableParallelism(), seccomp: this.driver.enforcesSeccomp })
    // Who shares the machine's network goes by its name.
    const isHost = hostConfig.NetworkMode === 'host' || namespaceFileOf(hostConfig.NetworkMode) !== undefined
    const Hostname = body.Hostname || (isHost ? hostname() : '')
    const config = completeConfig({ ...body, Hostname }, image.config.config, id)
    const inherited = (hostConfig.VolumesFrom ?? []).flatMap((from) => this.#mountsFrom(from))
    if (hostConfig.NetworkMode.startsWith('container:')) {
      // By id from now on: names may change. One that does not exist is the start's error, as in Docker: a 404 here
      // would make the CLI pull the image.
      const reference = hostConfig.NetworkMode.slice('container:'.length)
      const other = this.list().find(({ id: otherId, name }) => name === reference || otherId.startsWith(reference))
      if (other !== undefined) hostConfig.NetworkMode = `container:${other.id}`
    }
    for (const { target } of (hostConfig.Links ?? []).map(parseLink)) {
      if (!this.list().some((other) => other.name === target || other.id.startsWith(target)))
        throw badParameter(`could not get container for ${target}: No such container: ${target}`)
    }
    const draft = { id, name, config }
    const record: ContainerRecord = {
      ...draft,
      created: formatMs(this.#clock.now()),
      imageId: image.id,
      imageLayers: image.layers,
      hostBase: image.hostBase,
      driver: this.driver.name,
      hostConfig,
      networks: this.#endpoints(draft, hostConfig, body),
      mounts: mountPointsOf(hostConfig, Object.keys(config.Volumes ?? {}), inherited, config.Labels),
      state: { status: 'created', exitCode: 0, error: '', oomKilled: false, startedAt: never, finishedAt: never },
      restartCount: 0,
      stoppedByUser: false,
      startedByUser: false,
    }
    const own = Object.keys(hostConfig.Sysctls ?? {}).find(isNetworkSysctl)
    if (own !== undefined && !this.networking.hasOwnNamespace(record)) throw notSeparate(own)
    return new Container(join(this.#root, id), record, this.#clock)
  }

  #mountsFrom(reference: string): MountPoint[] {
    const [name = '', mode = ''] = reference.split(':')
    if (!/^(r[ow])?(,?[zZ])?$/.test(mode)) throw badParameter(`invalid mode for volumes-from: ${mode}`)
    return this.get(name).record.mounts.map((mount) => ({
      ...mount,
      readOnly: mount.readOnly || mode.startsWith('ro'),
      anonymous: false,
    }))
  }

  /** The networks to join: the one of NetworkMode, and every other that the client configured. */
  #endpoints(
    draft: Pick<ContainerRecord, 'id' | 'name' | 'config'>,
    hostConfig: HostConfig,
    body: CreateBody,
  ): Record<string, Endpoint> {
    const { NetworkMode } = hostConfig
    const configured = new Map(Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {}))
    if (NetworkMode.startsWith('container:') || namespaceFileOf(NetworkMode) !== undefined) return {}
    const endpoints: Record<string, Endpoint> = {}
    const add = (reference: string, config: Partial<Endpoint> | null | undefined) => {
      // Clients configure the default network under the name "default".
      const wanted = reference === 'default' ? 'bridge' : reference
      // It may still be made before the start, which is what fails without it.
      const network = this.#networks.find(wanted) ?? { id: '', name: wanted, predefined: false }
      endpoints[network.name] ??= newEndpoint(draft, network, config ?? {})
    }
    add(NetworkMode, configured.get(NetworkMode) ?? configured.get('default'))
    for (const [reference, config] of configured) add(reference, config)
    return endpoints
  }

  /** Directories for binds that lack one, volumes for those that are named and for those that are not. */
  async #provideVolumes(container: Container): Promise<void> {
    for (const mount of container.record.mounts) {
      const request = requestFor(mount.target, container.record.hostConfig.Mounts)
      if (mount.type === 'bind') {
        if (existsSync(mount.source)) continue
        if (request?.Type === 'bind' && !request.BindOptions?.CreateMountpoint) {
          throw badParameter(`invalid mount config for type "bind": bind source path does not exist: ${mount.source}`)
        }
        mkdirSync(mount.source, { recursive: true })
      } else if (mount.type === 'volume') {
        const { Labels, DriverConfig } = request?.VolumeOptions ?? {}
        const volume = this.volumes.create({
          ...(mount.volume !== undefined ? { Name: mount.volume } : {}),
          ...(Labels ? { Labels } : {}),
          ...(DriverConfig?.Name ? { Driver: DriverConfig.Name } : {}),
          ...(DriverConfig?.Options ? { DriverOpts: DriverConfig.Options } : {}),
        })
        mount.volume = volume.name
        mount.source = volume.mountpoint
        if (mount.seed) await this.#seed(container, mount)
      } else if (mount.type === 'image' && mount.source === '') {
        await this.#imageTrees.provide(mount, request?.ImageOptions?.Subpath ?? '')
      }
    }
  }

  /** An empty volume starts with what the image has at its place, owner and mode included. */
  async #seed(container: Container, { source, subpath, target }: MountPoint): Promise<void> {
    // Without its part of the volume the container will not start, which is then told.
    if (subpath !== undefined && !existsSync(join(source, subpath))) return
    const path = subpath === undefined ? source : resolveSubpath(source, subpath)
    if (!statSync(path).isDirectory()) return
    const held = subpath === undefined ? HeldDirectory.open(path) : HeldDirectory.openReal(path)
    try {
      if (readdirSync(held.path).length > 0) return
      await this.snapshotter.copyOut(container.rootfs, target, held.pathForOthers)
    } finally {
      held.close()
    }
  }

  async #removeAnonymousVolumes(container: Container): Promise<void> {
    for (const { volume, anonymous } of container.record.mounts) {
      if (volume !== undefined && anonymous && this.usersOf(volume).length === 0)
        await this.volumes.remove(volume, [], true)
    }
  }
}
