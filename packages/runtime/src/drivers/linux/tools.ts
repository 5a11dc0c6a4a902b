/**
 * The machine's programs that the linux driver puts containers together with.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { serverError } from '@dinghy/shared/docker/errors'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import type { Tools } from './launch.ts'

/** Programs that a start needs; the error names what to install. */
const requiredTools = ['unshare', 'nsenter', 'mount', 'umount', 'pivot_root', 'setpriv', 'env', 'mkfifo', 'mknod']
/** Further ones in a user namespace; see nameLines() in launch.ts. */
const nestedTools = ['hostname', 'domainname']

export function findTools(): Tools {
  const required = [...requiredTools, ...(userNamespace().isNested ? nestedTools : [])]
  const paths = new Map(required.map((name) => [name, which(name)]))
  const missing = required.filter((name) => paths.get(name) === undefined)
  if (missing.length > 0) throw serverError(`the linux driver needs these programs: ${missing.join(', ')}`)
  return { setpriv: paths.get('setpriv') ?? '', env: paths.get('env') ?? '', nsenter: paths.get('nsenter') ?? '' }
}

/** Where a program of this machine is, whatever our own PATH says. */
export function which(name: string): string | undefined {
  const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path))
}
