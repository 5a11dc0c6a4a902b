/**
 * What has to be found in /proc/self/mountinfo when everything is mounted. Containers that run already may write to a
 * volume, and can put a link in the place of a directory between the moment in which the runtime has looked and that in
 * which mount(8) does. Nobody but the new container's own scripts is in that mount namespace yet, so it is enough to
 * look afterwards: a start that has mounted something else, or somewhere else, ends there.
 */
import { closeSync, constants, openSync, readFileSync, readlinkSync } from 'node:fs'
import { posix } from 'node:path'
import type { Mount } from '../../snapshots/mount.ts'
import { enclosing } from '../../snapshots/overlay/mount-points.ts'
import { octal } from '../../snapshots/overlay/root-fstab.ts'
import { startError } from '../../start-error.ts'

/**
 * Parts of lines of mountinfo, one a line: `targetOf` a mount that lies in a bind, and the source of one that must be a
 * real path (Mount.real), which is mounted at `targetOf` it.
 */
export function expectedMounts(mounts: Mount[], targetOf: (mount: Mount) => string, sourceOf = sourceInTable): string {
  const lines = mounts.flatMap((mount, index) => {
    const isNested = enclosing(mount.target, mounts.slice(0, index))?.type === 'bind'
    if (!isNested && !mount.real) return []
    return ` ${mount.real ? `${sourceOf(mount.source)} ` : ''}${octal(targetOf(mount))} \n`
  })
  return lines.join('')
}

const openPath = 0o10_000_000 // O_PATH, which Node has no name for: to hold a file without opening it.

/** `major:minor root` of a mount of `path`, which has to be free of links. */
function sourceInTable(path: string): string {
  const fd = openSync(path, openPath | constants.O_NOFOLLOW)
  try {
    if (readlinkSync(`/proc/self/fd/${fd}`) !== path) throw startError(`a link has taken a place in ${path}`)
    const mountId = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? ''
    return rootIn(readFileSync('/proc/self/mountinfo', 'utf8'), mountId, path)
  } finally {
    closeSync(fd)
  }
}

/** What `path`, which lies in that mount, is called in its file system. Pure. */
export function rootIn(mountinfo: string, mountId: string, path: string): string {
  const [, , device, root = '', point = ''] =
    mountinfo
      .split('\n')
      .find((line) => line.startsWith(`${mountId} `))
      ?.split(' ') ?? []
  if (device === undefined) throw startError(`${path} lies in no mount of this machine`)
  return `${device} ${posix.join(root, posix.relative(point, octal(path)))}`
}
