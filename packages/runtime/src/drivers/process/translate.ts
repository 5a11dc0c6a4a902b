/**
 * Paths of a container as paths of this machine, for programs that run without a file system of their own. Pure, apart
 * from the question whether a path exists.
 *
 * An argument or a variable that is an absolute path, and that exists in the image or lies in a mount, is replaced by
 * where it really is. `--flag=/path`, PATH-like lists and ordinary words are looked at too; anything else is left as it
 * was written.
 */
import { posix } from 'node:path'

export interface Places {
  /** The materialised root. */
  root: string
  /** Mounts, target → real directory or file. */
  mounts: { source: string; target: string }[]
  /** Whether a path of this machine exists. */
  exists: (path: string) => boolean
}

/** Where `path` of the container really is; undefined when it is not the container's own. */
export function realPlace(path: string, { root, mounts, exists }: Places): string | undefined {
  if (!path.startsWith('/')) return undefined
  const clean = posix.normalize(path)
  const mount = mounts
    .filter(({ target }) => clean === target || clean.startsWith(`${target}/`))
    .toSorted((a, b) => b.target.length - a.target.length)[0]
  if (mount !== undefined) return posix.join(mount.source, clean.slice(mount.target.length))
  // The bare root stands for too much to be meant.
  if (clean === '/') return undefined
  const inside = posix.join(root, clean)
  return exists(inside) ? inside : undefined
}

export function translateArgument(argument: string, places: Places): string {
  const direct = realPlace(argument, places)
  if (direct !== undefined) return direct
  const flag = /^(--?[\w-]+=)(\/.*)$/.exec(argument)
  if (flag === null) return argument
  const [, prefix = '', path = ''] = flag
  return prefix + (realPlace(path, places) ?? path)
}

/**
 * A variable's value: one path or a list of them. Of PATH the container's directories come first, then this machine's.
 */
export function translateVariable(entry: string, places: Places): string {
  const equals = entry.indexOf('=')
  const name = entry.slice(0, equals)
  const parts = entry.slice(equals + 1).split(':')
  if (name === 'PATH') {
    const own = parts.flatMap((part) => realPlace(part, places) ?? [])
    return `PATH=${[...own, ...parts].join(':')}`
  }
  // Options for some program, as in NODE_OPTIONS.
  if (entry.startsWith('-', equals + 1)) {
    const words = entry.slice(equals + 1).split(' ')
    return `${name}=${words.map((word) => translateArgument(word, places)).join(' ')}`
  }
  if (!parts.every((part) => part === '' || part.startsWith('/'))) return entry
  return `${name}=${parts.map((part) => realPlace(part, places) ?? part).join(':')}`
}
