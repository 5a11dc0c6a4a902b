/**
 * The oci driver: the linux driver's root file systems, with an OCI runtime (crun, runc) in the place of init.sh. It
 * writes a bundle, which is config.json in the run directory, and calls `run` on it under the same shim, so containers
 * outlive us as they do there.
 *
 * What it has over the linux driver: seccomp filters, device rules with cgroups version 2 too, a real /dev of its own
 * also for privileged containers, terminals that have a name inside. It costs time at every start.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { arch, release } from 'node:os'
import { dirname, join } from 'node:path'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { Mount } from '../../snapshots/mount.ts'
import type { ContainerSpec, Driver, ExecProcess, Exit, ProcessRow, ProcessSpec, Running, Usage } from '../driver.ts'
import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import { findExecutable, lookupThrough } from '../executable.ts'
import { startError } from '../../start-error.ts'
import { underInit } from '../init-process.ts'
import type { OverlaySnapshotter } from '../../snapshots/overlay/overlay-snapshotter.ts'
import { line } from '../../snapshots/overlay/root-fstab.ts'
import { capabilitiesOf, type Capability } from '../linux/capabilities.ts'
import { removeParentsEverywhere } from '../linux/cgroup-hierarchies.ts'
import type { Cgroups } from '../linux/cgroups.ts'
import { startExec } from '../linux/exec.ts'
import { expectedMounts } from '../linux/expected-mounts.ts'
import { samePidNamespace } from '../linux/namespaces.ts'
import { identityIn } from '../linux/user.ts'
import { linkScript } from '../../networks/bridge/links.ts'
import { readStat, rowsOf } from '../process-table.ts'
import { scriptPath } from '../shim.ts'
import { ShimDriver, type ShimDriverOptions } from '../shim-driver.ts'
import { onTerminal, resizeTerminal } from '../terminal.ts'
import { deviceNode, machineDevices } from './devices.ts'
import { failureIn, type OciRuntime } from './oci-runtime.ts'
import { capabilitiesIn, ociConfigOf, ociJson, ociProcessOf, type OciHook } from './oci-spec.ts'
import { seccompOf } from './seccomp.ts'
import { toolsPath } from '../../tool-environment.ts'

export class OciDriver extends ShimDriver implements Driver {
  readonly name = 'oci'
  readonly enforcesSeccomp = true
  readonly #cgroups: Cgroups
  readonly #cgroupParent: string
  readonly #runtime: OciRuntime
  readonly #snapshots: OverlaySnapshotter
  readonly #capabilities: ReadonlySet<Capability>

  /** `cgroupParent` is the name under which `cgroups` keeps the containers' own. */
  constructor(
    options: ShimDriverOptions & {
      snapshots: OverlaySnapshotter
      cgroups: Cgroups
      cgroupParent: string
      runtime: OciRuntime
    },
  ) {
    super(options)
    this.#snapshots = options.snapshots
    this.#cgroups = options.cgroups
    this.#cgroupParent = options.cgroupParent
    this.#runtime = options.runtime
    this.#capabilities = capabilitiesIn(ownBoundingSet())
  }

  describe(): string[] {
    const facts = [
      'AppArmor profiles are not applied',
      "the default seccomp filter lists what is forbidden, where Docker's lists what is allowed",
    ]
    if (this.#cgroups.missing.length > 0) facts.push(`no cgroup controller for: ${this.#cgroups.missing.join(', ')}`)
    return facts
  }

  warningsFor(): string[] {
    return []
  }

  async start(spec: ContainerSpec): Promise<Running> {
    const { id, rootfs, runDir } = spec
    this.#cgroups.checkLimits(spec.resources ?? {})
    checkPropagation(spec.mounts)
    await this.#snapshots.prepareStart(rootfs)
    // An OCI runtime that was killed has not said goodbye to it.
    await this.#runtime.forget(id)
    const mounts = this.#prepareMounts(rootfs, spec.mounts)
    this.#snapshots.makeDirectory(rootfs, spec.process.cwd)
    const lookup = lookupThrough(this.#snapshots.view(rootfs, mounts))
    const process = spec.init ? underInit(spec.process, lookup) : spec.process
    findExecutable(process, lookup)
    const { privileged, capAdd, capDrop } = process
    const capabilities = capabilitiesOf(capAdd, capDrop, privileged)
    const parts = makePlaces(mounts, join(runDir, 'parts'))
    const config = ociConfigOf(
      { ...spec, process },
      {
        root: this.#snapshots.base.rootfs,
        identity: identityIn(process, lookup),
        mounts: mounts.map((mount) => ({ ...mount, source: parts.get(mount)?.target ?? mount.source })),
        devices: privileged ? machineDevices() : (spec.devices ?? []).map(deviceNode),
        cgroupsPath: `/${this.#cgroupParent}/${id}`,
        cgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1,
        canLimitSwap: this.#cgroups.canLimitSwap,
        capabilities: this.#capabilities,
        seccomp: seccompOf(privileged ? 'unconfined' : spec.seccomp, { arch: arch(), kernel: release(), capabilities }),
        hooks: this.#hooks(spec),
      },
    )
    writeFileSync(join(runDir, 'config.json'), ociJson(config), { mode: 0o600 })
    const bound = [...parts.values()].map(({ source, target }) => `${line(source, target, 'none', 'rbind')}\n`).join('')
    writeFileSync(join(runDir, 'fstab'), this.#snapshots.fstab(rootfs, spec.readOnlyRoot ?? false) + bound)
    const expected = expectedMounts([...parts.values()], ({ target }) => target)
    if (expected !== '') writeFileSync(join(runDir, 'expected-mounts'), expected)
    const log = join(runDir, 'oci.log')
    const alone = ['unshare', '--mount', '--propagation', 'private']
    const mounted = ['sh', scriptPath('oci/run.sh'), runDir, this.#snapshots.linkLowers(rootfs)]
    const run = [...alone, ...mounted, ...this.#runtime.command(['run', '--bundle', runDir, id], log)]
    const whole = process.tty ? onTerminal(run, process.consoleSize) : run
    try {
      // A terminal never ends. `script` would turn the end of its input into a character.
      const stdin = process.tty ? 'keep' : spec.stdin
      return await this.launch({ id, runDir, stdin }, whole)
    } catch (error) {
      const failure = existsSync(log) ? failureIn(readFileSync(log, 'utf8')) : undefined
      throw failure === undefined ? error : startError(failure)
    }
  }

  async wait(running: Running, signal?: AbortSignal): Promise<Exit> {
    const { code, at } = await this.waitForExit(running, signal)
    const oomKilled = this.#cgroups.oomKills(running.id) > 0
    await this.#release(running.id)
    return { code, finishedAtMs: at, oomKilled }
  }

  override async endRun(id: string, runDir: string): Promise<void> {
    await super.endRun(id, runDir)
    await this.#release(id)
  }

  async killAll(running: Running): Promise<void> {
    if (this.isAlive(running)) process.kill(running.pid, 'SIGKILL')
    this.#cgroups.kill(running.id)
  }

  async pause(running: Running): Promise<void> {
    await this.#runtime.call(['pause', running.id])
  }

  async resume(running: Running): Promise<void> {
    await this.#runtime.call(['resume', running.id])
  }

  async exec(running: Running, spec: ContainerSpec, process: ProcessSpec, stdin: boolean): Promise<ExecProcess> {
    const lookup = lookupThrough(await this.#snapshots.viewOf(running))
    if (lookup(process.cwd) === undefined) {
      throw startError(`chdir to cwd ("${process.cwd}") set in config.json failed: no such file or directory`)
    }
    findExecutable(process, lookup)
    const circumstances = { identity: identityIn(process, lookup), capabilities: this.#capabilities }
    const file = join(running.runDir, `exec-${randomUUID()}.json`)
    // How the kernel's memory killer sees it is inherited.
    writeFileSync(file, ociJson(ociProcessOf(process, { ulimits: spec.ulimits ?? [] }, circumstances)), { mode: 0o600 })
    const command = this.#runtime.command(['exec', '--process', file, running.id])
    const { tty = false, consoleSize } = process
    const started = startExec(this.shells, running, command, {
      stdin,
      tty,
      consoleSize,
      clock: this.clock,
      onTerminal: ofContainers,
    })
    const forget = () => rmSync(file, { force: true })
    started.exited.then(forget, forget)
    return started
  }

  async resize(running: Running, rows: number, columns: number): Promise<void> {
    // The OCI runtime's own terminal first: it passes the size of that one on, when it starts and perhaps later.
    const runtime = readStat(running.pid)?.ppid
    await resizeTerminal(this.clock, () => (runtime === undefined ? [] : [runtime]), rows, columns)
    await resizeTerminal(this.clock, () => [running.pid], rows, columns)
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

  override async close(): Promise<void> {
    await super.close()
    removeParentsEverywhere(this.#cgroupParent)
  }

  async sweep(knownIds: ReadonlySet<string>): Promise<string[]> {
    const failures: string[] = []
    for (const id of new Set([...this.#runtime.ids(), ...this.#cgroups.ids()])) {
      if (knownIds.has(id)) continue
      try {
        if (!(await this.#release(id))) failures.push(`the cgroup of ${id}, a container that is gone, is busy`)
      } catch (error) {
        failures.push(messageOf(error))
      }
    }
    return failures
  }

  /**
   * Ends what is left of a container and gives back what is not in its directories. False if its cgroup is still busy.
   */
  async #release(id: string): Promise<boolean> {
    this.#cgroups.kill(id)
    await this.#runtime.forget(id)
    return this.#cgroups.removeWhenEmpty(id, this.clock)
  }

  /**
   * One that plugs it in, when there is a namespace to plug into and no program yet, and one that says that it runs.
   */
  #hooks({ runDir, interfaces = [] }: ContainerSpec): Record<string, OciHook[]> {
    const memory = this.#cgroups.parent('memory')
    const poststart = ['sh', scriptPath('oci/poststart.sh'), runDir, memory === undefined ? '' : dirname(memory)]
    return {
      ...(interfaces.length > 0 ? { createRuntime: [hook(['sh', '-c', linkScript(interfaces)])] } : {}),
      poststart: [hook(poststart)],
    }
  }

  /** Nothing of the image's /dev is seen in the end, so nothing is made there to be mounted on. */
  #prepareMounts(rootfs: Rootfs, wanted: Mount[]): Mount[] {
    const dev: Mount = { type: 'tmpfs', source: '', target: '/dev', readOnly: false }
    return this.#snapshots.prepareMounts(rootfs, wanted, [dev])
  }
}

/**
 * An OCI runtime mounts what it finds at a path. What must be a real path is therefore mounted by run.sh before, which
 * looks whether it is that, and the runtime takes it from there. Makes what it is mounted on, below `directory`.
 */
function makePlaces(mounts: Mount[], directory: string): Map<Mount, Mount> {
  const real = mounts.filter((mount) => mount.real)
  if (real.length > 0) mkdirSync(directory)
  return new Map(
    real.map((mount, index) => {
      const target = join(directory, String(index))
      if (statSync(mount.source).isDirectory()) mkdirSync(target)
      else writeFileSync(target, '')
      return [mount, { ...mount, target }]
    }),
  )
}

function hook(args: string[]): OciHook {
  return { path: '/bin/sh', args, env: [`PATH=${toolsPath}`] }
}

/**
 * There are two terminals: the one that `script` makes for the OCI runtime, and the one that this makes in the
 * container, whose /dev/pts is another file system. Not every OCI runtime passes on the size of the first.
 */
function ofContainers(pids: number[]): number[] {
  const ours = statSync('/dev/pts').dev
  return pids.filter((pid) => {
    const stat = statSync(`/proc/${pid}/fd/0`, { throwIfNoEntry: false })
    return stat?.isCharacterDevice() && stat.dev !== ours
  })
}

/**
 * The OCI runtime works in a mount namespace of its own, which hears of nothing that is mounted on this machine later.
 */
function checkPropagation(mounts: ContainerSpec['mounts']): void {
  const listening = mounts.find(({ propagation }) => propagation !== undefined)
  if (listening === undefined) return
  throw startError(
    `bind propagation ${listening.propagation} of ${listening.target} is not supported by the oci driver`,
  )
}

function ownBoundingSet(): bigint {
  const mask = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return BigInt(`0x${mask ?? '0'}`)
}
