/**
 * One runtime of its own for end-to-end tests: the built process on a socket in a temporary directory.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, type Dirent, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Docker from 'dockerode'
import type { Output } from './cluster.ts'

const runtime = resolve(import.meta.dirname, '../../../packages/runtime')
const main = join(runtime, 'dist/bundle/main.js')
export const rootlessLauncher = join(runtime, 'src/drivers/linux/rootless.sh')

/** A user of this machine; `spawn` takes it as it is. */
export interface User {
  uid: number
  gid: number
}

export class RuntimeProcess {
  readonly dir = mkdtempSync(join(tmpdir(), 'runtime-'))
  readonly socket = join(this.dir, 'docker.sock')
  readonly root = join(this.dir, 'runtime')
  readonly docker = new Docker({ socketPath: this.socket })
  readonly #flags: string[]
  /** Started as an ordinary user's, who gets the linux driver by way of a launcher. */
  #isRootless = process.platform === 'linux' && process.getuid?.() !== 0
  #user: User | undefined
  #child: ChildProcess | undefined
  /** A command that the runtime is started by, such as `nsenter …`. */
  startedBy: string[] = []

  constructor(...flags: string[]) {
    this.#flags = flags
    if (flags.includes('process')) this.#isRootless = false
  }

  /** As an ordinary user has it: `user`, if that is another than who runs the tests; in this cgroup. */
  rootless(user: User | undefined, cgroup?: string): this {
    this.#isRootless = true
    if (user) chownSync(this.dir, user.uid, user.gid)
    if (user && cgroup) this.startedBy = inCgroup(cgroup, user)
    else this.#user = user
    return this
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  async start(): Promise<void> {
    const flags = ['--socket', this.socket, '--root', this.root, '--log-level', 'warn', ...this.#flags]
    const launcher = this.#isRootless ? ['/bin/sh', rootlessLauncher, this.root] : []
    const [program = '', ...args] = [...this.startedBy, ...launcher, process.execPath, main, ...flags]
    this.#child = spawn(program, args, { ...this.#user, stdio: ['ignore', 'ignore', 'inherit'] })
    await eventually(async () => {
      expectAlive(this.#child)
      return this.docker.ping().then(
        () => true,
        () => false,
      )
    })
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  /** Removes every container, then the runtime and its files. */
  async destroy(): Promise<void> {
    for (const { Id } of await this.docker.listContainers({ all: true })) {
      await this.docker.getContainer(Id).remove({ force: true, v: true })
    }
    await this.end('SIGTERM')
    rmSync(this.dir, { recursive: true, force: true })
  }

  /** The real docker CLI. `input` is its stdin; without it stdin is empty. */
  cli(args: string[], input = ''): Output {
    const env = { ...process.env, DOCKER_HOST: `unix://${this.socket}`, DOCKER_CLI_HINTS: 'false' }
    const { status, stdout, stderr } = spawnSync('docker', args, { env, input, encoding: 'utf8', timeout: 60_000 })
    return { code: status ?? -1, stdout, stderr }
  }

  /** What is left on this machine of containers: processes, mounts, cgroups, FIFOs. */
  leftovers(): string[] {
    const processes = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => readIfThere(`/proc/${pid}/cmdline`).includes(`${this.root}/containers/`))
      .map((pid) => `process ${pid}`)
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.root))
    return [...processes, ...mounts, ...cgroupsOf(this.root), ...fifosOf(this.root)]
  }
}

/** Root goes there before it becomes that user. */
function inCgroup(cgroup: string, { uid, gid }: User): string[] {
  const become = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--']
  return ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup, ...become]
}

function expectAlive(child: ChildProcess | undefined): void {
  if (child?.exitCode != null) throw new Error(`the runtime exited with ${child.exitCode}`)
}

/** A runtime keeps its containers' cgroups in one directory of each hierarchy, named after its root. */
function cgroupsOf(root: string): string[] {
  const own = `dinghy-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  const hierarchies = mounts.flatMap(([, path = '', type]) => (type?.startsWith('cgroup') ? [join(path, own)] : []))
  return hierarchies.filter(existsSync).flatMap((path) => entries(path, (entry) => entry.isDirectory()))
}

/** Of the containers; the runtime keeps some unused ones elsewhere. */
function fifosOf(root: string): string[] {
  const containers = join(root, 'containers')
  const ids = existsSync(containers) ? readdirSync(containers) : []
  // Not all the rest below: an overlay's own directories are closed to an ordinary user.
  return ids.flatMap((id) => entries(join(containers, id, 'run'), (entry) => entry.isFIFO()))
}

function entries(path: string, isWanted: (entry: Dirent) => boolean): string[] {
  if (!existsSync(path)) return []
  const found = readdirSync(path, { withFileTypes: true, recursive: true })
  return found.filter(isWanted).map((entry) => join(entry.parentPath, entry.name))
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return ''
    throw error
  }
}

/** Asks again and again until the answer is yes. */
export async function eventually(isSo: () => Promise<boolean> | boolean, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so within ${timeoutMs} ms: ${isSo.toString()}`)
    await sleep(20)
  }
}
