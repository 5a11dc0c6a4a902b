/**
 * fsGroup: the group that owns a pod's volumes, so that containers that do not run as root can use them.
 * Follows upstream's volume.SetVolumeOwnership: the group, read (and write, unless the kind of volume is read-only:
 * a Secret of mode 0400 becomes 0440 and never 0660), and on directories setgid and passage.
 */

import { chmod, lchown, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '@dinghy/shared/api/types'

const masks = { readOnly: { file: 0o440, directory: 0o2550 }, writable: { file: 0o660, directory: 0o2770 } }

/** Returns what could not be done: only root may give files to a group that it does not belong to. */
export async function applyFsGroup(pod: Pod, directory: string, kind: keyof typeof masks): Promise<string[]> {
  const group = pod.spec.securityContext?.fsGroup
  if (group === undefined) return []
  try {
    await give(directory, group, masks[kind])
    return []
  } catch (error) {
    if (!isNotAllowed(error)) throw error
    return [`fsGroup ${group} was not applied: the node agent does not run as root`]
  }
}

/** EINVAL: root of a user namespace in which there is no such id. */
export function isNotAllowed(error: unknown): boolean {
  return ['EPERM', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')
}

async function give(path: string, group: number, mask: { file: number; directory: number }): Promise<void> {
  const stats = await lstat(path)
  await lchown(path, stats.uid, group)
  if (stats.isSymbolicLink()) return
  await chmod(path, (stats.mode & 0o7777) | (stats.isDirectory() ? mask.directory : mask.file))
  if (!stats.isDirectory()) return
  for (const name of await readdir(path)) await give(join(path, name), group, mask)
}
