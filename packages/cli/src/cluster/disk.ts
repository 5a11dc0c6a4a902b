/**
 * Whether there is room where a cluster lives. On a full disk every component fails in words of its own; people
 * should be told the one cause.
 */

import { statfsSync } from 'node:fs'

/** Below this an image layer or a checkpoint of the database soon fails. */
const littleBytes = 64 << 20

/** What to tell people; undefined while there is room. */
export function diskTrouble(directory: string, free: (directory: string) => number = freeBytes): string | undefined {
  const left = free(directory)
  if (left > littleBytes) return undefined
  return `the disk of ${directory} is full (${(left / 2 ** 20).toFixed(0)} MiB left): make room there`
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}
