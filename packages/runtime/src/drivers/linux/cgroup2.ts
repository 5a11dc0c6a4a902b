/**
 * Version 2 of control groups: where containers can have theirs, and with which controllers. Follows the kernel's
 * Documentation/admin-guide/cgroup-v2.rst:
 *
 * - A controller reaches a cgroup if every one above it hands it down, by its cgroup.subtree_control.
 * - "No internal processes": a cgroup that hands controllers down has no processes itself. Only the machine's root may.
 *   So where the runtime's own cgroup has to do, its processes move out of the way, into a child that is called
 *   leafName, if they are all Dinghy's; a shell, or whatever else lives there, is not ours to move.
 * - Who moves a process needs write access to cgroup.procs of the cgroup that the old place and the new one have in
 *   common. Below the runtime's own cgroup an ordinary user has that if the cgroup was delegated to him.
 * - Without any controller a cgroup can still be frozen and killed as a whole.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { readStat } from '../process-table.ts'

export interface Place<Name extends string> {
  /** Directory under which containers get their cgroups. */
  parent: string
  controllers: Name[]
}

const leafName = 'dinghy-itself'
/** What the kernel says to those who may not, and where it cannot. */
const refusals = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSPC']

/**
 * The best of the machine's root and the runtime's own cgroup; undefined if neither takes cgroups. `own` is a path as
 * in /proc/self/cgroup, and `name` becomes the name of the containers' parent.
 */
export function findPlace<Name extends string>(
  mountPoint: string,
  own: string,
  name: string,
  wanted: Name[],
): Place<Name> | undefined {
  const ownPlace = basename(own) === leafName ? dirname(own) : own
  const atRoot = usePlace(mountPoint, name, wanted)
  if (ownPlace === '/' || (atRoot !== undefined && atRoot.controllers.length > 0)) return atRoot
  const beside = usePlace(join(mountPoint, ownPlace), name, wanted)
  if (beside === undefined) return atRoot
  if (atRoot === undefined) return beside
  const [better, worse] = beside.controllers.length > 0 ? [beside, atRoot] : [atRoot, beside]
  rmdirIfEmpty(worse.parent)
  return better
}

/** Makes `name` in the cgroup `place`, and hands down to it as many of the wanted controllers as the kernel lets us. */
export function usePlace<Name extends string>(
  place: string,
  name: string,
  wanted: Name[],
  self = process.pid,
): Place<Name> | undefined {
  const parent = join(place, name)
  if (!isAllowed(() => accessSync(join(place, 'cgroup.procs'), constants.W_OK))) return undefined
  if (!isAllowed(() => mkdirSync(parent, { recursive: true }))) return undefined
  const offered = readFileSync(join(place, 'cgroup.controllers'), 'utf8').trim().split(' ')
  // One by one: the kernel takes all of a line or nothing, and single ones may be impossible (cpu with real-time
  // processes).
  const controllers = wanted.filter(
    (controller) =>
      offered.includes(controller) && handDown(place, controller, self) && handDown(parent, controller, self),
  )
  return { parent, controllers }
}

function handDown(directory: string, controller: string, self: number): boolean {
  const enable = () => writeFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`)
  // Those who are moved may have children meanwhile.
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      return isAllowed(enable)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
      if (!moveIntoLeaf(directory, self)) return false
    }
  }
  return false
}

/** Clears a cgroup of its processes; false if there are any that are not Dinghy's. */
function moveIntoLeaf(directory: string, self: number): boolean {
  const pids = processesIn(directory)
  const first = topmostOf(self, pids)
  if (first === undefined || !isNode(first) || !pids.every((pid) => ancestryOf(pid).includes(first))) return false
  const leaf = join(directory, leafName)
  mkdirSync(leaf, { recursive: true })
  for (const pid of pids) {
    try {
      writeFileSync(join(leaf, 'cgroup.procs'), String(pid))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  return true
}

/** The eldest of the ancestors of `self`, itself included, that is among these. */
function topmostOf(self: number, pids: number[]): number | undefined {
  return ancestryOf(self).findLast((pid) => pids.includes(pid))
}

/** A process, its parent, and so on. */
function ancestryOf(pid: number): number[] {
  const found: number[] = []
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = readStat(at)?.ppid) found.push(at)
  return found
}

/** Dinghy's supervisor, its command line, npm: whatever started this process with the same Node. */
function isNode(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === readlinkSync('/proc/self/exe')
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

function processesIn(directory: string): number[] {
  return readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
}

function isAllowed(act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    if (refusals.includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

function rmdirIfEmpty(directory: string): void {
  if (existsSync(directory)) isAllowed(() => rmdirSync(directory))
}
