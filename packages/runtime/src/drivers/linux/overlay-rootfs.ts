/**
 * The root file systems of containers as overlays: which directories lie over which, how they get mounted, and how they
 * are read while nobody has them mounted. For every driver that starts containers on overlayfs; the kernel is told
 * nothing here but by MergedViews.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from '@dinghy/shared/docker/errors'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import type { Mount, Running } from '../driver.ts'
import type { Change, Rootfs } from '@dinghy/images/layers/snapshotter'
import type { Lookup } from '../executable.ts'
import { LayeredView, type Branch } from '../../snapshots/layered-view.ts'
import { viewLayer } from '@dinghy/images/layers/layer-store'
import { prepareBaseRoot, type BaseRoot } from './base-root.ts'
import { viewFstabOf, type MountPlan } from './launch.ts'
import { MergedViews, type ViewPlan } from './merged-views.ts'
import { prepareMountPoint } from './mount-points.ts'
import { changesOf } from '../../snapshots/overlay-changes.ts'
import { nestedMountsOf } from './rootless.ts'
import { toolEnvironment } from '../../tool-environment.ts'

type RootPlan = Pick<MountPlan, 'base' | 'rootfs' | 'lowerLinks' | 'lowerCount' | 'hostOverlays' | 'isVolatile'>

/**
 * Overlays can be volatile since Linux 5.10. An ordinary user could not take the mark away that such a mount leaves.
 */
const hasVolatile = isAtLeast(release(), 5, 10) && process.getuid?.() === 0

export class OverlayRootfs {
  readonly base: BaseRoot
  readonly #clock: Clock
  readonly #views: MergedViews
  /** Names in `lowers/` that are complete. */
  readonly #linked = new Set<string>()
  /** Layers never change: what is opaque in them is read once. */
  readonly #opaque = new Map<string, ReadonlySet<string>>()

  /** `root` is a directory of the driver's own; it should lie on the same file system as the containers. */
  constructor(root: string, clock: Clock) {
    this.#clock = clock
    this.base = prepareBaseRoot(root)
    this.#views = new MergedViews((rootfs) => this.#viewPlan(rootfs))
  }

  /** Makes the container's directories. Idempotent. */
  prepare(rootfs: Rootfs): void {
    this.linkLowers(rootfs)
    for (const part of ['', ...(rootfs.hostBase ? this.base.hostDirectories : [])]) makeOverlayDirectories(rootfs, part)
  }

  /** For a container that shall see this machine's devices below a /dev of its own; see plan(). */
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
  plan(rootfs: Rootfs, withDevices = false): RootPlan {
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
    const bare = {
      mounts: [],
      devices: [],
      cgroups: [],
      masked: [],
      readonly: [],
      readOnlyRoot,
      privileged: false,
      shmSizeBytes: 0,
      nested: nestedMountsOf(userNamespace()),
      tty: false,
    }
    return viewFstabOf({ ...this.plan(rootfs), ...bare })
  }

  /**
   * A directory of links with short names to the lower directories: all of them must fit into the one page that
   * mount(2) takes for its options. All containers of an image share it.
   */
  linkLowers(rootfs: Rootfs): string {
    const lowers = this.#lowers(rootfs)
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
  view(rootfs: Rootfs, mounts: Pick<Mount, 'source' | 'target'>[] = []): LayeredView {
    const mounted = mounts.map(({ source, target }) => ({ dir: source, at: target, covers: true }))
    return new LayeredView([...mounted.toReversed(), ...this.#branches(rootfs)])
  }

  async changes(rootfs: Rootfs, running?: Running): Promise<Change[]> {
    const lower = new LayeredView(this.#branches(rootfs).slice(1))
    const own = new Set(this.base.hostDirectories.map((name) => `/${name}`))
    return changesOf(join(rootfs.dir, 'upper'), lower, own, () => this.#merged(rootfs, running))
  }

  /** No need to mount anything: overlayfs copies whole files up, and every directory that leads to them. */
  changedDirectory(rootfs: Rootfs, path: string): string {
    return join(rootfs.dir, 'upper', path)
  }

  async pathIn(rootfs: Rootfs, path: string, running?: Running): Promise<string> {
    const found = new LayeredView([{ dir: await this.#merged(rootfs, running), at: '/' }]).find(path)
    if (found === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
    return found.hostPath
  }

  async copyOut(rootfs: Rootfs, path: string, destination: string): Promise<void> {
    if (!this.view(rootfs).find(path)?.stat.isDirectory()) return
    const source = await this.pathIn(rootfs, path)
    // In a user namespace this machine's own files belong to users who do not exist.
    const users = userNamespace()
    const isOfTheMachine = rootfs.hostBase && this.base.hostDirectories.some((name) => path.startsWith(`/${name}/`))
    const keepsOwners = !users.isNested || !(users.hasOneUser || isOfTheMachine)
    const mode = keepsOwners ? ['-a'] : ['-a', '--no-preserve=ownership']
    await promisify(execFile)('cp', [...mode, '--', `${source}/.`, destination], { env: toolEnvironment })
  }

  /**
   * A running container's root, as seen from this machine. The last steps of a start have another root directory, the
   * toolbox (see init.sh): whoever comes that early has to wait for the container's.
   */
  async rootOf({ id, pid }: Running): Promise<string> {
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

  /** Must come before a start; see MergedViews. */
  async closeView(rootfs: Rootfs): Promise<void> {
    await this.#views.close(rootfs)
  }

  async closeAllViews(): Promise<void> {
    await this.#views.closeAll()
  }

  async remove(rootfs: Rootfs): Promise<void> {
    await this.#views.close(rootfs)
    rmSync(rootfs.dir, { recursive: true, force: true })
  }

  /** Never mounts a second view of a container that runs: two overlays on one writable layer break each other. */
  async #merged(rootfs: Rootfs, running?: Running): Promise<string> {
    return running === undefined ? this.#views.open(rootfs) : this.rootOf(running)
  }

  #viewPlan(rootfs: Rootfs): ViewPlan {
    this.prepare(rootfs)
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

  #branches(rootfs: Rootfs): Branch[] {
    const ofImage = new Set(rootfs.layers)
    const branches = [join(rootfs.dir, 'upper'), ...this.#lowers(rootfs)].map((dir): Branch => {
      return ofImage.has(dir) ? { dir, at: '/', opaque: this.#opaqueOf(dir) } : { dir, at: '/' }
    })
    if (!rootfs.hostBase) return branches
    const { hostDirectories, nodePrefix } = this.base
    const own = [...hostDirectories.map((name) => `/${name}`), ...(nodePrefix === undefined ? [] : [nodePrefix])]
    return [...branches, ...own.map((dir) => ({ dir, at: dir }))]
  }

  #opaqueOf(layer: string): ReadonlySet<string> {
    const opaque = this.#opaque.get(layer) ?? viewLayer(layer).opaque
    this.#opaque.set(layer, opaque)
    return opaque
  }
}

/**
 * For the overlay of the root, if `part` is empty, or one of its own at a top-level directory; see overlayOptions() in
 * launch.ts.
 */
function makeOverlayDirectories(rootfs: Rootfs, part: string): void {
  const work = join(rootfs.dir, part === '' ? 'work' : `work-${part}`)
  for (const path of [join(rootfs.dir, 'upper', part), work]) mkdirSync(path, { recursive: true })
  // overlayfs marks the work directory of a volatile mount, and takes no marked one: what is left of a crash is not
  // whole.
  if (isVolatile(rootfs)) rmSync(join(work, 'work'), { recursive: true, force: true })
}

function isVolatile({ isTemporary = false }: Rootfs): boolean {
  return isTemporary && hasVolatile
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ours = 0, oursMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  return ours > major || (ours === major && oursMinor >= minor)
}

export function lookupThrough(view: LayeredView): Lookup {
  return (path) => {
    const found = view.find(path)
    return found && { path: found.path, hostPath: found.hostPath, mode: found.stat.mode, isFile: found.stat.isFile() }
  }
}
