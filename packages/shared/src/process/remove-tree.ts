/**
 * Removing a directory in which containers wrote.
 *
 * Node removes by absolute paths, which end at 4,096 bytes: directories nest deeper. rm(1) goes from one to the next.
 *
 * An ordinary user's containers may have had further users (a range of /etc/subuid), and what those keep for themselves
 * only the root of the same user namespace can remove; it also can where a directory's mode keeps its own owner out.
 */

import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Like `rm -rf`. Throws the error of the plain attempt when nothing else helps either. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENAMETOOLONG') return removeByTool(path)
    const isOrdinaryUser = process.platform === 'linux' && process.getuid?.() !== 0
    if (!isOrdinaryUser || !['EACCES', 'EPERM', 'ENOTEMPTY'].includes(code)) throw error
    for (const map of [['--map-root-user', '--map-auto'], ['--map-root-user']]) {
      if (await succeeds('unshare', [...map, 'rm', '-rf', '--', path])) return
    }
    throw error
  }
}

/** Rejects with the words of rm. */
async function removeByTool(path: string): Promise<void> {
  await promisify(execFile)('rm', ['-rf', '--', path])
}

async function succeeds(program: string, args: string[]): Promise<boolean> {
  return promisify(execFile)(program, args).then(
    () => true,
    () => false,
  )
}
