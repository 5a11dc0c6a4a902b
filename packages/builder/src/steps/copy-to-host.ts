/** Copies a part of a view into an ordinary directory, for those who need one: mounts of a RUN. */
import { chmodSync, copyFileSync, lchownSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import type { LayerView } from '@dinghy/images/layers/layer-view'

/** Returns the host path of the copy: a directory, or a file if `path` is one. Throws when there is no such path. */
export function copyToHost(view: LayerView, path: string, destination: string): string {
  const root = view.lookup(path)
  if (!root) throw new Error(`${JSON.stringify(path)}: not found`)
  const isRoot = process.getuid?.() === 0
  for (const entry of view.walk(root.path)) {
    const target = join(destination, posix.relative(root.path, entry.path))
    mkdirSync(entry.stat.isDirectory() ? target : dirname(target), { recursive: true })
    if (entry.stat.isSymbolicLink()) symlinkSync(readlinkSync(entry.hostPath), target)
    else if (entry.stat.isFile()) copyFileSync(entry.hostPath, target)
    else if (!entry.stat.isDirectory()) continue
    if (isRoot) {
      const { uid, gid } = userNamespace().ownerOf(entry.stat)
      lchownSync(target, uid, gid)
    }
    if (!entry.stat.isSymbolicLink()) chmodSync(target, entry.stat.mode & 0o7777)
  }
  return destination
}
