/**
 * Devices as the OCI runtime makes them: a node with the same numbers, owner and mode as the machine's.
 */
import { readdirSync, statSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { DockerError } from '@dinghy/shared/docker/errors'

export interface DeviceNode {
  path: string
  type: 'b' | 'c'
  major: number
  minor: number
  fileMode: number
  uid: number
  gid: number
  /** Of r, w and m (make nodes of it). */
  permissions: string
}

/** As asked for with --device. Throws Docker's error for what is no device. */
export function deviceNode({
  source,
  target,
  permissions,
}: Record<'source' | 'target' | 'permissions', string>): DeviceNode {
  const stat = statSync(source, { throwIfNoEntry: false })
  const node = stat && nodeOf(stat, target, permissions || 'rwm')
  if (node !== undefined) return node
  const reason = stat === undefined ? 'no such file or directory' : 'not a device node'
  throw new DockerError(400, `error gathering device information while adding custom device "${source}": ${reason}`)
}

/** What the container has of its own, or the runtime makes anyway. */
const notShared = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'ptmx', '.lxc', '.lxd-mounts', '.udev'])

/** All devices of this machine, for a privileged container. */
export function machineDevices(directory = '/dev'): DeviceNode[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    if (notShared.has(entry.name) || entry.isSymbolicLink()) return []
    if (entry.isDirectory()) return machineDevices(path)
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return []
    const stat = statSync(path, { throwIfNoEntry: false })
    return (stat && nodeOf(stat, path, 'rwm')) ?? []
  })
}

function nodeOf(stat: Stats, path: string, permissions: string): DeviceNode | undefined {
  if (!stat.isBlockDevice() && !stat.isCharacterDevice()) return undefined
  return {
    path,
    type: stat.isBlockDevice() ? 'b' : 'c',
    // The kernel's encoding of dev_t, for numbers that fit into 32 bits.
    major: (stat.rdev >> 8) & 0xfff,
    minor: (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00),
    fileMode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    permissions,
  }
}
