/**
 * fsGroup: the group that owns a pod's volumes, so that containers that do not run as root can write to them.
 * Follows upstream's volume.SetVolumeOwnership: group, group read and write, and setgid on directories.
 */

import { chmod, lchown, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '@dinghy/shared/api/types'

/** Returns what could not be done: only root may give files to a group that it does not belong to. */
export async function applyFsGroup(pod: Pod, directory: string): Promise<string[]> {
  const group = pod.spec.securityContext?.fsGroup
  if (group === undefined) return []
  try {
    await give(directory, group)
    return []
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
    return [`fsGroup ${group} was not applied: the node agent does not run as root`]
  }
}

async function give(path: string, group: number): Promise<void> {
  const stats = await lstat(path)
  await lchown(path, stats.uid, group)
  if (stats.isSymbolicLink()) return
  await chmod(path, (stats.mode & 0o7777) | (stats.isDirectory() ? 0o2770 : 0o660))
  if (!stats.isDirectory()) return
  for (const name of await readdir(path)) await give(join(path, name), group)
}
