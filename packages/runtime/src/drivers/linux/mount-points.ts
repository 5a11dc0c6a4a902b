/**
 * Makes what is mounted on. A missing target is created in the container's writable layer, as Docker does; parents that exist only in
 * the image are copied up with their owner and mode, or the empty new directory would hide those.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Mount, Rootfs } from '../driver.ts'
import type { LayeredView } from '../layered-view.ts'

/** The target's real path inside the container, links resolved there and not on the machine. */
export function prepareMountPoint(view: LayeredView, rootfs: Rootfs, mount: Mount): string {
  const { path, found } = view.resolve(mount.target)
  if (found !== undefined) return path
  const upper = join(rootfs.dir, 'upper')
  copyUpDirectories(view, upper, dirname(path))
  const wantsFile = mount.type === 'bind' && !statSync(mount.source).isDirectory()
  if (wantsFile) writeFileSync(join(upper, path), '')
  else mkdirSync(join(upper, path))
  return path
}

/** Makes sure that `directory` (a real path of the view) exists in the upper layer. */
export function copyUpDirectories(view: LayeredView, upper: string, directory: string): void {
  const parts = directory.split('/').filter(Boolean)
  for (const [index] of parts.entries()) {
    const path = `/${parts.slice(0, index + 1).join('/')}`
    const inUpper = join(upper, path)
    if (lstatSync(inUpper, { throwIfNoEntry: false }) !== undefined) continue
    const original = view.find(path)?.stat
    mkdirSync(inUpper)
    chmodSync(inUpper, (original?.mode ?? 0o755) & 0o7777)
    if (original !== undefined) chownSync(inUpper, original.uid, original.gid)
  }
}
