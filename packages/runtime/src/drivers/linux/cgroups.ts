/**
 * Control groups, versions 1 and 2 and the mixture of both: limits, accounting, freezing, killing.
 *
 * A container has one directory `dinghy-…/<id>` in each hierarchy: beneath the root, so that it neither ends with the
 * session that the runtime was started in nor is lost to a runtime started in another; or, where the root is not
 * ours to use, beneath the cgroup that the runtime itself lives in. On version 2 there is one hierarchy with all
 * controllers; on version 1 each controller has its own; mixed machines also have a version 2 tree without controllers,
 * which still can freeze and kill where version 1 has no freezer.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { Resources, Usage } from '../driver.ts'
import { leaf, makeLeaf, removeWithLeaf, withDescendants } from './cgroup-leaf.ts'
import { limitWrites, type Controller } from './cgroup-limits.ts'

export interface Hierarchy {
  version: 1 | 2
  /** Directory under which containers get theirs. */
  parent: string
  controllers: Controller[]
}

/** One that controls nothing that we want, in which containers have a cgroup only to be in none of the machine's. */
export interface IdleHierarchy extends Hierarchy {
  /** The file by which a process gets in; `cgroup.threads` of a cgroup that is threaded. */
  entrance: 'tasks' | 'cgroup.threads' | 'cgroup.procs'
}

export const wantedControllers: Controller[] = ['memory', 'cpu', 'cpuset', 'pids']
/** null, zero, full, random, urandom, tty, console, ptmx and the pts; anything may be made. */
const allowedDevices = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0', '5:1', '5:2', '136:*'].map((id) => `c ${id} rwm`)
const mayMake = ['c *:* m', 'b *:* m']

/** The files by which a process gets into a container's cgroups. */
export interface Entrances {
  /** Version 1, or threaded: a process of one thread, such as a shell, writes a 0 here and is inside at once. */
  tasks: string[]
  /**
   * Version 2: takes the pid of whoever is to be moved. Before it moves a process the kernel waits for an RCU grace
   * period, some ten milliseconds; so have it done while there is other work.
   */
  procs: string[]
}

export class Cgroups {
  readonly #hierarchies: Hierarchy[]
  readonly #idle: IdleHierarchy[]
  /** What could not be used, for describe(). */
  readonly missing: string[]

  constructor(hierarchies: Hierarchy[], idle: IdleHierarchy[] = []) {
    this.#hierarchies = hierarchies
    this.#idle = idle
    const available = new Set(hierarchies.flatMap((hierarchy) => hierarchy.controllers))
    this.missing = wantedControllers.filter((controller) => !available.has(controller))
  }

  get available(): boolean {
    return this.#hierarchies.length > 0
  }

  has(controller: Controller): boolean {
    return !this.missing.includes(controller)
  }

  /** Makes the container's cgroups with their limits. Throws a 400 for a limit that this machine cannot enforce. */
  create(id: string, resources: Resources): void {
    for (const { parent } of [...this.#hierarchies, ...this.#idle]) mkdirSync(join(parent, id), { recursive: true })
    for (const { parent } of this.#idle) {
      // Below a threaded one nothing else takes processes.
      if (read(join(parent, 'cgroup.type'))?.trim() === 'threaded') makeThreaded(join(parent, id))
    }
    // Before 5.11 it was to be asked that what lives below counts.
    const memory = this.#versionOf('memory') === 1 ? this.#directory(id, 'memory') : undefined
    if (memory !== undefined) writeIfThere(join(memory, 'memory.use_hierarchy'), '1')
    this.limit(id, resources)
  }

  /** Whether device files made inside a container can be kept from working; only version 1 does that by files. */
  get canRestrictDevices(): boolean {
    return this.#versionOf('devices') === 1
  }

  /** Allows the harmless devices, and `extra` in the form "c 10:200 rwm"; making nodes stays possible, as in Docker. */
  restrictDevices(id: string, extra: string[]): void {
    const directory = this.#directory(id, 'devices')
    if (directory === undefined) return
    writeFileSync(join(directory, 'devices.deny'), 'a')
    const allow = openSync(join(directory, 'devices.allow'), 'w')
    try {
      for (const rule of [...mayMake, ...allowedDevices, ...extra]) writeSync(allow, rule)
    } finally {
      closeSync(allow)
    }
  }

  /** Throws a 400 for a limit that this machine cannot enforce, as limit() would. */
  checkLimits(resources: Resources): void {
    for (const { controller, what } of limitWrites(resources, (name) => this.#versionOf(name))) {
      if (this.parent(controller) === undefined) throw noController(controller, what)
    }
  }

  /** Whether swap is counted; many kernels are built or booted without. */
  get canLimitSwap(): boolean {
    const file = this.#versionOf('memory') === 2 ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes'
    return existsSync(join(this.parent('memory') ?? '', file))
  }

  limit(id: string, resources: Resources): void {
    for (const write of limitWrites(resources, (controller) => this.#versionOf(controller))) {
      const directory = this.#directory(id, write.controller)
      if (directory === undefined) {
        throw noController(write.controller, write.what)
      }
      if (write.optional && !existsSync(join(directory, write.file))) continue
      try {
        if (write.controller === 'cpuset' && existsSync(join(directory, leaf, write.file))) {
          // Version 1 (the leaf has no controllers in version 2), where neither may have what the one above it has not.
          writeFileSync(join(directory, write.file), read(join(directory, '..', write.file)) ?? '')
          writeFileSync(join(directory, leaf, write.file), write.value)
        }
        writeFileSync(join(directory, write.file), write.value)
      } catch (error) {
        throw new DockerError(400, `cannot limit ${write.what} to ${write.value}: ${messageOf(error)}`)
      }
    }
  }

  /** To be asked for when limits and devices are set: what lives below cannot be restricted everywhere. */
  entrances(id: string): Entrances {
    for (const directory of this.#directories(id)) makeLeaf(directory)
    const files = (wanted: 1 | 2, name: string) =>
      this.#hierarchies.filter(({ version }) => version === wanted).map(({ parent }) => join(parent, id, leaf, name))
    const [tasks, procs] = [files(1, 'tasks'), files(2, 'cgroup.procs')]
    for (const { parent, entrance } of this.#idle) {
      // A runtime that did without them may have started it.
      if (!existsSync(join(parent, id))) continue
      const kind = entrance === 'cgroup.procs' ? procs : tasks
      kind.push(join(parent, id, entrance))
    }
    return { tasks, procs }
  }

  /** What to show a container as its /sys/fs/cgroup. */
  mounts(id: string): { source: string; target: string }[] {
    const unified = this.#hierarchies.find(({ version, controllers }) => version === 2 && controllers.length > 0)
    if (unified !== undefined) return [{ source: join(unified.parent, id), target: '/sys/fs/cgroup' }]
    return this.#hierarchies
      .filter(({ version }) => version === 1)
      .map(({ parent, controllers }) => ({
        source: join(parent, id),
        target: `/sys/fs/cgroup/${controllers.join(',')}`,
      }))
  }

  /** Removes the cgroups of an ended container. Idempotent; a cgroup that still has processes stays and throws. */
  remove(id: string): void {
    for (const { parent } of [...this.#hierarchies, ...this.#idle]) removeWithLeaf(join(parent, id))
  }

  /** Like remove(); the last process may still be on its way out of the cgroup. False if it stays. */
  async removeWhenEmpty(id: string, clock: Clock): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      try {
        this.remove(id)
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
        if (attempt === 50) return false
        await clock.sleep(10)
      }
    }
  }

  /** Removes the directories that hold the containers' cgroups, unless there are any. */
  removeParents(): void {
    for (const { parent } of [...this.#hierarchies, ...this.#idle]) removeUnused(parent)
  }

  /** Ids that have a cgroup, so that those of containers which no longer exist can be removed. */
  ids(): string[] {
    const names = [...this.#hierarchies, ...this.#idle].flatMap(({ parent }) =>
      existsSync(parent)
        ? readdirSync(parent, { withFileTypes: true })
            .filter((entry) => entry.isDirectory())
            .map((entry) => entry.name)
        : [],
    )
    return [...new Set(names)]
  }

  pids(id: string): number[] {
    const [directory] = this.#directories(id)
    return directory === undefined ? [] : pidsIn(directory)
  }

  get canFreeze(): boolean {
    return this.#hierarchies.some(({ version, controllers }) => version === 2 || controllers.includes('freezer'))
  }

  /** Nothing is left to freeze of one that ends at this moment, such as while `docker commit` pauses it. */
  freeze(id: string, frozen: boolean): void {
    const v2 = this.#v2(id)
    if (v2 !== undefined) return writeIfThere(join(v2, 'cgroup.freeze'), frozen ? '1' : '0')
    const freezer = this.#directory(id, 'freezer')
    if (freezer === undefined) throw new DockerError(500, 'cannot pause: this machine has no cgroup freezer')
    writeIfThere(join(freezer, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED')
  }

  /** Kills every process; at once and forks included: frozen ones have no more children. */
  kill(id: string): void {
    const v2 = this.#v2(id)
    if (v2 !== undefined) killAllIn(v2)
    const freezer = this.#allPids(id).size > 0 ? this.#directory(id, 'freezer') : undefined
    if (freezer !== undefined) writeIfThere(join(freezer, 'freezer.state'), 'FROZEN')
    for (const pid of this.#allPids(id)) killIfAlive(pid)
    if (freezer !== undefined) writeIfThere(join(freezer, 'freezer.state'), 'THAWED')
  }

  /** Of all hierarchies: a process that was caught while it joined may be in some of them only. */
  #allPids(id: string): Set<number> {
    return new Set(this.#directories(id).flatMap(pidsIn))
  }

  oomKills(id: string): number {
    const directory = this.#directory(id, 'memory')
    if (directory === undefined) return 0
    const killsIn = (file: string) => Number(/^oom_kill (\d+)$/m.exec(read(join(directory, file)) ?? '')?.[1] ?? 0)
    // Version 1 counts where the process lived, also where an OCI runtime has put it.
    if (this.#versionOf('memory') === 2) return killsIn('memory.events')
    return killsIn('memory.oom_control') + killsIn(`${leaf}/memory.oom_control`)
  }

  usage(id: string): Usage {
    const v2 = this.#versionOf('memory') === 2
    const memory = this.#directory(id, 'memory') ?? ''
    const cpu = (v2 ? this.#v2(id) : this.#directory(id, 'cpuacct')) ?? ''
    const pids = this.#directory(id, 'pids') ?? ''
    const stat = keyed(read(join(memory, 'memory.stat')))
    const cpuStat = keyed(read(join(cpu, v2 ? 'cpu.stat' : 'cpuacct.stat')))
    // cpuacct.stat counts in USER_HZ.
    const ticks = 1e7
    return {
      cpuNanos: v2 ? (cpuStat['usage_usec'] ?? 0) * 1000 : number(read(join(cpu, 'cpuacct.usage'))),
      cpuUserNanos: v2 ? (cpuStat['user_usec'] ?? 0) * 1000 : (cpuStat['user'] ?? 0) * ticks,
      cpuKernelNanos: v2 ? (cpuStat['system_usec'] ?? 0) * 1000 : (cpuStat['system'] ?? 0) * ticks,
      memoryBytes: number(read(join(memory, v2 ? 'memory.current' : 'memory.usage_in_bytes'))),
      memoryPeakBytes: number(read(join(memory, v2 ? 'memory.peak' : 'memory.max_usage_in_bytes'))),
      memoryLimitBytes: number(read(join(memory, v2 ? 'memory.max' : 'memory.limit_in_bytes'))),
      memoryCacheBytes: stat['total_inactive_file'] ?? stat['inactive_file'] ?? 0,
      pids: number(read(join(pids, 'pids.current'))),
      pidsLimit: number(read(join(pids, 'pids.max'))),
      readBytes: 0,
      writeBytes: 0,
    }
  }

  #versionOf(controller: Controller): 1 | 2 | undefined {
    return this.#hierarchies.find(({ controllers }) => controllers.includes(controller))?.version
  }

  /** The directory with the containers' cgroups that a controller governs. */
  parent(controller: Controller): string | undefined {
    return this.#hierarchies.find(({ controllers }) => controllers.includes(controller))?.parent
  }

  #directory(id: string, controller: Controller): string | undefined {
    const parent = this.parent(controller)
    return parent === undefined ? undefined : join(parent, id)
  }

  #directories(id: string): string[] {
    return this.#hierarchies.map(({ parent }) => join(parent, id))
  }

  #v2(id: string): string | undefined {
    const parent = this.#hierarchies.find(({ version }) => version === 2)?.parent
    return parent === undefined ? undefined : join(parent, id)
  }
}

/** False where the kernel does not let it be one. */
export function makeThreaded(directory: string): boolean {
  const file = join(directory, 'cgroup.type')
  if (read(file)?.trim() === 'threaded') return true
  try {
    writeFileSync(file, 'threaded')
    return true
  } catch (error) {
    if (!['EOPNOTSUPP', 'ENOTSUP', 'EBUSY', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return false
  }
}

function noController(controller: Controller, what: string): DockerError {
  return new DockerError(
    400,
    `cannot limit ${what}: the ${controller} cgroup controller is not available on this machine`,
  )
}

function killAllIn(directory: string): void {
  // Older kernels do not have it.
  const file = join(directory, 'cgroup.kill')
  if (existsSync(file)) writeIfThere(file, '1')
}

/** An OCI runtime, or whoever saw its container end, may be removing the same cgroup at this moment. */
function writeIfThere(path: string, value: string): void {
  try {
    writeFileSync(path, value)
  } catch (error) {
    if (!['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Of a cgroup and those in it. */
function pidsIn(directory: string): number[] {
  const texts = withDescendants(directory).map((path) => read(join(path, 'cgroup.procs')) ?? '')
  return texts.flatMap((text) => text.split('\n').filter(Boolean).map(Number))
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A directory of cgroups stays as long as there are any. */
export function removeUnused(directory: string): void {
  try {
    rmdirSync(directory)
  } catch (error) {
    if (!['ENOENT', 'EBUSY', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Undefined where there is no such file, or the kernel keeps none. */
export function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes(code)) return undefined
    throw error
  }
}

/** `max`, and what does not exist, is no limit: 0. */
function number(text: string | undefined): number {
  const value = Number(text?.trim())
  return Number.isFinite(value) ? value : 0
}

function keyed(text: string | undefined): Record<string, number> {
  const pairs = (text ?? '').split('\n').map((line) => line.split(' '))
  return Object.fromEntries(pairs.map(([key = '', value]) => [key, Number(value)]))
}
