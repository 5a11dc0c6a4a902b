/**
 * How much disk a directory takes, as `docker ps -s` and `docker system df` count it.
 */

import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Bytes of the regular files in a directory; a file with several names counts once. */
export function directorySize(directory: string, seen = new Set<number>()): number {
  let total = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) total += directorySize(path, seen)
    else if (entry.isFile()) {
      // A running container may remove it at any time.
      const stat = lstatSync(path, { throwIfNoEntry: false })
      if (stat === undefined || seen.has(stat.ino)) continue
      if (stat.nlink > 1) seen.add(stat.ino)
      total += stat.size
    }
  }
  return total
}
