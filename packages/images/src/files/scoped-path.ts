/**
 * Paths that must not leave a directory, although the directory's content is somebody else's.
 *
 * What a container's `chroot` gives for free (an absolute link starts at its own root, `..` at the root stays there)
 * has to be worked out by hand when the runtime itself touches those files. No call here follows a link out of `root`.
 * Callers own the directory: nobody changes it between the answer and its use.
 */
import { lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** As the kernel's ELOOP limit. */
const maxLinks = 40

export class PathEscapeError extends Error {}

/**
 * The components of an archive entry's name, or PathEscapeError if it is absolute or climbs.
 * `./a//b/` is ['a', 'b']; the root itself is [].
 */
export function entryComponents(name: string): string[] {
  if (name.includes('\0')) throw new PathEscapeError(`invalid path ${JSON.stringify(name)}: it holds a NUL byte`)
  if (name.startsWith('/')) throw new PathEscapeError(`invalid path ${JSON.stringify(name)}: it is absolute`)
  const components = name.split('/').filter((part) => part !== '' && part !== '.')
  if (components.includes('..')) throw new PathEscapeError(`invalid path ${JSON.stringify(name)}: it leaves the root`)
  return components
}

/**
 * The host path of `components` beneath `root`, with every link on the way (and, unless `leaf` is 'keep', at the end)
 * resolved inside the root. Components that do not exist are taken literally.
 */
export function resolveBeneath(
  root: string,
  components: readonly string[],
  leaf: 'follow' | 'keep' = 'follow',
): string {
  const done: string[] = []
  const pending = [...components].reverse()
  for (let links = 0; pending.length > 0;) {
    const part = pending.pop() ?? ''
    if (part === '' || part === '.') continue
    if (part === '..') {
      done.pop()
      continue
    }
    const path = join(root, ...done, part)
    const isLeaf = pending.length === 0
    const target = isLeaf && leaf === 'keep' ? undefined : linkTarget(path)
    if (target === undefined) {
      done.push(part)
      continue
    }
    if (++links > maxLinks) throw new PathEscapeError(`too many levels of symbolic links at ${components.join('/')}`)
    if (target.startsWith('/')) done.length = 0
    pending.push(...target.split('/').reverse())
  }
  return join(root, ...done)
}

function linkTarget(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat?.isSymbolicLink() ? readlinkSync(path) : undefined
}
