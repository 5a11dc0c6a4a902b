/**
 * What a container has at /proc, /dev and /sys: file systems of its own, or, of what it shares with the machine, the
 * machine's. Pure.
 *
 * In a user namespace the kernel mounts a file system only for those who own what it shows: `proc` for a pid namespace
 * of one's own, `sysfs` for a network namespace, `mqueue` for an IPC namespace. What is shared is bound from the
 * machine instead. Device nodes cannot be made there and would not work, so those of the machine are bound, too.
 */
import { devices } from '../../snapshots/overlay/base-root.ts'

type MountEntry = [source: string, target: string, type: string, options: string]

/** What is different for mounts in a user namespace. */
export interface NestedMounts {
  /** What the container shares with the machine. */
  shares: { pid: boolean; ipc: boolean; network: boolean }
  /** The group that terminals should belong to exists. */
  hasTtyGroup: boolean
  /**
   * Options of the machine's mount at `path` that a copy of it must keep, each with a comma before it; see
   * keptOptions() of snapshots/overlay/kept-options.ts.
   */
  kept: (path: string) => string
}

export const ttyGroupId = 5

export function systemMounts(plan: {
  privileged: boolean
  shmSizeBytes: number
  /** The program's terminal comes from the devpts that is at /dev/pts already; see terminals.ts. */
  tty?: boolean
  nested?: NestedMounts | undefined
}): MountEntry[] {
  const { privileged, shmSizeBytes, tty = false, nested } = plan
  const ttyGroup = nested === undefined || nested.hasTtyGroup ? `,gid=${ttyGroupId}` : ''
  const proc: MountEntry = ['proc', '/proc', 'proc', 'nosuid,nodev,noexec']
  const own: MountEntry = [
    'devpts',
    '/dev/pts',
    'devpts',
    `nosuid,noexec,newinstance,ptmxmode=0666,mode=0620${ttyGroup}`,
  ]
  const ptys: MountEntry = tty ? ['/dev/pts', '/dev/pts', 'none', 'bind'] : own
  const shm: MountEntry = ['shm', '/dev/shm', 'tmpfs', `nosuid,nodev,noexec,mode=1777,size=${shmSizeBytes}`]
  const readOnly = privileged ? '' : ',ro'
  const sys: MountEntry = ['sysfs', '/sys', 'sysfs', `nosuid,nodev,noexec${readOnly}`]
  const queues: MountEntry = ['mqueue', '/dev/mqueue', 'mqueue', 'nosuid,nodev,noexec']
  if (nested === undefined) return [proc, ptys, shm, sys, queues]
  const { shares, kept } = nested
  return [
    shares.pid ? ['/proc', '/proc', 'none', 'rbind'] : proc,
    ...devices.map((name): MountEntry => [`/dev/${name}`, `/dev/${name}`, 'none', 'bind']),
    ptys,
    shm,
    ...(shares.network ? machineSys(privileged ? '' : `${readOnly}${kept('/sys')}`) : [sys]),
    ...(shares.ipc ? [] : [queues]),
  ]
}

/** Without the machine's cgroups, which would stay writable to whom they have been delegated. */
function machineSys(options: string): MountEntry[] {
  return [
    ['/sys', '/sys', 'none', `rbind${options}`],
    ['tmpfs', '/sys/fs/cgroup', 'tmpfs', 'ro,size=0'],
  ]
}
