/**
 * Makes what is mounted on. A missing target is created in the container's writable layer, as Docker does; parents that
 * exist only in the image are copied up with their owner and mode, or the empty new directory would hide those.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Mount } from '../mount.ts'
import type { LayerView } from '@dinghy/images/layers/layer-view'
import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import { startError } from '../../start-error.ts'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import { HeldDirectory, makeDirectoriesIn } from '../held-directory.ts'

/**
 * The target's real path inside the container, links resolved there and not on the machine. `earlier` are the mounts,
 * targets resolved, that will lie under this one; `view` shows them too, because a link in a volume must not lead
 * mount(8) out of the root.
 */
export function prepareMountPoint(view: LayerView, rootfs: Rootfs, mount: Mount, earlier: Mount[] = []): string {
  const path = view.realPath(mount.target)
  const isDirectory = mount.type !== 'bind' || statSync(mount.source).isDirectory()
  const found = view.lookup(path)
  if (found !== undefined) {
    if (found.stat.isDirectory() !== isDirectory) throw notOfOneType(mount)
    return path
  }
  const around = enclosing(path, earlier)
  // Empty when it is mounted: mount(8) makes the directory in it, see fstabOf().
  if (around?.type === 'tmpfs') return path
  if (around?.readOnly) {
    throw startError(`create mountpoint for ${mount.target} mount: mkdirat ${path}: read-only file system`)
  }
  if (around === undefined) copyUpDirectories(view, join(rootfs.dir, 'upper'), dirname(path))
  const [base, below] =
    around === undefined ? [join(rootfs.dir, 'upper'), path] : [around.source, path.slice(around.target.length)]
  const directory = around?.real ? HeldDirectory.openReal(base) : HeldDirectory.open(base)
  makeBelow(directory, below.split('/').filter(Boolean), !isDirectory)
  return path
}

function notOfOneType({ source, target }: Mount): Error {
  return startError(
    `error during container init: error mounting "${source}" to rootfs at "${target}": not a directory`,
    'Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type',
  )
}

/**
 * Follows no link: other containers may write to a volume, and could put a link to somewhere else on this machine in
 * the place of a directory that was there a moment ago.
 */
function makeBelow(base: HeldDirectory, parts: string[], lastIsFile: boolean): void {
  const directory = makeDirectoriesIn(base, lastIsFile ? parts.slice(0, -1) : parts)
  try {
    if (lastIsFile) writeFileSync(directory.at(parts.at(-1) ?? ''), '', { flag: 'wx' })
  } finally {
    directory.close()
  }
}

/** The innermost of the mounts that `path` lies in. */
export function enclosing(path: string, mounts: Mount[]): Mount | undefined {
  return mounts
    .filter(({ target }) => path.startsWith(`${target}/`))
    .toSorted((a, b) => b.target.length - a.target.length)[0]
}

/** Makes sure that `directory` (a real path of the view) exists in the upper layer. */
function copyUpDirectories(view: LayerView, upper: string, directory: string): void {
  const parts = directory.split('/').filter(Boolean)
  for (const [index] of parts.entries()) {
    const path = `/${parts.slice(0, index + 1).join('/')}`
    const inUpper = join(upper, path)
    if (lstatSync(inUpper, { throwIfNoEntry: false }) !== undefined) continue
    const original = view.lookup(path)?.stat
    mkdirSync(inUpper)
    chmodSync(inUpper, (original?.mode ?? 0o755) & 0o7777)
    if (original !== undefined) chownAsFarAsPossible(inUpper, original)
  }
}

/** In a user namespace the directories of a host base belong to users who do not exist. */
function chownAsFarAsPossible(path: string, { uid, gid }: { uid: number; gid: number }): void {
  const users = userNamespace()
  chownSync(path, users.hasUser(uid) ? uid : 0, users.hasGroup(gid) ? gid : 0)
}
