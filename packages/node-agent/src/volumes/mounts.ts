/**
 * From a container's volumeMounts to bind mounts: which path of this machine appears where, also below a subPath.
 * A subPath must not lead out of its volume, whatever links a container has planted there: it is resolved, then
 * checked. What is not there yet is made in directories that are held. Upstream holds all of the path until it is
 * mounted; here the runtime is told by a label which mounts are such parts of volumes, and refuses a start in whose way
 * a container has put a link meanwhile.
 */

import { constants } from 'node:fs'
import { mkdir, open, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
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
  const root = await realpath(volume)
  const { found, missing } = await nearest(join(volume, subPath))
  if (!isWithin(found, root)) throw leadsOut(subPath)
  if (missing.length === 0) return found
  try {
    const made = await makeDirectories(root, [...relative(root, found).split(sep), ...missing].filter(Boolean))
    if (isWithin(made, root)) return made
  } catch (error) {
    // A link, or a file, where a directory was a moment ago.
    if (!['ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  throw leadsOut(subPath)
}

function leadsOut(subPath: string): ConfigError {
  return new ConfigError(`subPath "${subPath}" leads out of its volume`)
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(root + sep)
}

/** Where the part of the path that exists really is, and the names that are not there yet. */
async function nearest(path: string): Promise<{ found: string; missing: string[] }> {
  try {
    return { found: await realpath(path), missing: [] }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const { found, missing } = await nearest(dirname(path))
    return { found, missing: [...missing, basename(path)] }
  }
}

const ofDirectories = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Makes those directories that are not there, with the mode of `root`, as upstream does. Each name is looked up in a
 * directory that is held by its descriptor, and never through a link: who puts one in the way meanwhile has nothing
 * made elsewhere, and this throws ELOOP or ENOTDIR. Resolves to where the last one is.
 */
async function makeDirectories(root: string, names: string[]): Promise<string> {
  let held = await open(root, ofDirectories)
  let path = root
  // Only on Linux a descriptor has a path; elsewhere nothing keeps containers from any path of this machine.
  const here = () => (process.platform === 'linux' ? `/proc/self/fd/${held.fd}` : path)
  try {
    const { mode } = await held.stat()
    for (const name of names) {
      const isNew = await makeDirectory(join(here(), name))
      const next = await open(join(here(), name), ofDirectories)
      await held.close()
      held = next
      path = join(path, name)
      // Past the umask.
      if (isNew) await held.chmod(mode & 0o7777)
    }
    return await realpath(here())
  } finally {
    await held.close()
  }
}

/** False when something is there. */
async function makeDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}
