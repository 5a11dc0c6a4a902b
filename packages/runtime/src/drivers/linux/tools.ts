/**
 * The machine's programs that the linux driver puts containers together with.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { serverError } from '@dinghy/shared/docker/errors'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import { canSplit } from '../environment.ts'
import type { Tools } from './launch.ts'
import { toolsPath } from '../../tool-environment.ts'

/** Those of the last steps of a start or an exec, which are done from copies of them (toolbox.ts). A shell first. */
const lastTools = ['sh', 'unshare', 'setpriv', 'env', 'umount', 'setsid', 'prlimit']
/** Programs that a start needs; the error names what to install. */
const requiredTools = ['nsenter', 'mount', 'pivot_root', 'mkfifo', 'mknod', 'ldd', ...lastTools]
/** Further ones in a user namespace; see nameLines() in launch.ts. */
const nestedTools = ['hostname', 'domainname']

export function findTools(): Tools {
  const required = [...requiredTools, ...(userNamespace().isNested ? nestedTools : [])]
  const paths = new Map(required.map((name) => [name, which(name)]))
  const missing = required.filter((name) => paths.get(name) === undefined)
  if (missing.length > 0) throw serverError(`the linux driver needs these programs: ${missing.join(', ')}`)
  const path = (name: string): string => paths.get(name) ?? ''
  const env = path('env')
  return {
    setpriv: path('setpriv'),
    env,
    envSplits: canSplit(env),
    unshare: path('unshare'),
    last: lastTools.map(path),
  }
}

/** Where a program of this machine is, whatever our own PATH says. */
export function which(name: string): string | undefined {
  return toolsPath
    .split(':')
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path))
}
