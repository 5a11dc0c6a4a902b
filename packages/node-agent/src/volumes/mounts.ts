/**
 * From a container's volumeMounts to bind mounts: which path of this machine appears where, also below a subPath.
 * A subPath must not lead out of its volume, whatever links a container has planted there: it is resolved, then
 * checked. Upstream holds the path open by file descriptors as well; here the runtime is told by a label which mounts
 * are such parts of volumes, and refuses a start in whose way a container has put a link meanwhile.
 */

import { mkdir, realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, sep } from 'node:path'
import type { Container, EphemeralContainer, VolumeMount } from '@dinghy/shared/api/types'
import { ConfigError } from '../containers/security.ts'
import { expand } from '../containers/expansion.ts'
import { partOfVolumeLabel } from '@dinghy/shared/docker/labels'
import type { DockerMount } from '@dinghy/shared/docker/types'

export async function containerMounts(
  container: Container | EphemeralContainer,
  paths: ReadonlyMap<string, string>,
  variables: ReadonlyMap<string, string>,
): Promise<DockerMount[]> {
  const mounts: DockerMount[] = []
  for (const mount of container.volumeMounts ?? []) {
    const volume = paths.get(mount.name)
    if (volume === undefined)
      throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`)
    const subPath = subPathOf(mount, variables)
    const propagation = propagations[mount.mountPropagation ?? 'None']
    mounts.push({
      Type: 'bind',
      Source: subPath === '' ? volume : await resolveSubPath(volume, subPath),
      Target: targetOf(mount),
      ...(mount.readOnly ? { ReadOnly: true } : {}),
      ...(propagation ? { BindOptions: { Propagation: propagation } } : {}),
    })
  }
  return mounts
}

/** The label that tells the runtime which mounts are parts of volumes. */
export function mountLabels({ volumeMounts = [] }: Container | EphemeralContainer): Record<string, string> {
  const targets = volumeMounts.filter(({ subPath, subPathExpr }) => subPath || subPathExpr).map(targetOf)
  return targets.length > 0 ? { [partOfVolumeLabel]: targets.join(':') } : {}
}

function targetOf({ mountPath }: VolumeMount): string {
  return isAbsolute(mountPath) ? mountPath : `/${mountPath}`
}

/** "None" is what Docker does anyway. */
const propagations: Record<string, string | undefined> = { HostToContainer: 'rslave', Bidirectional: 'rshared' }

function subPathOf({ subPath, subPathExpr }: VolumeMount, variables: ReadonlyMap<string, string>): string {
  if (!subPathExpr) return subPath ?? ''
  const expanded = expand(subPathExpr, (name) => variables.get(name))
  if (/\$\([^)]*\)/.test(expanded)) throw new ConfigError(`missing value for ${JSON.stringify(subPathExpr)}`)
  return expanded
}

async function resolveSubPath(volume: string, subPath: string): Promise<string> {
  if (isAbsolute(subPath) || subPath.split('/').includes('..')) {
    throw new ConfigError(`subPath "${subPath}" must be a relative path without ".."`)
  }
  const wanted = join(volume, subPath)
  const root = await realpath(volume)
  // Before anything is made: making a directory would follow a planted link as well.
  if (!isWithin(await nearestRealpath(wanted), root))
    throw new ConfigError(`subPath "${subPath}" leads out of its volume`)
  return (await realpathIfAny(wanted)) ?? (await madeDirectory(wanted))
}

/** A subPath that is not there becomes a directory, as upstream does. */
async function madeDirectory(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o750 })
  return await realpath(path)
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(root + sep)
}

/** Where the part of the path that exists really is. */
async function nearestRealpath(path: string): Promise<string> {
  return (await realpathIfAny(path)) ?? (await nearestRealpath(dirname(path)))
}

async function realpathIfAny(path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    // Not there yet is an answer.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
