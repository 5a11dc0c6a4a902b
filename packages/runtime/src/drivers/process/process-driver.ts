/**
 * The process driver: a container is a child process in a directory. Works on any system and for any user, and isolates
 * next to nothing; describe() says what.
 *
 * There is no file system of its own, so paths are translated on the way in (translate.ts), and mounts are links. What
 * Docker promises beyond that (names, networks, limits) is either kept elsewhere or said to be missing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LayerView } from '@dinghy/images/layers/layer-view'
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
import { canSplit, environmentCommand, handedDown } from '../environment.ts'
import { findExecutable, type Lookup } from '../executable.ts'
import { underInit } from '../init-process.ts'
import { exitCodeOf } from '../exit-code.ts'
import type { CopySnapshotter } from '../../snapshots/copy/copy-snapshotter.ts'
import { descendantsOf, isAlive, rowsOf } from '../process-table.ts'
import { usageOf } from '../process-usage.ts'
import { scriptPath, readShimPid } from '../shim.ts'
import { ShimDriver, type ShimDriverOptions } from '../shim-driver.ts'
import { onTerminal, resizeTerminal } from '../terminal.ts'
import { protectedCommand } from './host-protection.ts'
import { sessionPids } from './session.ts'
import { translateArgument, translateVariable, type Places } from './translate.ts'
import { toolEnvironment } from '../../tool-environment.ts'

export class ProcessDriver extends ShimDriver implements Driver {
  readonly name = 'process'
  readonly enforcesSeccomp = false
  readonly #snapshots: CopySnapshotter
  #envSplits: boolean | undefined

  constructor(options: ShimDriverOptions & { snapshots: CopySnapshotter }) {
    super(options)
    this.#snapshots = options.snapshots
  }

  describe(): string[] {
    return [
      'containers are ordinary processes: they see this machine’s files and processes, and can change what you can change',
      'no limits of memory, CPU or processes are enforced',
      'a container’s own files are reached by translating absolute paths in arguments and variables; paths inside programs and scripts mean this machine’s',
      'USER, capabilities, host names and /etc/hosts of containers have no effect',
    ]
  }

  warningsFor({ memoryBytes, nanoCpus, cpuQuotaUs, cpuShares, pids }: Resources): string[] {
    const discarded: [unknown, string][] = [
      [memoryBytes, 'memory limit'],
      [nanoCpus || cpuQuotaUs || cpuShares, 'CPU limit'],
      [pids, 'PIDs limit'],
    ]
    return [
      'The process driver isolates nothing: this container is a process of this machine, with its files and its network.',
      ...discarded.flatMap(([asked, what]) =>
        asked ? [`The process driver does not support ${what} capabilities. Limitation discarded.`] : [],
      ),
    ]
  }

  async start(spec: ContainerSpec): Promise<Running> {
    await this.#snapshots.prepare(spec.rootfs)
    const mounts = this.#snapshots.linkMounts(spec.rootfs, spec.mounts)
    const program = spec.init ? underInit(spec.process, hostLookup) : spec.process
    const { command: cleaned, cwd, variables } = this.#programCommand(spec, program)
    mkdirSync(cwd, { recursive: true })
    const guarded = spec.protectHost
      ? protectedCommand(cleaned, [
          spec.rootfs.dir,
          spec.runDir,
          ...mounts.filter(({ readOnly }) => !readOnly).map(({ source }) => source),
        ])
      : cleaned
    const init = ['sh', scriptPath('process/init.sh'), spec.runDir, cwd, ...guarded]
    const whole = spec.process.tty ? onTerminal(init, spec.process.consoleSize) : init
    return this.launch(spec, whole, { variables })
  }

  async wait(running: Running, signal?: AbortSignal): Promise<Exit> {
    const { code, at } = await this.waitForExit(running, signal)
    // The end of PID 1 is the end of all, as it would be in a pid namespace.
    this.#signalSession(running, 'SIGKILL')
    return { code, finishedAtMs: at, oomKilled: false }
  }

  async killAll(running: Running): Promise<void> {
    this.#signalSession(running, 'SIGKILL')
  }

  async pause(running: Running): Promise<void> {
    this.#signalSession(running, 'SIGSTOP')
  }

  async resume(running: Running): Promise<void> {
    this.#signalSession(running, 'SIGCONT')
  }

  async exec(_running: Running, spec: ContainerSpec, program: ProcessSpec, stdin: boolean): Promise<ExecProcess> {
    const { command, cwd, variables } = this.#programCommand(spec, program)
    const [tool = '', ...args] = program.tty ? onTerminal(command, program.consoleSize) : command
    const child = spawn(tool, args, {
      cwd,
      detached: true,
      env: { ...toolEnvironment, ...variables },
      stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    })
    await once(child, 'spawn')
    if (child.stdout === null || child.stderr === null) throw new Error('an exec has pipes')
    if (program.tty) child.stderr.resume()
    const pid = child.pid ?? 0
    return {
      pid,
      stdin: child.stdin ?? undefined,
      stdout: child.stdout,
      stderr: program.tty ? undefined : child.stderr,
      exited: once(child, 'exit').then(([code, signal]) =>
        exitCodeOf(code as number | null, signal as NodeJS.Signals | null),
      ),
      resize: (rows, columns) => resizeTerminal(this.clock, () => descendantsOf(pid), rows, columns),
      kill: async () => {
        for (const one of descendantsOf(pid).reverse()) if (isAlive(one)) process.kill(one, 'SIGKILL')
      },
    }
  }

  async resize(running: Running, rows: number, columns: number): Promise<void> {
    await resizeTerminal(this.clock, () => [running.pid], rows, columns)
  }

  /** Limits are not enforced, which describe() and the warnings of create say. */
  async update(): Promise<void> {}

  async usage(running: Running): Promise<Usage> {
    return usageOf(this.#pids(running))
  }

  async processes(running: Running): Promise<ProcessRow[]> {
    return rowsOf(this.#pids(running))
  }

  async sweep(): Promise<string[]> {
    return []
  }

  /** The command becomes the program if `variables` are in its environment. */
  #programCommand(
    spec: ContainerSpec,
    program: ProcessSpec,
  ): { command: string[]; cwd: string; variables: Record<string, string> } {
    const root = this.#snapshots.rootOf(spec.rootfs)
    const mounts = this.#snapshots.placesOf(spec.rootfs, spec.mounts)
    const places: Places = { root, mounts, exists: (path) => existsSync(path) }
    const mounted = mounts.map(({ source, target }) => ({ directory: source, at: target }))
    const view = new LayerView([{ directory: root }, ...mounted.toReversed()])
    // The container's own file, else this machine's: every image stands on its programs here.
    const lookup: Lookup = (path) => {
      const hostPath = view.lookup(path)?.hostPath ?? path
      const stat = statSync(hostPath, { throwIfNoEntry: false })
      return stat && { path: hostPath, hostPath, mode: stat.mode, isFile: stat.isFile() }
    }
    const found = findExecutable(program, lookup)
    const executable = lookup(found)?.hostPath ?? found
    const cwd = view.lookup(program.cwd)?.hostPath ?? join(root, program.cwd)
    const args = program.args.slice(1).map((argument) => translateArgument(argument, places))
    const env = program.env.map((entry) => translateVariable(entry, places))
    this.#envSplits ??= canSplit('env')
    return {
      command: [...environmentCommand(env.length, 'env', this.#envSplits), executable, ...args],
      cwd,
      variables: handedDown(env),
    }
  }

  #pids(running: Running): number[] {
    const session = sessionPids(running, readShimPid(running.runDir))
    return session.length > 0 ? session : [running.pid]
  }

  #signalSession(running: Running, signal: NodeJS.Signals): void {
    for (const pid of sessionPids(running, readShimPid(running.runDir))) if (isAlive(pid)) process.kill(pid, signal)
  }
}

function hostLookup(path: string): ReturnType<Lookup> {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat && { path, hostPath: path, mode: stat.mode, isFile: stat.isFile() }
}
