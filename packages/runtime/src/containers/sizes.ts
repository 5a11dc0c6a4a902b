/**
 * How much disk a directory takes, as `docker ps -s` and `docker system df` count it.
 */

import { lstatSync, readdirSync } from 'node:fs'
import { HeldDirectory, unlessReplaced } from '../snapshots/held-directory.ts'

/** Bytes of the regular files in a directory; a file with several names counts once. Programs may be at work in it. */
export function directorySize(directory: string): number {
  const root = HeldDirectory.open(directory)
  try {
    return sizeOf(root, new Set())
  } finally {
    root.close()
  }
}

function sizeOf(directory: HeldDirectory, seen: Set<number>): number {
  let total = 0
  for (const entry of readdirSync(directory.path, { withFileTypes: true })) {
    if (entry.isDirectory()) total += sizeOfEntry(directory, entry.name, seen)
    else if (entry.isFile()) {
      const stat = lstatSync(directory.at(entry.name), { throwIfNoEntry: false })
      if (stat === undefined || seen.has(stat.ino)) continue
      if (stat.nlink > 1) seen.add(stat.ino)
      total += stat.size
    }
  }
  return total
}

/** Nothing, if it has been removed or replaced since its name was read. */
function sizeOfEntry(directory: HeldDirectory, name: string, seen: Set<number>): number {
  const inner = unlessReplaced(() => directory.enter(name))
  if (inner === undefined) return 0
  try {
    return sizeOf(inner, seen)
  } finally {
    inner.close()
  }
}
