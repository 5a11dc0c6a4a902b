/**
 * What is different for the driver when its root is an ordinary user's, in a user namespace (rootless.sh): which mounts
 * need care, who a process can be, which devices there are, and what containers do not get, in words. Pure but for what
 * is read.
 */
import { accessSync, constants, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { DockerError, serverError } from '@dinghy/shared/docker/errors'
import type { UserNamespace } from '@dinghy/images/files/user-namespace'
import type { ContainerSpec, ProcessSpec } from '../driver.ts'
import { devices } from '../../snapshots/overlay/base-root.ts'
import { keptOptions } from '../../snapshots/overlay/kept-options.ts'
import { ttyGroupId, type NestedMounts } from './system-mounts.ts'
import type { Identity } from './user.ts'

/** Undefined for the machine's own root, whose mounts need no care. */
export function nestedMountsOf(
  users: UserNamespace,
  namespaces: ContainerSpec['namespaces'] = {},
): NestedMounts | undefined {
  if (!users.isNested) return undefined
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')
  return {
    shares: {
      pid: namespaces.pid === 'host',
      ipc: namespaces.ipc === 'host',
      network: (namespaces.network ?? 'host') === 'host',
    },
    hasTtyGroup: users.hasGroup(ttyGroupId),
    kept: (path) => keptOptions(mountinfo, realpathSync(path)),
  }
}

/**
 * Throws for a user or a group that was asked for and does not exist here: to run as somebody else is less than was
 * asked for.
 */
export function checkIdentity({ uid, gid }: Identity, spec: ProcessSpec, users: UserNamespace): void {
  if (!users.hasUser(uid) || !users.hasGroup(gid)) {
    const remedy = users.hasOneUser
      ? 'an ordinary user started this runtime, and root is the only user in it. Install newuidmap and newgidmap ' +
        '(package uidmap), and have a range of ids for yourself in /etc/subuid and /etc/subgid'
      : 'the range of ids in /etc/subuid and /etc/subgid does not reach that far'
    throw new DockerError(400, `cannot run as user ${uid}:${gid}: ${remedy}`)
  }
  const [group] = spec.groupAdd ?? []
  if (group !== undefined && !users.canSetGroups) {
    throw new DockerError(
      400,
      `cannot add the group ${group}: an ordinary user started this runtime, and its processes keep that user's groups. ` +
        'Install newuidmap and newgidmap (package uidmap), and have a range of ids in /etc/subuid and /etc/subgid',
    )
  }
}

/**
 * Throws where something is mounted below one of these top-level directories: the kernel then refuses them as layers of
 * an overlay, because a user namespace must not look below a mount, with no better word for it than "bad option".
 */
export function checkNothingIsMountedIn(directories: string[], mountinfo: string): void {
  const points = mountinfo.split('\n').map((line) => line.split(' ')[4] ?? '')
  const inTheWay = points.find((point) => directories.some((name) => point.startsWith(`/${name}/`)))
  if (inTheWay === undefined) return
  throw serverError(
    `something is mounted at ${inTheWay}, so that an ordinary user's containers cannot have its parent directories`,
  )
}

const noDevices = ['pts', 'shm', 'mqueue', 'console', 'ptmx', ...devices]

/** The devices that this user may open, for the privileged: their nodes, as paths of the machine. */
export function openableDevices(directory = '/dev'): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    if (directory === '/dev' && noDevices.includes(entry.name)) return []
    if (entry.isDirectory()) return isAllowed(path, constants.R_OK | constants.X_OK) ? openableDevices(path) : []
    const isDevice = entry.isCharacterDevice() || entry.isBlockDevice()
    return isDevice && (isAllowed(path, constants.R_OK) || isAllowed(path, constants.W_OK)) ? [path] : []
  })
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch (error) {
    if (['EACCES', 'EPERM', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** For describe(). */
export function rootlessFacts(users: UserNamespace): string[] {
  if (!users.isNested) return []
  return [
    users.hasOneUser
      ? 'rootless: root is the only user, so --user and USER are refused and all files are root’s; newuidmap and newgidmap (package uidmap) and ranges in /etc/subuid and /etc/subgid would give more'
      : 'rootless: containers have as many users as /etc/subuid and /etc/subgid give',
    'rootless: /sys is this machine’s, and this machine’s own files in images made of it belong to nobody: they can be replaced, not changed',
    'rootless: the privileged get the devices that this user may open; oom_score_adj cannot be lowered',
  ]
}
