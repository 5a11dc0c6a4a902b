/**
 * emptyDir with medium Memory. A kubelet mounts a tmpfs of its own for each volume, which takes root. Here the volume
 * is a directory in the machine's /dev/shm, which is a tmpfs that everybody may use; so it lives in memory and
 * vanishes with the machine; its sizeLimit is watched like any other's (size-limits.ts) instead of being the size of
 * the tmpfs. Where there is no such tmpfs it is a plain directory, and the pod is told so.
 */

import { mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { fnv1a } from '@dinghy/shared/api/hash'
import { removeTree } from '@dinghy/shared/process/remove-tree'

const sharedMemory = '/dev/shm'
const tmpfsMagic = 0x01021994

/** A directory in memory, or `fallback`. */
export async function emptyDirPath(root: string, podUid: string, volume: string, fallback: string): Promise<string> {
  if (!(await isTmpfs())) return fallback
  const path = join(memoryRoot(root), podUid, volume)
  await mkdir(path, { recursive: true })
  return path
}

export async function removeMemoryDirs(root: string, podUid: string): Promise<void> {
  await removeTree(join(memoryRoot(root), podUid))
}

/** Several clusters may share the machine: the node's root tells them apart. */
function memoryRoot(root: string): string {
  return join(sharedMemory, `dinghy-${fnv1a(root).toString(16)}`)
}

async function isTmpfs(): Promise<boolean> {
  try {
    return (await statfs(sharedMemory)).type === tmpfsMagic
  } catch (error) {
    // Not every system has a /dev/shm.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
