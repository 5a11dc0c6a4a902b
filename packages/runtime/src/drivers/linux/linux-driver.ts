/**
 * The linux driver: namespaces, overlayfs, cgroups, capabilities, put together from the tools of util-linux by one
 * short shell script (init.sh). There is no helper binary and no process of ours per container but the waiting shim.
 *
 * It needs root: the machine's, or that of a user namespace (rootless.sh), which is an ordinary user; rootless.ts knows
 * what is different then.
 *
 * Differences from runc that a container can notice: no seccomp or AppArmor profile, and on machines with cgroups
 * version 2 only, no device filter (so no CAP_MKNOD either). describe() says so.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { serverError } from '@dinghy/shared/docker/errors'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import type {
  ContainerSpec,
  Driver,
  ExecProcess,
  Exit,
  ProcessRow,
  ProcessSpec,
  Resources,
  Running,
  Usage,
} from '../driver.ts'
import { findExecutable, lookupThrough, type Lookup } from '../executable.ts'
import { startError } from '../../start-error.ts'
import { underInit } from '../init-process.ts'
import { prepareMountPoint } from '../../snapshots/overlay/mount-points.ts'
import type { OverlaySnapshotter } from '../../snapshots/overlay/overlay-snapshotter.ts'
import { rowsOf, signalIfAlive } from '../process-table.ts'
import { usageOf } from '../process-usage.ts'
import { onTerminal, resizeTerminal } from '../terminal.ts'
import { scriptPath } from '../shim.ts'
import { ShimDriver, type ShimDriverOptions } from '../shim-driver.ts'
import { discardUnenforceable } from './cgroup-limits.ts'
import type { Cgroups } from './cgroups.ts'
import {
  dropCommand,
  fstabOf,
  limitCommand,
  maskedPaths,
  preludeOf,
  readonlyPaths,
  type Command,
  type MountPlan,
  type Tools,
} from './launch.ts'
import { continueMembers, holdMountNamespace, membersOf, stopMembers } from './members.ts'
import { execIn } from './exec.ts'
import { expectedMounts } from './expected-mounts.ts'
import { mayBeTraced, namespaceCommand } from './namespaces.ts'
import { checkPropagation } from './propagation.ts'
import { checkIdentity, checkNothingIsMountedIn, nestedMountsOf, openableDevices, rootlessFacts } from './rootless.ts'
import { onNewTerminals } from './terminals.ts'
import { openToolbox, prepareToolbox } from './toolbox.ts'
import { findTools } from './tools.ts'
import { identityIn, type Identity } from './user.ts'

const defaultShmBytes = 64 * 1024 * 1024

export class LinuxDriver extends ShimDriver implements Driver {
  readonly name = 'linux'
  readonly enforcesSeccomp = false
  readonly #snapshots: OverlaySnapshotter
  readonly #tools: Tools
  readonly #cgroups: Cgroups
  readonly #users = userNamespace()
  /** Where execs find their tools; made for the first of them. */
  #toolbox: Promise<string> | undefined

  constructor(options: ShimDriverOptions & { snapshots: OverlaySnapshotter; cgroups: Cgroups }) {
    super(options)
    this.#snapshots = options.snapshots
    this.#cgroups = options.cgroups
    this.#tools = findTools()
    prepareToolbox(this.#snapshots.base.tools, this.#tools.last)
    if (this.#users.isNested) {
      checkNothingIsMountedIn(this.#snapshots.base.hostDirectories, readFileSync('/proc/self/mountinfo', 'utf8'))
    }
  }

  describe(): string[] {
    const facts = [
      'seccomp and AppArmor profiles are not applied',
      'root of a container keeps CAP_SYS_CHROOT even if that is dropped',
      ...rootlessFacts(this.#users),
    ]
    const fate = this.#users.isNested ? 'discarded, with a warning' : 'refused'
    if (!this.#cgroups.available) facts.push(`no cgroups: memory, CPU and process limits are ${fate}`)
    else if (this.#cgroups.missing.length > 0)
      facts.push(`no cgroup controller for: ${this.#cgroups.missing.join(', ')}`)
    if (!this.#mayMakeDevices) {
      facts.push('devices cannot be filtered here, so containers do not get CAP_MKNOD')
    }
    return facts
  }

  warningsFor(resources: Resources): string[] {
    return this.#enforceable(resources).warnings
  }

  /**
   * An ordinary user has few of the limits; like rootless Docker we go on without. Root should learn that they are
   * missing.
   */
  #enforceable(resources: Resources = {}): { resources: Resources; warnings: string[] } {
    if (!this.#users.isNested) return { resources, warnings: [] }
    return discardUnenforceable(resources, (controller) => this.#cgroups.has(controller))
  }

  async start(spec: ContainerSpec): Promise<Running> {
    checkPropagation(spec.mounts)
    const { rootfs, tools } = this.#snapshots.base
    const init = ['sh', scriptPath('linux/init.sh'), spec.runDir, rootfs, tools, relative(rootfs, '/')]
    const inNamespaces = [...namespaceCommand(spec), ...init]
    // In a user namespace the terminals are the machine's.
    const onOne = this.#users.isNested ? onTerminal : onNewTerminals
    const whole = spec.process.tty ? onOne(inNamespaces, spec.process.consoleSize) : inNamespaces
    return this.launch(spec, whole, { prepare: () => this.#prepareStart(spec) })
  }

  /** Everything that init.sh will find: cgroups, what is mounted on, the fstab, the prelude. */
  async #prepareStart(spec: ContainerSpec): Promise<void> {
    const { rootfs } = spec
    this.#cgroups.create(spec.id, this.#enforceable(spec.resources).resources)
    await this.#snapshots.prepareStart(rootfs)
    if (this.#hasDevicesOverlay(spec)) this.#snapshots.prepareDevices(rootfs)
    const mounts = this.#snapshots.prepareMounts(rootfs, spec.mounts)
    const lookup = lookupThrough(this.#snapshots.view(rootfs, mounts))
    const process = spec.init ? underInit(spec.process, lookup) : spec.process
    this.#snapshots.makeDirectory(rootfs, spec.process.cwd)
    const identity = identityIn(process, lookup)
    const command = this.#programCommand(spec, process, identity, lookup)
    if (!spec.process.privileged) this.#cgroups.restrictDevices(spec.id, (spec.devices ?? []).map(deviceRule))
    const devices = [...(spec.devices ?? []), ...this.#devicesOfTheMachine(spec)].map(({ source, target }) => {
      const mount = { type: 'bind', source, target, readOnly: false } as const
      return { source, target: prepareMountPoint(this.#snapshots.view(rootfs), rootfs, mount) }
    })
    const lowers = this.#snapshots.linkLowers(rootfs)
    const entrances = this.#cgroups.entrances(spec.id)
    const prelude = preludeOf(spec, command, lowers, entrances, this.#users.isNested, identity.uid)
    const plan = { ...this.#plan(spec), mounts, devices }
    writeFileSync(join(spec.runDir, 'fstab'), fstabOf(plan))
    const expected = expectedMounts(mounts, ({ target }) => join(plan.base.rootfs, target))
    if (expected !== '') writeFileSync(join(spec.runDir, 'expected-mounts'), expected)
    writeFileSync(join(spec.runDir, 'prelude'), prelude)
  }

  async wait(running: Running, signal?: AbortSignal): Promise<Exit> {
    // In a pid namespace of its own everything dies with the first process; in a shared one, end the rest.
    const rest = this.#cgroups.available ? undefined : holdMountNamespace(running.pid)
    try {
      const { code, at } = await this.waitForExit(running, signal)
      const oomKilled = this.#cgroups.oomKills(running.id) > 0
      rest?.kill()
      if (this.#cgroups.pids(running.id).length > 0) this.#cgroups.kill(running.id)
      // What cannot be removed yet is left to a later runtime's sweep: the exit is what counts.
      await this.#cgroups.removeWhenEmpty(running.id, this.clock)
      return { code, finishedAtMs: at, oomKilled }
    } finally {
      rest?.close()
    }
  }

  override async endRun(id: string, runDir: string): Promise<void> {
    await super.endRun(id, runDir)
    this.#cgroups.kill(id)
    await this.#cgroups.removeWhenEmpty(id, this.clock)
  }

  async killAll(running: Running): Promise<void> {
    const members = this.#cgroups.available || !this.isAlive(running) ? [] : membersOf(running.pid)
    if (this.isAlive(running)) process.kill(running.pid, 'SIGKILL')
    for (const pid of members) signalIfAlive(pid, 'SIGKILL')
    this.#cgroups.kill(running.id)
  }

  async pause(running: Running): Promise<void> {
    if (this.#cgroups.canFreeze) this.#cgroups.freeze(running.id, true)
    else await stopMembers(this.clock, running.pid)
  }

  async resume(running: Running): Promise<void> {
    if (this.#cgroups.canFreeze) this.#cgroups.freeze(running.id, false)
    else continueMembers(running.pid)
  }

  async exec(running: Running, spec: ContainerSpec, process: ProcessSpec, stdin: boolean): Promise<ExecProcess> {
    const lookup = lookupThrough(await this.#snapshots.viewOf(running))
    const found = lookup(process.cwd)
    if (found === undefined)
      throw startError(`chdir to cwd ("${process.cwd}") set in config.json failed: no such file or directory`)
    const identity = identityIn(process, lookup)
    const commandOf = (afterDrop: string[]) => this.#programCommand(spec, process, identity, lookup, afterDrop)
    return execIn(this.shells, running, commandOf, {
      tools: await this.#openToolbox(),
      scratch: this.#snapshots.base.rootfs,
      mayTrace: process.tty === true && !spec.process.privileged && mayBeTraced(running.pid),
      cgroups: this.#cgroups.entrances(running.id),
      stdin,
      tty: process.tty ?? false,
      mayTakeTerminal: !this.#users.isNested,
      uid: identity.uid,
      consoleSize: process.consoleSize,
      clock: this.clock,
    })
  }

  #openToolbox(): Promise<string> {
    const { tools } = this.#snapshots.base
    this.#toolbox ??= openToolbox(tools, `bind,ro${nestedMountsOf(this.#users)?.kept(tools) ?? ''}`)
    this.#toolbox.catch(() => (this.#toolbox = undefined))
    return this.#toolbox
  }

  async resize(running: Running, rows: number, columns: number): Promise<void> {
    await resizeTerminal(this.clock, () => [running.pid], rows, columns)
  }

  async update(running: Running, spec: ContainerSpec): Promise<void> {
    this.#cgroups.limit(running.id, this.#enforceable(spec.resources).resources)
  }

  async usage(running: Running): Promise<Usage> {
    return this.#cgroups.has('memory') ? this.#cgroups.usage(running.id) : usageOf(membersOf(running.pid))
  }

  async processes(running: Running): Promise<ProcessRow[]> {
    const inCgroup = this.#cgroups.pids(running.id)
    return rowsOf(inCgroup.length > 0 ? inCgroup : membersOf(running.pid))
  }

  override async close(): Promise<void> {
    await super.close()
    this.#cgroups.removeParents()
  }

  /** Ends what still runs of containers that are no longer known, and removes their cgroups, which are ours by name. */
  async sweep(knownIds: ReadonlySet<string>): Promise<string[]> {
    const stale: string[] = []
    for (const id of this.#cgroups.ids()) {
      if (knownIds.has(id)) continue
      this.#cgroups.kill(id)
      if (!(await this.#cgroups.removeWhenEmpty(id, this.clock)))
        stale.push(`the cgroup of ${id}, a container that is gone, is busy`)
    }
    return stale
  }

  /** Those that should not be used do not work: cgroups see to that, or in a user namespace the kernel. */
  get #mayMakeDevices(): boolean {
    return this.#cgroups.canRestrictDevices || this.#users.isNested
  }

  /**
   * The privileged have every device of the machine: below their own /dev, or in a user namespace, where those would
   * not work, …
   */
  #hasDevicesOverlay({ process }: ContainerSpec): boolean {
    return (process.privileged ?? false) && !this.#users.isNested
  }

  /** … one by one, as far as they can be opened. */
  #devicesOfTheMachine({ process }: ContainerSpec): { source: string; target: string }[] {
    if (!process.privileged || !this.#users.isNested) return []
    return openableDevices().map((path) => ({ source: path, target: path }))
  }

  /** Limits, privileges, environment, root directory and program, in this order; see launch.ts. */
  #programCommand(
    { ulimits }: ContainerSpec,
    spec: ProcessSpec,
    identity: Identity,
    lookup: Lookup,
    afterDrop: string[] = [],
  ): Command {
    checkIdentity(identity, spec, this.#users)
    const env = spec.env.some((entry) => entry.startsWith('HOME=')) ? spec.env : [...spec.env, `HOME=${identity.home}`]
    const capDrop = this.#mayMakeDevices ? spec.capDrop : [...(spec.capDrop ?? []), 'MKNOD']
    const executable = findExecutable({ ...spec, env }, lookup)
    const { words, variables } = dropCommand(
      { ...spec, env, capDrop },
      identity,
      executable,
      this.#tools,
      lookup('/usr/bin/env') !== undefined,
      this.#users.canSetGroups,
      afterDrop,
    )
    return { words: [...limitCommand(ulimits), ...words], variables }
  }

  #plan(spec: ContainerSpec): Omit<MountPlan, 'mounts' | 'devices'> {
    return {
      ...this.#snapshots.plan(spec.rootfs, this.#hasDevicesOverlay(spec)),
      scratch: join(spec.runDir, 'tmpfs'),
      readOnlyRoot: spec.readOnlyRoot ?? false,
      privileged: spec.process.privileged ?? false,
      shmSizeBytes: spec.shmSizeBytes || defaultShmBytes,
      tty: (spec.process.tty ?? false) && !this.#users.isNested,
      masked: maskedPaths.flatMap((path) => {
        const stat = statSync(path, { throwIfNoEntry: false })
        return stat === undefined ? [] : [{ path, directory: stat.isDirectory() }]
      }),
      readonly: readonlyPaths.filter((path) => existsSync(path)),
      cgroups: Object.keys(spec.resources ?? {}).length > 0 ? this.#cgroups.mounts(spec.id) : [],
      nested: nestedMountsOf(this.#users, spec.namespaces),
    }
  }
}

function deviceRule({ source, permissions }: { source: string; permissions: string }): string {
  const stat = statSync(source, { throwIfNoEntry: false })
  if (stat === undefined || !(stat.isBlockDevice() || stat.isCharacterDevice())) {
    const why = stat === undefined ? 'no such file or directory' : 'not a device node'
    throw serverError(`error gathering device information while adding custom device ${JSON.stringify(source)}: ${why}`)
  }
  const major = (stat.rdev >> 8) & 0xfff
  const minor = (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)
  return `${stat.isBlockDevice() ? 'b' : 'c'} ${major}:${minor} ${permissions || 'rwm'}`
}
