/**
 * The root file systems of containers as overlays: which directories lie over which, how they get mounted, and how
 * they are read while nobody has them mounted. The kernel is told nothing here but by MergedViews: a driver that
 * starts a container mounts its root itself, from the plan that it gets here, in the mount namespace of the
 * container.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@dinghy/shared/api/clock'
import { badParameter, DockerError } from '@dinghy/shared/docker/errors'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import type { Change, Rootfs } from '@dinghy/images/layers/snapshotter'
import { viewLayer } from '@dinghy/images/layers/layer-store'
import { LayerView, type ViewLayer } from '@dinghy/images/layers/layer-view'
import { toolEnvironment } from '../../tool-environment.ts'
import { HeldDirectory, walkIn, type HeldEntry } from '../held-directory.ts'
import type { Mount } from '../mount.ts'
import type { Live, LiveSnapshotter } from '../snapshotter.ts'
import { prepareBaseRoot, type BaseRoot } from './base-root.ts'
import { keptOptions } from './kept-options.ts'
import { MergedViews, type ViewPlan } from './merged-views.ts'
import { prepareMountPoint } from './mount-points.ts'
import { changesOf } from './overlay-changes.ts'
import { range, rootFstabOf, type RootPlan } from './root-fstab.ts'

/**
 * Overlays can be volatile since Linux 5.10. An ordinary user could not take the mark away that such a mount leaves.
 */
function hasVolatile(): boolean {
  return isAtLeast(release(), 5, 10) && process.getuid?.() === 0
}

export class OverlaySnapshotter implements LiveSnapshotter {
  readonly base: BaseRoot
  readonly #clock: Clock
  readonly #views: MergedViews
  /** Names in `lowers/` that are complete. */
  readonly #linked = new Set<string>()
  /** Layers never change: what is opaque in them is read once. */
  readonly #layers = new Map<string, ViewLayer>()

  /** `root` is a directory of its own; it should lie on the same file system as the containers. */
  constructor(root: string, clock: Clock) {
    this.#clock = clock
    this.base = prepareBaseRoot(root)
    this.#views = new MergedViews((rootfs) => this.#viewPlan(rootfs))
  }

  /** Makes the container's directories. Idempotent. */
  async prepare(rootfs: Rootfs): Promise<void> {
    this.#makeDirectories(rootfs)
  }

  /** Must come before a start: makes the directories, and lets go of the view that may be mounted on them. */
  async prepareStart(rootfs: Rootfs): Promise<void> {
    await this.#views.close(rootfs)
    this.#makeDirectories(rootfs)
  }

  /** For a container that sees this machine's devices below a /dev of its own; see plan(). */
  prepareDevices(rootfs: Rootfs): void {
    makeOverlayDirectories(rootfs, 'dev')
  }

  /**
   * Makes what is mounted on. The same mounts, in the same order, with their targets' real paths; `earlier` are those
   * that the driver mounts before them.
   */
  prepareMounts(rootfs: Rootfs, wanted: Mount[], earlier: Mount[] = []): Mount[] {
    const mounts = [...earlier]
    for (const mount of wanted) {
      const target = prepareMountPoint(this.view(rootfs, mounts), rootfs, mount, mounts)
      mounts.push({ ...mount, target })
    }
    return mounts.slice(earlier.length)
  }

  /** As Docker does, with the plain owner and mode of a new directory. */
  makeDirectory(rootfs: Rootfs, path: string): void {
    prepareMountPoint(this.view(rootfs), rootfs, { type: 'tmpfs', source: '', target: path, readOnly: false })
  }

  /** What to mount for the root, as a part of a MountPlan; `withDevices` after prepareDevices(). */
  plan(rootfs: Rootfs, withDevices = false): Omit<RootPlan, 'readOnlyRoot' | 'nested'> {
    const lowers = this.#lowers(rootfs)
    const overlays = [...(rootfs.hostBase ? this.base.hostDirectories : []), ...(withDevices ? ['dev'] : [])]
    return {
      base: this.base,
      rootfs,
      lowerLinks: this.linkLowers(rootfs),
      lowerCount: lowers.length,
      isVolatile: isVolatile(rootfs),
      hostOverlays: overlays.map((name) => ({
        name,
        lowers: lowers.flatMap((layer, index) => (existsSync(join(layer, name)) ? [index] : [])),
      })),
    }
  }

  /** The fstab of the root alone, which gets mounted from `linkLowers`. */
  fstab(rootfs: Rootfs, readOnlyRoot: boolean): string {
    return rootFstabOf({ ...this.plan(rootfs), readOnlyRoot, ...keepingOptions() })
  }

  /**
   * A directory of links with short names to the lower directories: all of them must fit into the one page that
   * mount(2) takes for its options. All containers of an image share it.
   */
  linkLowers(rootfs: Rootfs): string {
    return this.#linkAll(this.#lowers(rootfs))
  }

  #linkAll(lowers: string[]): string {
    const name = createHash('sha256').update(lowers.join('\n')).digest('hex').slice(0, 32)
    const directory = join(this.base.lowers, name)
    if (this.#linked.has(name)) return directory
    mkdirSync(directory, { recursive: true })
    for (const [index, layer] of lowers.entries()) {
      const link = join(directory, String(index))
      if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(layer, link)
    }
    this.#linked.add(name)
    return directory
  }

  /** `mounts` in the order in which they are mounted; a tmpfs has no source, and is empty. */
  view(rootfs: Rootfs, mounts: Pick<Mount, 'source' | 'target'>[] = []): LayerView {
    const mounted = mounts.map(({ source, target }) => ({ directory: source, at: target, covers: true }))
    return new LayerView([...this.#viewLayers(rootfs), ...mounted])
  }

  async changes(rootfs: Rootfs, live?: Live): Promise<Change[]> {
    const lower = new LayerView(this.#viewLayers(rootfs).slice(0, -1))
    const own = new Set(rootfs.hostBase ? this.base.hostDirectories.map((name) => `/${name}`) : [])
    return changesOf(join(rootfs.dir, 'upper'), lower, own, () => this.#merged(rootfs, live))
  }

  /** No need to mount anything: overlayfs copies whole files up, and every directory that leads to them. */
  async changedDirectory(rootfs: Rootfs, path: string): Promise<string> {
    return join(rootfs.dir, 'upper', path)
  }

  async pathIn(rootfs: Rootfs, path: string, live?: Live): Promise<string> {
    const found = new LayerView([{ directory: await this.#merged(rootfs, live) }]).lookup(path)
    if (found === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
    return found.hostPath
  }

  async open(rootfs: Rootfs, path: string, options: { followLast: boolean; live?: Live }): Promise<HeldEntry> {
    const root = HeldDirectory.open(await this.#merged(rootfs, options.live))
    return walkIn(root, path, options)
  }

  async copyOut(rootfs: Rootfs, path: string, destination: string): Promise<void> {
    if (!this.view(rootfs).lookup(path)?.stat.isDirectory()) return
    const source = await this.pathIn(rootfs, path)
    // In a user namespace this machine's own files belong to users who do not exist.
    const users = userNamespace()
    const isOfTheMachine = rootfs.hostBase && this.base.hostDirectories.some((name) => path.startsWith(`/${name}/`))
    const keepsOwners = !users.isNested || !(users.hasOneUser || isOfTheMachine)
    const mode = keepsOwners ? ['-a'] : ['-a', '--no-preserve=ownership']
    await promisify(execFile)('cp', [...mode, '--', `${source}/.`, destination], { env: toolEnvironment })
  }

  async unpack({ layers, hostBase }: Pick<Rootfs, 'layers' | 'hostBase'>, destination?: string): Promise<string[]> {
    const { hostDirectories, nodePrefix = [], host, rootfs } = this.base
    const ofTheMachine = hostBase ? hostDirectories.map((name) => `/${name}`).concat(nodePrefix) : []
    const changed = ofTheMachine.find((path) => layers.some((layer) => existsSync(join(layer, path))))
    if (changed !== undefined)
      throw badParameter(`an image that adds to this machine's ${changed} can be run, and cannot be mounted`)
    if (destination === undefined) return ofTheMachine
    // The last one is empty: an overlay that nobody writes to needs two.
    const lowers = [...new Set(layers.toReversed()), ...(hostBase ? [host] : []), rootfs]
    const features = userNamespace().isNested ? 'userxattr' : 'redirect_dir=off,metacopy=off'
    const options = `ro,lowerdir=${range(lowers.length).join(':')},index=off,${features}`
    const owners = userNamespace().hasOneUser ? ['--no-preserve=ownership'] : []
    const script = 'mount -n -t overlay -o "$1" overlay "$2" && exec cp -a $4 -- "$2/." "$3"'
    const command = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', options, rootfs, destination]
    await promisify(execFile)('unshare', [...command, ...owners], { cwd: this.#linkAll(lowers), env: toolEnvironment })
    return ofTheMachine
  }

  /** What a running container sees, its mounts included. */
  async viewOf(live: Live): Promise<LayerView> {
    return new LayerView([{ directory: await this.#rootOf(live) }])
  }

  async cleanup(rootfs: Rootfs): Promise<void> {
    await this.#views.close(rootfs)
    await removeTree(rootfs.dir)
  }

  async close(): Promise<void> {
    await this.#views.closeAll()
  }

  /**
   * A running container's root, as seen from this machine. The last steps of a start have another root directory, the
   * toolbox (drivers/linux/init.sh): whoever comes that early has to wait for the container's.
   */
  async #rootOf({ id, pid }: Live): Promise<string> {
    // With the dot it is the directory, without it a link.
    const root = `/proc/${pid}/root/.`
    const outside = [statSync('/'), statSync(this.base.tools, { throwIfNoEntry: false })]
    for (let attempt = 0; attempt < 1_000; attempt++) {
      const { dev, ino } = statSync(root)
      if (!outside.some((other) => other?.dev === dev && other.ino === ino)) return root
      await this.#clock.sleep(5)
    }
    throw new DockerError(500, `the program of container ${id} is still being started`)
  }

  /** Never mounts a second view of a container that runs: two overlays on one writable layer break each other. */
  async #merged(rootfs: Rootfs, live?: Live): Promise<string> {
    return live === undefined ? this.#views.open(rootfs) : this.#rootOf(live)
  }

  #makeDirectories(rootfs: Rootfs): void {
    this.linkLowers(rootfs)
    for (const part of ['', ...(rootfs.hostBase ? this.base.hostDirectories : [])]) makeOverlayDirectories(rootfs, part)
  }

  #viewPlan(rootfs: Rootfs): ViewPlan {
    this.#makeDirectories(rootfs)
    return { fstab: this.fstab(rootfs, false), directory: this.linkLowers(rootfs), base: this.base }
  }

  /**
   * Lower directories, uppermost first. Each only once, or overlayfs would refuse (ELOOP): two steps that change the
   * same, or nothing, are one layer. What it says counts where it is uppermost; further down it could add nothing to
   * that.
   */
  #lowers(rootfs: Rootfs): string[] {
    const layers = new Set(rootfs.layers.toReversed())
    return [this.base.init, ...layers, ...(rootfs.hostBase ? [this.base.host] : [])]
  }

  /** Lowest first; the last one is the container's own. */
  #viewLayers(rootfs: Rootfs): ViewLayer[] {
    const ofImage = new Set(rootfs.layers)
    const lowers = this.#lowers(rootfs).map((directory) =>
      ofImage.has(directory) ? this.#viewLayer(directory) : { directory },
    )
    const { hostDirectories, nodePrefix = [] } = this.base
    const shown = rootfs.hostBase ? hostDirectories.map((name) => `/${name}`).concat(nodePrefix) : []
    const ofTheMachine = shown.map((directory) => ({ directory, at: directory }))
    return [...ofTheMachine, ...lowers.toReversed(), { directory: join(rootfs.dir, 'upper') }]
  }

  #viewLayer(directory: string): ViewLayer {
    const layer = this.#layers.get(directory) ?? viewLayer(directory)
    this.#layers.set(directory, layer)
    return layer
  }
}

/**
 * For the overlay of the root, if `part` is empty, or one of its own at a top-level directory; see overlayOptions() in
 * root-fstab.ts.
 */
function makeOverlayDirectories(rootfs: Rootfs, part: string): void {
  const work = join(rootfs.dir, part === '' ? 'work' : `work-${part}`)
  for (const path of [join(rootfs.dir, 'upper', part), work]) mkdirSync(path, { recursive: true })
  // overlayfs marks the work directory of a volatile mount, and takes no marked one: what is left of a crash is not
  // whole.
  if (isVolatile(rootfs)) rmSync(join(work, 'work'), { recursive: true, force: true })
}

function isVolatile({ isTemporary = false }: Rootfs): boolean {
  return isTemporary && hasVolatile()
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ours = 0, oursMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  return ours > major || (ours === major && oursMinor >= minor)
}

/** A mount that an ordinary user copies has to keep the options that it has. */
function keepingOptions(): Pick<RootPlan, 'nested'> {
  if (!userNamespace().isNested) return {}
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')
  return { nested: { kept: (path) => keptOptions(mountinfo, realpathSync(path)) } }
}
