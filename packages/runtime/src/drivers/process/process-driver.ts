/**
 * The process driver: a container is a child process in a directory. Works on any system and for any user, and isolates
 * next to nothing; describe() says what.
 *
 * There is no file system of its own, so paths are translated on the way in (translate.ts), and mounts are links. What
 * Docker promises beyond that (names, networks, limits) is either kept elsewhere or said to be missing.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from '@dinghy/shared/docker/errors'
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
import type { Change, Rootfs } from '@dinghy/images/layers/snapshotter'
import { findExecutable, type Lookup } from '../executable.ts'
import { underInit } from '../init-process.ts'
import { exitCodeOf } from '../exit-code.ts'
import type { FifoPool } from '../fifo-pool.ts'
import type { SpareShell } from '../spare-shell.ts'
import { LayeredView } from '../../snapshots/layered-view.ts'
import { descendantsOf, isAlive, isSameProcess, rowsOf } from '../process-table.ts'
import { usageOf } from '../process-usage.ts'
import { scriptPath, createRunDir, launch, readShimPid, waitForExit } from '../shim.ts'
import { onTerminal, resizeTerminal } from '../terminal.ts'
import { protectedCommand } from './host-protection.ts'
import { changesSince, materialise, writeManifest } from './materialise.ts'
import { sessionPids } from './session.ts'
import { translateArgument, translateVariable, type Places } from './translate.ts'
import { toolEnvironment } from '../../tool-environment.ts'

export class ProcessDriver implements Driver {
  readonly name = 'process'
  readonly enforcesSeccomp = false
  readonly #clock: Clock
  readonly #fifos: FifoPool
  readonly #shells: SpareShell

  constructor(options: { clock: Clock; fifos: FifoPool; shells: SpareShell }) {
    this.#fifos = options.fifos
    this.#shells = options.shells
    this.#clock = options.clock
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

  async prepare(rootfs: Rootfs): Promise<void> {
    const root = rootOf(rootfs)
    if (existsSync(manifestOf(rootfs))) return
    // Begun and not finished by a runtime that was killed.
    rmSync(root, { recursive: true, force: true })
    materialise(rootfs.layers, root)
    for (const directory of ['tmp', 'etc']) mkdirSync(join(root, directory), { recursive: true })
    writeManifest(root, manifestOf(rootfs))
  }

  async createRunDir(runDir: string): Promise<void> {
    await createRunDir(this.#fifos, runDir)
  }

  async start(spec: ContainerSpec): Promise<Running> {
    await this.prepare(spec.rootfs)
    linkMounts(spec.rootfs, mountsOf(spec))
    const program = spec.init ? underInit(spec.process, hostLookup) : spec.process
    const { command, cwd, env } = this.#programCommand(spec, program)
    mkdirSync(cwd, { recursive: true })
    const cleaned = ['env', '-i', ...env, ...command]
    const guarded = spec.protectHost
      ? protectedCommand(cleaned, [
          spec.rootfs.dir,
          spec.runDir,
          ...mountsOf(spec)
            .filter(({ readOnly }) => !readOnly)
            .map(({ source }) => source),
        ])
      : cleaned
    const init = ['sh', scriptPath('process/init.sh'), spec.runDir, cwd, ...guarded]
    const whole = spec.process.tty ? onTerminal(init, spec.process.consoleSize) : init
    return launch(this.#clock, this.#shells, spec, whole)
  }

  async wait(running: Running, signal?: AbortSignal): Promise<Exit> {
    const { code, at } = await waitForExit(this.#clock, running, signal)
    // The end of PID 1 is the end of all, as it would be in a pid namespace.
    this.#signalSession(running, 'SIGKILL')
    return { code, finishedAt: at, oomKilled: false }
  }

  isAlive(running: Running): boolean {
    return isSameProcess(running.pid, running.startTime)
  }

  async signal(running: Running, signal: NodeJS.Signals | number): Promise<void> {
    if (!this.isAlive(running)) throw new DockerError(409, `container ${running.id} is not running`)
    process.kill(running.pid, signal)
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
    const { command, cwd, env } = this.#programCommand(spec, program)
    const whole = ['env', '-i', ...env, ...command]
    const [tool = '', ...args] = program.tty ? onTerminal(whole, program.consoleSize) : whole
    const child = spawn(tool, args, {
      cwd,
      detached: true,
      env: toolEnvironment,
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
      resize: (rows, columns) => resizeTerminal(this.#clock, () => descendantsOf(pid), rows, columns),
      kill: async () => {
        for (const one of descendantsOf(pid).reverse()) if (isAlive(one)) process.kill(one, 'SIGKILL')
      },
    }
  }

  async resize(running: Running, rows: number, columns: number): Promise<void> {
    await resizeTerminal(this.#clock, () => [running.pid], rows, columns)
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

  async close(): Promise<void> {
    this.#shells.close()
  }

  async changes(rootfs: Rootfs): Promise<Change[]> {
    const root = rootOf(rootfs)
    const own = new Set(madeForMounts(rootfs))
    return changesSince(root, manifestOf(rootfs), own)
  }

  async changedDirectory(rootfs: Rootfs, path: string): Promise<string> {
    return this.pathIn(rootfs, path)
  }

  async pathIn(rootfs: Rootfs, path: string): Promise<string> {
    const found = new LayeredView([{ dir: rootOf(rootfs), at: '/' }, ...hostBranches(rootfs)]).find(path)
    if (found === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
    return found.hostPath
  }

  async copyOut(rootfs: Rootfs, path: string, destination: string): Promise<void> {
    const found = new LayeredView([{ dir: rootOf(rootfs), at: '/' }]).find(path)
    if (found?.stat.isDirectory())
      await promisify(execFile)('cp', ['-a', `${found.hostPath}/.`, destination], { env: toolEnvironment })
  }

  async cleanup(rootfs: Rootfs): Promise<void> {
    rmSync(rootfs.dir, { recursive: true, force: true })
  }

  #programCommand(spec: ContainerSpec, program: ProcessSpec): { command: string[]; cwd: string; env: string[] } {
    const root = rootOf(spec.rootfs)
    const places: Places = { root, mounts: mountsOf(spec), exists: (path) => existsSync(path) }
    const view = new LayeredView([
      ...mountsOf(spec).map(({ source, target }) => ({ dir: source, at: target })),
      { dir: root, at: '/' },
    ])
    // The container's own file, else this machine's: every image stands on its programs here.
    const lookup: Lookup = (path) => {
      const hostPath = view.find(path)?.hostPath ?? path
      const stat = statSync(hostPath, { throwIfNoEntry: false })
      return stat && { path: hostPath, hostPath, mode: stat.mode, isFile: stat.isFile() }
    }
    const found = findExecutable(program, lookup)
    const executable = lookup(found)?.hostPath ?? found
    const cwd = view.find(program.cwd)?.hostPath ?? join(root, program.cwd)
    return {
      command: [executable, ...program.args.slice(1).map((argument) => translateArgument(argument, places))],
      cwd,
      env: program.env.map((entry) => translateVariable(entry, places)),
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

function rootOf({ dir }: Rootfs): string {
  return join(dir, 'root')
}
function linksOf({ dir }: Rootfs): string {
  return join(dir, 'links.json')
}
function manifestOf({ dir }: Rootfs): string {
  return join(dir, 'manifest.json')
}

/** A host base shows this machine's programs. */
function hostBranches({ hostBase }: Rootfs): { dir: string; at: string }[] {
  if (!hostBase) return []
  const directories = ['/usr', '/bin', '/sbin', '/lib', '/lib64'].filter((dir) => existsSync(dir))
  return directories.map((dir) => ({ dir, at: dir }))
}

/** A tmpfs is a directory of the container, there being nothing to mount. */
function mountsOf(spec: ContainerSpec): { source: string; target: string; readOnly: boolean }[] {
  return spec.mounts.map(({ type, source, target, readOnly }) => {
    if (type === 'bind') return { source, target, readOnly }
    const directory = join(spec.rootfs.dir, 'tmpfs', target)
    mkdirSync(directory, { recursive: true })
    return { source: directory, target, readOnly }
  })
}

/**
 * Links in the places of the mounts, for programs that get there by a relative path. What was made for them is noted:
 * it is no change of the container's.
 */
function linkMounts(rootfs: Rootfs, mounts: { source: string; target: string }[]): void {
  const root = rootOf(rootfs)
  const made = madeForMounts(rootfs)
  for (const { source, target } of mounts) {
    const path = join(root, target)
    if (made.includes(target)) rmSync(path, { force: true })
    // What the image has at that place would be hidden by a mount; here it stays, and translated paths go past it.
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue
    const firstDirectory = mkdirSync(dirname(path), { recursive: true })
    if (firstDirectory !== undefined) made.push(firstDirectory.slice(root.length))
    symlinkSync(source, path)
    made.push(target)
  }
  writeFileSync(linksOf(rootfs), JSON.stringify([...new Set(made)]))
}

function madeForMounts(rootfs: Rootfs): string[] {
  const file = linksOf(rootfs)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : []
}
