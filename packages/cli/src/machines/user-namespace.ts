/**
 * An ordinary user's machines: `up` starts itself again as root of a user namespace and in a mount namespace, and
 * everything of the cluster is made in there. The network stays this machine's, where the runtime and the gateway live;
 * what is "the machine" for the nodes is one more network namespace.
 *
 * The namespaces last as long as a process lives in there: the supervisor, or a container that outlived it, by which
 * the next `up` finds them.
 */

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createRequire } from 'node:module'

const everyId = 4_294_967_295

/** Whether this process is root of a user namespace that is not the machine's own. */
export function isNestedRoot(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  return isNested(readFileSync('/proc/self/uid_map', 'utf8'))
}

/** Pure. */
export function isNested(uidMap: string): boolean {
  return !uidMap.split('\n').some((line) => {
    const [first, , count] = line.trim().split(/\s+/).map(Number)
    return first === 0 && count === everyId
  })
}

/** A command that turns into the one that follows it, in there; the script says how. */
export function rootlessLauncher(runtimeRoot: string): string[] {
  const runtime = dirname(createRequire(import.meta.url).resolve('@dinghy/runtime/package.json'))
  return ['/bin/sh', join(runtime, 'src', 'drivers', 'linux', 'rootless.sh'), '--with-mounts', runtimeRoot]
}
