/**
 * The cgroup that a container's processes are in: one below that of its limits, which are therefore not its own to
 * change.
 */
import { existsSync, mkdirSync } from 'node:fs'
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
