/**
 * Named volumes: directories under `<root>/volumes/<name>/_data`, as Docker's `local` driver keeps them.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomHex } from '@dinghy/shared/api/ids'
import type { Clock } from '@dinghy/shared/api/clock'
import { badParameter, conflict, notFound } from '@dinghy/shared/docker/errors'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import type { EventBus } from '../events.ts'
import { checkVolumeName } from './binds.ts'

export interface Volume {
  name: string
  createdAt: string
  labels: Record<string, string>
  options: Record<string, string>
  anonymous: boolean
  /** The directory that containers get to see. */
  mountpoint: string
}

export interface VolumeRequest {
  Name?: string
  Driver?: string
  DriverOpts?: Record<string, string>
  ClusterVolumeSpec?: object
  Labels?: Record<string, string>
}

const anonymousLabel = 'com.docker.volume.anonymous'

export class Volumes {
  readonly #root: string
  readonly #clock: Clock
  readonly #events: EventBus
  readonly #volumes = new Map<string, Volume>()

  constructor(options: { root: string; clock: Clock; events: EventBus }) {
    this.#root = options.root
    this.#clock = options.clock
    this.#events = options.events
    mkdirSync(this.#root, { recursive: true, mode: 0o711 })
    for (const name of readdirSync(this.#root)) {
      if (name.startsWith('.')) continue
      const file = join(this.#root, name, 'volume.json')
      // A directory without one was about to be made or removed when the runtime was killed.
      if (existsSync(file)) this.#volumes.set(name, JSON.parse(readFileSync(file, 'utf8')) as Volume)
    }
  }

  /** What removals left that were not finished. */
  async removeLeftovers(): Promise<void> {
    for (const name of readdirSync(this.#root)) if (name.startsWith('.')) await removeTree(join(this.#root, name))
  }

  list(): Volume[] {
    return [...this.#volumes.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  get(name: string): Volume {
    const volume = this.#volumes.get(name)
    if (volume === undefined) throw notFound(`get ${name}: no such volume`)
    return volume
  }

  /** The existing volume of that name, or a new one. Without a name it is anonymous. */
  create(request: VolumeRequest): Volume {
    const { Name: given = '', Driver = 'local', DriverOpts = {}, Labels = {} } = request
    if (Driver !== '' && Driver !== 'local') {
      throw notFound(`error looking up volume plugin ${Driver}: plugin "${Driver}" not found`)
    }
    if (request.ClusterVolumeSpec) throw badParameter('cluster volumes are not supported: there is no swarm')
    const name = given === '' ? randomHex(64) : given
    checkVolumeName(name)
    const existing = this.#volumes.get(name)
    if (existing !== undefined) return existing
    const source = sourceOf(DriverOpts)
    const directory = join(this.#root, name)
    const mountpoint = source ?? join(directory, '_data')
    mkdirSync(mountpoint, { recursive: true, mode: 0o755 })
    const volume: Volume = {
      name,
      createdAt: new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
      labels: given === '' ? { [anonymousLabel]: '', ...Labels } : Labels,
      options: DriverOpts,
      anonymous: given === '',
      mountpoint,
    }
    mkdirSync(directory, { recursive: true })
    const file = join(directory, 'volume.json')
    writeFileSync(`${file}.tmp`, JSON.stringify(volume))
    renameSync(`${file}.tmp`, file)
    this.#volumes.set(name, volume)
    this.#events.publish('volume', 'create', name, { driver: 'local' })
    return volume
  }

  /** `users` are the ids of containers that mention the volume. */
  async remove(name: string, users: string[], force = false): Promise<void> {
    if (!this.#volumes.has(name)) {
      if (force) return
      throw notFound(`get ${name}: no such volume`)
    }
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`)
    this.#volumes.delete(name)
    // Under a name that no volume can have, for while that takes there may be another one of this name.
    const doomed = join(this.#root, `.${randomHex(16)}`)
    renameSync(join(this.#root, name), doomed)
    await removeTree(doomed)
    this.#events.publish('volume', 'destroy', name, { driver: 'local' })
  }
}

/** `--opt type=none --opt o=bind --opt device=/path` is the one use of driver options that needs no real mount. */
function sourceOf(options: Record<string, string>): string | undefined {
  const { type = '', o = '', device } = options
  if (Object.keys(options).length === 0) return undefined
  const isBind = o.split(',').includes('bind') && ['none', ''].includes(type)
  if (isBind && device?.startsWith('/')) return device
  throw badParameter(
    `invalid option: the local driver here serves bind mounts only (type=none, o=bind, device=/path), not ${JSON.stringify(options)}`,
  )
}
