/**
 * The cgroup that a container's processes are in: one below that of its limits, which are therefore not its own to
 * change.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { startError } from '../../start-error.ts'

export const leaf = 'program'

/** A cgroup with hardly any memory has no room for another one; the words are runc's. */
export function makeLeaf(directory: string): void {
  try {
    mkdirSync(join(directory, leaf), { recursive: true })
  } catch (error) {
    const isFull = ['ENOENT', 'ENOMEM'].includes((error as NodeJS.ErrnoException).code ?? '') && existsSync(directory)
    throw isFull ? startError('container init was OOM-killed (memory limit too low?)') : error
  }
}

/** Removes a container's cgroup with all that is in it. Idempotent; one that still has processes stays and throws. */
export function removeWithLeaf(directory: string): void {
  try {
    removeTogether([join(directory, leaf), directory])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
    // The privileged may make cgroups in theirs.
    removeTogether(withDescendants(directory).toReversed())
  }
}

/** Children before parents; those that are not there are passed over. */
function removeTogether(directories: string[]): void {
  for (const directory of directories) {
    try {
      rmdirSync(directory)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

/** A cgroup and those in it, parents before children; only itself when they are being removed just now. */
export function withDescendants(directory: string): string[] {
  try {
    const below = readdirSync(directory, { withFileTypes: true, recursive: true })
    const directories = below.filter((entry) => entry.isDirectory())
    return [directory, ...directories.map((entry) => join(entry.parentPath, entry.name))]
  } catch (error) {
    if (!['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return [directory]
  }
}
