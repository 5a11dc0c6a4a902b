/**
 * The directories behind our volumes: <volume root>/<volume name>, nothing else, so that no object can talk us into
 * removing anything else. Volume objects may be written by anybody; what is removed follows from the volume's *name*,
 * which the API server holds to DNS rules, and only if the path in its spec agrees.
 */

import { chmod, mkdir, rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { PersistentVolume } from '@dinghy/shared/api/types'

export class VolumeDirectoryError extends Error {}

export function directoryFor(volumeRoot: string, volumeName: string): string {
  const isPlainName =
    volumeName !== '' && volumeName !== '.' && volumeName !== '..' && basename(volumeName) === volumeName
  if (!isPlainName) throw new VolumeDirectoryError(`"${volumeName}" is no name for a directory`)
  return join(resolve(volumeRoot), volumeName)
}

/** Every user may write: containers run as whomever their image says. The root itself can be passed, not listed. */
export async function makeDirectory(volumeRoot: string, volumeName: string): Promise<void> {
  const directory = directoryFor(volumeRoot, volumeName)
  await mkdir(volumeRoot, { recursive: true, mode: 0o711 })
  await mkdir(directory, { recursive: true })
  // mkdir's mode passes through the umask.
  await chmod(directory, 0o777)
}

/** Throws VolumeDirectoryError for a volume whose path is not its own directory. Links are removed, never followed. */
export async function removeDirectory(volumeRoot: string, { metadata, spec }: PersistentVolume): Promise<void> {
  const directory = directoryFor(volumeRoot, metadata.name)
  const path = spec.hostPath?.path
  if (path !== directory) {
    throw new VolumeDirectoryError(`${path ?? 'its source'} is not the directory of this volume, which is ${directory}`)
  }
  await rm(directory, { recursive: true, force: true })
}
