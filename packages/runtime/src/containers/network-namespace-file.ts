/**
 * The network mode `ns:FILE` (podman's word): the container lives in a network namespace that somebody else has made
 * and holds by a file, such as `ip netns add` or `unshare --net=FILE` leave. It is not ours to plug into or to
 * configure, so for everything else such a container is like one in the machine's own network.
 */
import { statfsSync } from 'node:fs'
import { isAbsolute, normalize } from 'node:path'
import { badParameter, serverError } from '@dinghy/shared/docker/errors'

const prefix = 'ns:'
/** The type of the file system that such files are of: NSFS_MAGIC of linux/magic.h. */
const namespaceFileSystem = 0x6e_73_66_73

export function namespaceFileOf(mode: string): string | undefined {
  return mode.startsWith(prefix) ? mode.slice(prefix.length) : undefined
}

/** Throws a 400 for a path that can never be one. */
export function checkNamespaceFile(mode: string, driver: string): void {
  const path = namespaceFileOf(mode)
  if (path === undefined) return
  if (!isAbsolute(path) || normalize(path) !== path || /[\0\n]/.test(path)) {
    throw badParameter(`invalid network mode: ${JSON.stringify(mode)}: ns: takes the absolute path of a file`)
  }
  if (driver === 'process') {
    throw badParameter(`invalid network mode: ${mode}: the process driver has no network namespaces`)
  }
}

/** Throws unless there is a namespace now: what holds one is gone after a reboot. */
export function requireNamespace(path: string): void {
  let type: number | undefined
  try {
    type = statfsSync(path).type
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  if (type === namespaceFileSystem) return
  throw serverError(
    `failed to set up container networking: ${path} ${type === undefined ? 'is not there' : 'is no namespace'}`,
  )
}
