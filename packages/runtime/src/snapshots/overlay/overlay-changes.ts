/**
 * `docker diff` of an overlay: the writable layer compared with what lies below it.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import type { LayerView } from '@dinghy/images/layers/layer-view'
import type { Change } from '@dinghy/images/layers/snapshotter'

/** Mounted over in every container, so never a change. */
const driverDirectories = new Set(['/dev', '/proc', '/sys'])
/** Made for the runtime's own mounts; empty files in the writable layer. */
const ownFiles = new Set(['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/.dockerenv', '/.dinghy'])

/** Parents before children, names in order. `merged` gives the mounted view, asked for only if it is needed. */
export async function changesOf(
  upper: string,
  lower: LayerView,
  /** Made by the driver for overlays of their own, such as `/usr`; nobody can replace one by a directory that hides. */
  ownDirectories: ReadonlySet<string>,
  merged: () => Promise<string>,
): Promise<Change[]> {
  const changes: Change[] = []
  await walk('/')
  return changes

  async function walk(directory: string): Promise<boolean> {
    let changed = false
    const names = readdirSync(join(upper, directory)).toSorted()
    for (const name of names) {
      const path = join(directory, name)
      if (driverDirectories.has(path) || ownFiles.has(path)) continue
      const stat = lstatSync(join(upper, path))
      const below = lower.realPath(directory) === directory ? lower.lookup(path, 'keep')?.stat : undefined
      if (isWhiteout(stat)) {
        if (below !== undefined) changes.push({ path, kind: 'delete' })
        changed = true
        continue
      }
      const at = changes.length
      changes.push({ path, kind: below === undefined ? 'add' : 'modify' })
      const isDirectory = stat.isDirectory()
      const changedInside = isDirectory && (await walk(path))
      if (isDirectory && below?.isDirectory()) {
        const hidden = ownDirectories.has(path) ? [] : await hiddenIn(path)
        for (const name of hidden) changes.push({ path: name, kind: 'delete' })
        // A directory that was only copied up for something that then was left alone.
        const isUntouched = ownDirectories.has(path) || isSameDirectory(stat, below)
        if (!changedInside && changes.length === at + 1 && isUntouched) {
          changes.pop()
          continue
        }
      }
      changed = true
    }
    return changed
  }

  /** What an opaque directory hides without a whiteout for each name. */
  async function hiddenIn(directory: string): Promise<string[]> {
    const own = new Set(readdirSync(join(upper, directory)))
    const below = lower.readdir(directory).filter((name) => !own.has(name))
    if (below.length === 0) return []
    const shown = new Set(readdirSync(join(await merged(), directory)))
    return below.filter((name) => !shown.has(name)).map((name) => join(directory, name))
  }
}

function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0
}

function isSameDirectory(upper: Stats, lower: Stats): boolean {
  return (
    upper.mode === lower.mode && upper.uid === lower.uid && upper.gid === lower.gid && upper.mtimeMs === lower.mtimeMs
  )
}
