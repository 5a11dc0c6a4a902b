/**
 * The linux driver: namespaces, overlayfs, cgroups, capabilities, put together from the tools of util-linux by one
 * short shell script (init.sh). There is no helper binary and no process of ours per container but the waiting shim.
 *
 * Differences from runc that a container can notice: no seccomp or AppArmor profile, and on machines with cgroups
 * version 2 only, no device filter (so no CAP_MKNOD either). describe() says so.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from '../../docker/errors.ts'
import type {
  Change,
  ContainerSpec,
  Driver,
  ExecProcess,
  Exit,
  Mount,
  ProcessRow,
  ProcessSpec,
  Rootfs,
  Running,
  Usage,
} from '../driver.ts'
import { findExecutable, startError, type Lookup } from '../executable.ts'
import { underInit } from '../init-process.ts'
import type { FifoPool } from '../fifo-pool.ts'
import { LayeredView, type Branch } from '../layered-view.ts'
import { isSameProcess, rowsOf } from '../process-table.ts'
import { onTerminal, resizeTerminal } from '../terminal.ts'
import { assetPath, createRunDir, launch, waitForExit } from '../shim.ts'
import { prepareBaseRoot, type BaseRoot } from './base-root.ts'
import type { Cgroups } from './cgroups.ts'
import {
  dropCommand,
  fstabOf,
  limitCommand,
  MASKED_PATHS,
  preludeOf,
  READONLY_PATHS,
  type MountPlan,
  type Tools,
} from './launch.ts'
import { MergedViews, type ViewPlan } from './merged-views.ts'
import { prepareMountPoint } from './mount-points.ts'
import { changesOf } from './overlay-changes.ts'
import { execIn } from './exec.ts'
import { namespaceCommand, samePidNamespace } from './namespaces.ts'
import { findTools } from './tools.ts'
import { identityOf, type Identity } from './user.ts'

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024

export class LinuxDriver implements Driver {
  readonly name = 'linux'
  readonly #clock: Clock
  readonly #base: BaseRoot
  readonly #tools: Tools
  readonly #cgroups: Cgroups
  readonly #views: MergedViews
  readonly #fifos: FifoPool
  /** Names in `lowers/` that are complete. */
  readonly #linked = new Set<string>()

  /** `root` is a directory of the driver's own; it should lie on the same file system as the containers. */
  constructor(options: { clock: Clock; root: string; cgroups: Cgroups; fifos: FifoPool }) {
    this.#fifos = options.fifos
    this.#clock = options.clock
    this.#cgroups = options.cgroups
    this.#base = prepareBaseRoot(options.root)
    this.#tools = findTools()
    this.#views = new MergedViews((rootfs) => this.#viewPlan(rootfs))
  }

  describe(): string[] {
    const facts = [
      'seccomp and AppArmor profiles are not applied',
      'root of a container keeps CAP_SYS_CHROOT even if that is dropped',
    ]
    if (!this.#cgroups.available) facts.push('no cgroups: memory, CPU and process limits are refused')
    else if (this.#cgroups.missing.length > 0)
      facts.push(`no cgroup controller for: ${this.#cgroups.missing.join(', ')}`)
    if (!this.#cgroups.canRestrictDevices) {
      facts.push('devices cannot be filtered here, so containers do not get CAP_MKNOD')
    }
    return facts
  }

  warningsFor(): string[] {
    return []
  }

  async prepare(rootfs: Rootfs): Promise<void> {
    const { dir } = rootfs
    for (const name of ['upper', 'work']) mkdirSync(join(dir, name), { recursive: true })
    this.#linkLowers(rootfs)
    if (!rootfs.hostBase) return
    for (const name of this.#base.hostDirectories) {
      mkdirSync(join(dir, 'upper', name), { recursive: true })
      mkdirSync(join(dir, `work-${name}`), { recursive: true })
    }
  }

  async createRunDir(runDir: string): Promise<void> {
    await createRunDir(this.#fifos, runDir)
  }

  async start(spec: ContainerSpec): Promise<Running> {
    await this.#views.close(spec.rootfs)
    await this.prepare(spec.rootfs)
    const mounts: Mount[] = []
    for (const mount of spec.mounts) {
      const target = prepareMountPoint(this.#view(spec.rootfs, mounts), spec.rootfs, mount, mounts)
      mounts.push({ ...mount, target })
    }
    const lookup = lookupThrough(this.#view(spec.rootfs, mounts))
    const process = spec.init ? underInit(spec.process, lookup) : spec.process
    this.#makeWorkingDirectory(spec)
    const command = [...limitCommand(spec.ulimits), ...this.#programCommand(process, lookup)]
    this.#cgroups.create(spec.id, spec.resources ?? {})
    try {
      if (!spec.process.privileged) this.#cgroups.restrictDevices(spec.id, (spec.devices ?? []).map(deviceRule))
      const devices = (spec.devices ?? []).map(({ source, target }) => {
        const mount = { type: 'bind', source, target, readOnly: false } as const
        return { source, target: prepareMountPoint(this.#view(spec.rootfs), spec.rootfs, mount) }
      })
      writeFileSync(join(spec.runDir, 'fstab'), fstabOf({ ...this.#plan(spec), mounts, devices }))
      writeFileSync(
        join(spec.runDir, 'prelude'),
        preludeOf(spec, this.#linkLowers(spec.rootfs), this.#cgroups.directories(spec.id)),
      )
      const init = ['sh', assetPath('linux/init.sh'), spec.runDir, this.#base.pivot, ...command]
      const inNamespaces = [...namespaceCommand(spec), ...init]
      const whole = spec.process.tty ? onTerminal(inNamespaces, spec.process.consoleSize) : inNamespaces
      return await launch(this.#clock, spec.id, spec.runDir, spec.stdin, whole)
    } catch (error) {
      this.#cgroups.remove(spec.id)
      throw error
    }
  }

  async wait(running: Running, signal?: AbortSignal): Promise<Exit> {
    const { code, at } = await waitForExit(this.#clock, running, signal)
    const oomKilled = this.#cgroups.oomKills(running.id) > 0
    // In a pid namespace of its own everything has died with the first process; in a shared one, end the rest.
    if (this.#cgroups.pids(running.id).length > 0) this.#cgroups.kill(running.id)
    // What cannot be removed yet is left to a later runtime's sweep: the exit is what counts.
    await this.#removeCgroups(running.id)
    return { code, finishedAt: at, oomKilled }
  }

  isAlive(running: Running): boolean {
    return isSameProcess(running.pid, running.startTime)
  }

  async signal(running: Running, signal: NodeJS.Signals | number): Promise<void> {
    if (!this.isAlive(running)) throw new DockerError(409, `container ${running.id} is not running`)
    process.kill(running.pid, signal)
  }

  async killAll(running: Running): Promise<void> {
    if (this.isAlive(running)) process.kill(running.pid, 'SIGKILL')
    this.#cgroups.kill(running.id)
  }

  async pause(running: Running): Promise<void> {
    this.#cgroups.freeze(running.id, true)
  }

  async resume(running: Running): Promise<void> {
    this.#cgroups.freeze(running.id, false)
  }

  async exec(running: Running, spec: ContainerSpec, process: ProcessSpec, stdin: boolean): Promise<ExecProcess> {
    const lookup = lookupThrough(new LayeredView([{ dir: await this.#rootOf(running), at: '/' }]))
    const found = lookup(process.cwd)
    if (found === undefined)
      throw startError(`chdir to cwd ("${process.cwd}") set in config.json failed: no such file or directory`)
    const command = [...limitCommand(spec.ulimits), ...this.#programCommand(process, lookup)]
    return execIn(running, spec, command, {
      programs: this.#base.programs,
      cgroups: this.#cgroups.directories(running.id),
      stdin,
      tty: process.tty ?? false,
      consoleSize: process.consoleSize,
      clock: this.#clock,
    })
  }

  async resize(running: Running, rows: number, columns: number): Promise<void> {
    await resizeTerminal(this.#clock, () => [running.pid], rows, columns)
  }

  async update(running: Running, spec: ContainerSpec): Promise<void> {
    this.#cgroups.limit(running.id, spec.resources ?? {})
  }

  async usage(running: Running): Promise<Usage> {
    return this.#cgroups.usage(running.id)
  }

  async processes(running: Running): Promise<ProcessRow[]> {
    const inCgroup = this.#cgroups.pids(running.id)
    return rowsOf(inCgroup.length > 0 ? inCgroup : samePidNamespace(running.pid))
  }

  async changes(rootfs: Rootfs, running?: Running): Promise<Change[]> {
    const lower = new LayeredView(this.#branches(rootfs).slice(1))
    const own = new Set(this.#base.hostDirectories.map((name) => `/${name}`))
    return changesOf(join(rootfs.dir, 'upper'), lower, own, () => this.#merged(rootfs, running))
  }

  /** No need to mount anything: overlayfs copies whole files up, and every directory that leads to them. */
  async changedDirectory(rootfs: Rootfs, path: string): Promise<string> {
    return join(rootfs.dir, 'upper', path)
  }

  async pathIn(rootfs: Rootfs, path: string, running?: Running): Promise<string> {
    const found = new LayeredView([{ dir: await this.#merged(rootfs, running), at: '/' }]).find(path)
    if (found === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
    return found.hostPath
  }

  async copyOut(rootfs: Rootfs, path: string, destination: string): Promise<void> {
    if (!this.#view(rootfs).find(path)?.stat.isDirectory()) return
    const source = await this.pathIn(rootfs, path)
    await promisify(execFile)('cp', ['-a', '--', `${source}/.`, destination])
  }

  /** Never mounts a second view of a container that runs: two overlays on one writable layer break each other. */
  async #merged(rootfs: Rootfs, running?: Running): Promise<string> {
    return running === undefined ? this.#views.open(rootfs) : this.#rootOf(running)
  }

  /**
   * A running container's root, as seen from this machine. The program is started by this machine's own tools, which have
   * this machine's root up to their very last step (see init.sh): whoever comes that early has to wait for it.
   */
  async #rootOf({ id, pid }: Running): Promise<string> {
    // With the dot it is the directory, without it a link.
    const root = `/proc/${pid}/root/.`
    const machine = statSync('/')
    for (let attempt = 0; attempt < 1_000; attempt++) {
      const { dev, ino } = statSync(root)
      if (dev !== machine.dev || ino !== machine.ino) return root
      await this.#clock.sleep(5)
    }
    throw new DockerError(500, `the program of container ${id} is still being started`)
  }

  async cleanup(rootfs: Rootfs): Promise<void> {
    await this.#views.close(rootfs)
    rmSync(rootfs.dir, { recursive: true, force: true })
  }

  async close(): Promise<void> {
    await this.#views.closeAll()
    this.#cgroups.removeParents()
  }

  /** Ends what still runs of containers that are no longer known, and removes their cgroups, which are ours by name. */
  async sweep(knownIds: ReadonlySet<string>): Promise<string[]> {
    const stale: string[] = []
    for (const id of this.#cgroups.ids()) {
      if (knownIds.has(id)) continue
      this.#cgroups.kill(id)
      if (!(await this.#removeCgroups(id))) stale.push(`the cgroup of ${id}, a container that is gone, is busy`)
    }
    return stale
  }

  /** As Docker does, with the plain owner and mode of a new directory. */
  #makeWorkingDirectory({ rootfs, process }: ContainerSpec): void {
    prepareMountPoint(this.#view(rootfs), rootfs, { type: 'tmpfs', source: '', target: process.cwd, readOnly: false })
  }

  /** Privileges, environment, root directory and program, in this order; see launch.ts. */
  #programCommand(spec: ProcessSpec, lookup: Lookup): string[] {
    const read = (path: string) => {
      const found = lookup(path)
      return found?.isFile ? readFileSync(found.hostPath, 'utf8') : ''
    }
    const identity: Identity = identityOf(spec.user, spec.groupAdd ?? [], read('/etc/passwd'), read('/etc/group'))
    const env = spec.env.some((entry) => entry.startsWith('HOME=')) ? spec.env : [...spec.env, `HOME=${identity.home}`]
    const capDrop = this.#cgroups.canRestrictDevices ? spec.capDrop : [...(spec.capDrop ?? []), 'MKNOD']
    const executable = findExecutable({ ...spec, env }, lookup)
    return dropCommand(
      { ...spec, env, capDrop },
      identity,
      executable,
      this.#tools,
      lookup('/usr/bin/env') !== undefined,
    )
  }

  #plan(spec: ContainerSpec): Omit<MountPlan, 'mounts' | 'devices'> {
    return {
      ...this.#rootPlan(spec.rootfs),
      readOnlyRoot: spec.readOnlyRoot ?? false,
      privileged: spec.process.privileged ?? false,
      shmSizeBytes: spec.shmSizeBytes || DEFAULT_SHM_BYTES,
      masked: MASKED_PATHS.flatMap((path) => {
        const stat = statSync(path, { throwIfNoEntry: false })
        return stat === undefined ? [] : [{ path, directory: stat.isDirectory() }]
      }),
      readonly: READONLY_PATHS.filter((path) => existsSync(path)),
      cgroups: Object.keys(spec.resources ?? {}).length > 0 ? this.#cgroups.mounts(spec.id) : [],
    }
  }

  #rootPlan(rootfs: Rootfs): Pick<MountPlan, 'base' | 'rootfs' | 'lowerLinks' | 'lowerCount' | 'hostOverlays'> {
    const lowers = this.#lowers(rootfs)
    const overlays = rootfs.hostBase ? this.#base.hostDirectories : []
    return {
      base: this.#base,
      rootfs,
      lowerLinks: this.#linkLowers(rootfs),
      lowerCount: lowers.length,
      hostOverlays: overlays.map((name) => ({
        name,
        lowers: lowers.flatMap((layer, index) => (existsSync(join(layer, name)) ? [index] : [])),
      })),
    }
  }

  #viewPlan(rootfs: Rootfs): ViewPlan {
    const bare = {
      mounts: [],
      devices: [],
      cgroups: [],
      masked: [],
      readonly: [],
      readOnlyRoot: false,
      privileged: false,
      shmSizeBytes: 0,
    }
    const lines = fstabOf({ ...this.#rootPlan(rootfs), ...bare }).split('\n')
    return {
      fstab: `${lines.filter((line) => / (overlay|none) /.test(line) && !line.includes(` ${this.#base.programs}`)).join('\n')}\n`,
      directory: this.#linkLowers(rootfs),
      base: this.#base,
    }
  }

  /**
   * A directory of links with short names to the lower directories: all of them must fit into the one page that
   * mount(2) takes for its options. All containers of an image share it.
   */
  #linkLowers(rootfs: Rootfs): string {
    const lowers = this.#lowers(rootfs)
    const name = createHash('sha256').update(lowers.join('\n')).digest('hex').slice(0, 32)
    const directory = join(this.#base.lowers, name)
    if (this.#linked.has(name)) return directory
    mkdirSync(directory, { recursive: true })
    for (const [index, layer] of lowers.entries()) {
      const link = join(directory, String(index))
      if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(layer, link)
    }
    this.#linked.add(name)
    return directory
  }

  /** Lower directories, uppermost first. */
  #lowers(rootfs: Rootfs): string[] {
    return [this.#base.init, ...rootfs.layers.toReversed(), ...(rootfs.hostBase ? [this.#base.host] : [])]
  }

  #branches(rootfs: Rootfs): Branch[] {
    const branches = [join(rootfs.dir, 'upper'), ...this.#lowers(rootfs)].map((dir) => ({ dir, at: '/' }))
    if (!rootfs.hostBase) return branches
    const { hostDirectories, nodePrefix } = this.#base
    const own = [...hostDirectories.map((name) => `/${name}`), ...(nodePrefix === undefined ? [] : [nodePrefix])]
    return [...branches, ...own.map((dir) => ({ dir, at: dir }))]
  }

  /** `mounts` in the order in which they are mounted; a tmpfs has no source, and is empty. */
  #view(rootfs: Rootfs, mounts: Pick<Mount, 'source' | 'target'>[] = []): LayeredView {
    const mounted = mounts.map(({ source, target }) => ({ dir: source, at: target, covers: true }))
    return new LayeredView([...mounted.toReversed(), ...this.#branches(rootfs)])
  }

  /** The last process may still be on its way out of the cgroup. False if it stays. */
  async #removeCgroups(id: string): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      try {
        this.#cgroups.remove(id)
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
        if (attempt === 50) return false
        await this.#clock.sleep(10)
      }
    }
  }
}

function lookupThrough(view: LayeredView): Lookup {
  return (path) => {
    const found = view.find(path)
    return found && { path: found.path, hostPath: found.hostPath, mode: found.stat.mode, isFile: found.stat.isFile() }
  }
}

function deviceRule({ source, permissions }: { source: string; permissions: string }): string {
  const stat = statSync(source)
  const major = (stat.rdev >> 8) & 0xfff
  const minor = (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)
  return `${stat.isBlockDevice() ? 'b' : 'c'} ${major}:${minor} ${permissions || 'rwm'}`
}
