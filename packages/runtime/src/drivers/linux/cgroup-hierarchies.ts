/**
 * Which hierarchies of control groups this machine has for us: version 1, 2 or a mixture, at the root or beneath the
 * cgroup that the runtime itself lives in. What we may do there is not guessed but tried, by making the directory for
 * our containers.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPlace } from './cgroup2.ts'
import type { Controller } from './cgroup-limits.ts'
import {
  Cgroups,
  makeThreaded,
  read,
  removeUnused,
  wantedControllers,
  type Hierarchy,
  type IdleHierarchy,
} from './cgroups.ts'

const v1Wanted = ['memory', 'cpu', 'cpuacct', 'cpuset', 'pids', 'freezer', 'devices']

/**
 * The hierarchies of this machine in which we may make cgroups, tried out. `name` becomes part of their path.
 *
 * `everywhere`: also where there is nothing to control. Without a filter of system calls a container's root can make a
 * user and a cgroup namespace and mount any hierarchy, from the cgroup that it lives in downwards. In a hierarchy in
 * which it has none of its own that would be the whole machine's.
 */
export function detectCgroups(name: string, { everywhere }: { everywhere: boolean }): Cgroups {
  const mounts = cgroupMounts()
  const own = ownCgroups(readFileSync('/proc/self/cgroup', 'utf8'))
  const found: Hierarchy[] = []
  const idle: Hierarchy[] = []
  for (const [, mountPoint = '', type, options = ''] of mounts) {
    if (type === 'cgroup2') {
      const place = findPlace(mountPoint, own.get('') ?? '/', name, wantedControllers)
      if (place === undefined) continue
      found.push({ version: 2, ...place })
    } else if (type === 'cgroup') {
      const controllers = options.split(',').filter((option) => v1Wanted.includes(option)) as Controller[]
      if (controllers.length === 0 && !everywhere) continue
      const ownPlace = options.split(',').flatMap((option) => own.get(option) ?? [])
      const usable = tryParents(mountPoint, ['/', ...ownPlace], name, prepareV1)
      if (usable === undefined) continue
      const where = controllers.length > 0 ? found : idle
      where.push({ version: 1, parent: usable.parent, controllers })
    }
  }
  // A version 2 tree without controllers gives nothing beside version 1's freezer.
  if (found.some(({ version, controllers }) => version === 1 && controllers.includes('freezer'))) {
    const unified = found.findIndex(({ version, controllers }) => version === 2 && controllers.length === 0)
    if (unified >= 0) idle.push(...found.splice(unified, 1))
  }
  if (!everywhere) for (const { parent } of idle) removeUnused(parent)
  return new Cgroups(found, everywhere ? idle.map((hierarchy) => withEntrance(hierarchy, own.get('') === '/')) : [])
}

/**
 * To get into a cgroup of version 2 takes a process ten milliseconds, but its threads get into a threaded one at once,
 * if they come from the root.
 */
function withEntrance(hierarchy: Hierarchy, isAtRoot: boolean): IdleHierarchy {
  const { version, parent } = hierarchy
  if (version === 1) return { ...hierarchy, entrance: 'tasks' }
  return { ...hierarchy, entrance: isAtRoot && makeThreaded(parent) ? 'cgroup.threads' : 'cgroup.procs' }
}

/** Like removeParents(), for a runtime that has made them in hierarchies that we have no use for too. */
export function removeParentsEverywhere(name: string): void {
  for (const [, mountPoint = ''] of cgroupMounts()) removeUnused(join(mountPoint, name))
}

function cgroupMounts(): string[][] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type = '']) => type.startsWith('cgroup'))
}

/** /proc/self/cgroup as controller → path; version 2's is the empty name. */
export function ownCgroups(text: string): Map<string, string> {
  const own = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    for (const controller of controllers.split(',')) own.set(controller, path)
  }
  return own
}

/** The first place that takes a cgroup; being refused is the expected answer of most machines. */
function tryParents<T>(
  mountPoint: string,
  places: string[],
  name: string,
  prepare: (place: string, parent: string) => T | undefined,
): { parent: string; result: T } | undefined {
  for (const place of new Set(places)) {
    const parent = join(mountPoint, place, name)
    try {
      mkdirSync(parent, { recursive: true })
      const result = prepare(join(mountPoint, place), parent)
      if (result !== undefined) return { parent, result }
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'ENOENT', 'EINVAL', 'ENOTSUP'].includes(code)) throw error
    }
    removeEmpty(parent)
  }
  return undefined
}

/** A new cpuset has no CPUs and would take no process: it starts as a copy of its parent's. */
function prepareV1(place: string, parent: string): true {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const value = read(join(place, file))
    if (value !== undefined) writeFileSync(join(parent, file), value.trim())
  }
  if (existsSync(join(parent, 'cgroup.clone_children'))) writeFileSync(join(parent, 'cgroup.clone_children'), '1')
  return true
}

function removeEmpty(directory: string): void {
  if (!existsSync(directory)) return
  rmdirSync(directory)
}
