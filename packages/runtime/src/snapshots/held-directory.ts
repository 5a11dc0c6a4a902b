/**
 * Directories that are held by their descriptors, for walks through trees in which somebody else may be moving
 * things: programs of a container in its root or in a volume. A name is looked up in the directory that is held, and
 * never through a link, so a link that is put in the place of a directory leads nobody out of the tree.
 *
 * Node has no openat(2); /proc/self/fd/N/NAME is the same on Linux. Elsewhere the process driver is all there is,
 * which isolates nothing, and paths have to do. Paths also end at 4,096 bytes, which descriptors do not.
 */
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  unlinkSync,
  type Stats,
} from 'node:fs'
import { join } from 'node:path'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
const hasDescriptorPaths = process.platform === 'linux'
const maxLinks = 40

export class HeldDirectory {
  readonly #fd: number
  /** A path that leads to it in this process, for as long as it is held. */
  readonly path: string

  private constructor(fd: number, path: string) {
    this.#fd = fd
    this.path = hasDescriptorPaths ? `/proc/self/fd/${fd}` : path
  }

  /** `path` is one of our own: links in it are followed. */
  static open(path: string): HeldDirectory {
    return new HeldDirectory(openSync(path, O_RDONLY | O_DIRECTORY), hasDescriptorPaths ? path : realpathSync(path))
  }

  /** `path` was free of links when it was found. Throws ELOOP when it no longer is: somebody has moved things since. */
  static openReal(path: string): HeldDirectory {
    const held = HeldDirectory.open(path)
    if (realpathSync(held.path) === path) return held
    held.close()
    throw failure('ELOOP', path)
  }

  /**
   * A directory in it. Throws ENOTDIR or ELOOP (`code`) when the name is that of something else, a link for example.
   */
  enter(name: string): HeldDirectory {
    const path = this.at(name)
    return new HeldDirectory(openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path)
  }

  /** A path to the entry `name`. It may have become a link at any time: use it with calls that follow none. */
  at(name: string): string {
    if (name.includes('/') || name === '..') throw new Error(`not the name of an entry: ${name}`)
    return name === '' || name === '.' ? this.path : join(this.path, name)
  }

  /** A path that leads to it in other processes of this machine, too. */
  get pathForOthers(): string {
    return hasDescriptorPaths ? `/proc/${process.pid}/fd/${this.#fd}` : this.path
  }

  /** Another one of the same directory. */
  again(): HeldDirectory {
    const path = `${this.path}/.`
    return new HeldDirectory(openSync(path, O_RDONLY | O_DIRECTORY), path)
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** An entry of a directory that is held. The name is empty for the directory itself. */
export class HeldEntry {
  readonly directory: HeldDirectory
  readonly name: string

  constructor(directory: HeldDirectory, name: string) {
    this.directory = directory
    this.name = name
  }

  /** Without following a link. With an empty name it is the directory. */
  stat(): Stats | undefined {
    // Behind the descriptor's link, with the dot.
    return lstatSync(this.name === '' ? `${this.directory.path}/.` : this.path, { throwIfNoEntry: false })
  }

  get path(): string {
    return this.directory.at(this.name)
  }

  /** As a directory; see HeldDirectory.enter(). */
  enter(): HeldDirectory {
    return this.name === '' ? this.directory.again() : this.directory.enter(this.name)
  }

  close(): void {
    this.directory.close()
  }
}

export interface WalkOptions {
  /** A link at the end of the path leads on. */
  followLast: boolean
  /** Directories on the way are made, with what is behind a link, too. */
  makeMissing?: boolean
}

/**
 * Walks from `root` along `path` as the kernel would for a process whose root directory it is: `..` does not leave
 * it, absolute links begin at it. Takes `root` over: it is closed, or is part of the result. What does not exist may
 * be the last name only.
 */
export function walkIn(root: HeldDirectory, path: string, { followLast, makeMissing = false }: WalkOptions): HeldEntry {
  /** The way to where we are, which is what `..` goes back. */
  const held = [root]
  const here = () => held[held.length - 1] ?? root
  const pending = path.split('/').filter(isName).reverse()
  let links = 0
  let name = ''
  try {
    while (pending.length > 0) {
      const part = pending.pop() ?? ''
      if (part === '..') {
        if (held.length > 1) held.pop()?.close()
        continue
      }
      const isLast = pending.length === 0
      const stat = lstatSync(here().at(part), { throwIfNoEntry: false })
      if (stat?.isSymbolicLink() && (!isLast || followLast)) {
        if (++links > maxLinks) throw failure('ELOOP', path)
        const target = readlinkSync(here().at(part))
        if (target.startsWith('/')) for (const left of held.splice(1)) left.close()
        pending.push(...target.split('/').filter(isName).reverse())
      } else if (isLast) name = part
      else {
        if (stat === undefined && !makeMissing) throw failure('ENOENT', path)
        if (stat === undefined) makeDirectory(here().at(part))
        // A link that is there now was not when we looked. Somebody plays with us, and gets the error.
        held.push(here().enter(part))
      }
    }
  } catch (error) {
    for (const each of held) each.close()
    throw error
  }
  const directory = held.pop() ?? root
  for (const each of held) each.close()
  return new HeldEntry(directory, name)
}

/** Makes directories below `base`, which is taken over, and follows no link. Resolves to the last of them. */
export function makeDirectoriesIn(base: HeldDirectory, names: string[]): HeldDirectory {
  let directory = base
  try {
    for (const name of names) {
      makeDirectory(directory.at(name))
      const inner = directory.enter(name)
      directory.close()
      directory = inner
    }
    return directory
  } catch (error) {
    directory.close()
    throw error
  }
}

/** Undefined when it has been removed, or is no longer of the kind that it was. */
export function unlessReplaced<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    const codes = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL', 'ENXIO']
    if (codes.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** Like `rm -rf`. */
export function removeFrom(directory: HeldDirectory, name: string): void {
  const path = directory.at(name)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isDirectory()) return unlinkSync(path)
  const inner = directory.enter(name)
  try {
    for (const child of readdirSync(inner.path)) removeFrom(inner, child)
  } finally {
    inner.close()
  }
  rmdirSync(path)
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function isName(part: string): boolean {
  return part !== '' && part !== '.'
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
