/**
 * A stack of directories read as one, the way overlayfs will show it: for looking things up before a container
 * runs (its executable, its /etc/passwd, whether a mount point exists) without mounting anything.
 *
 * Links are followed inside the view only. Whiteouts of both spellings hide what lies below, and so does a directory
 * that is opaque. An image's layer says which of its directories are; of a writable layer only the kernel knows (it is
 * an xattr, which Node cannot read), so files hidden only by that still show up here; callers that must know exactly
 * ask the snapshotter's `pathIn`, which mounts.
 */
import { lstatSync, readdirSync, readlinkSync, statSync, type Stats } from 'node:fs'
import { join } from 'node:path'

export interface Branch {
  /** A directory of the host … */
  dir: string
  /** … and the directory of the view whose content it is, such as `/` or `/usr`. */
  at: string
  /** Its opaque directories, relative to `dir`. */
  opaque?: ReadonlySet<string>
  /** A mount: below `at` there is this and nothing else, whatever other branches have there. */
  covers?: boolean
}

export interface Found {
  /** Where it is in the view, after following links: absolute, without `.` and `..`. */
  path: string
  /** Where it is on the host: the uppermost of the branches that have it. */
  hostPath: string
  stat: Stats
}

type Entry = Pick<Found, 'hostPath' | 'stat'>

const maxLinks = 40

export class LayeredView {
  readonly #branches: Branch[]
  /** A view is made for one purpose and shows what was there when it was first asked. */
  readonly #known = new Map<string, Entry | undefined>()

  /** Uppermost branch first. */
  constructor(branches: Branch[]) {
    this.#branches = branches
  }

  /** What is at `path`, following links (the last one too); undefined when there is nothing. */
  find(path: string): Found | undefined {
    const resolved = this.resolve(path)
    return resolved.found && { path: resolved.path, ...resolved.found }
  }

  /** The real path behind `path`, as far as it exists; what does not exist is taken literally. */
  resolve(path: string): { path: string; found: Entry | undefined } {
    const done: string[] = []
    const pending = path.split('/').reverse()
    let links = 0
    while (pending.length > 0) {
      const part = pending.pop() ?? ''
      if (part === '' || part === '.') continue
      if (part === '..') {
        done.pop()
        continue
      }
      done.push(part)
      const entry = this.#lookup(done)
      if (!entry?.stat.isSymbolicLink()) continue
      if (++links > maxLinks) return { path: `/${done.join('/')}`, found: undefined }
      done.pop()
      const target = readlinkSync(entry.hostPath)
      if (target.startsWith('/')) done.length = 0
      pending.push(...target.split('/').reverse())
    }
    return { path: `/${done.join('/')}`, found: this.#lookup(done) }
  }

  /** What is at exactly this path, links not followed; its parents must be real directories. */
  entry(path: string): Entry | undefined {
    return this.#lookup(path.split('/').filter(Boolean))
  }

  /** The names in a directory (a real path), all branches together. */
  names(path: string): string[] {
    const all = this.#branches.flatMap(({ dir, at }) => {
      if (at !== '/' && path !== at && !path.startsWith(`${at}/`)) return []
      const directory = join(dir, at === '/' ? path : path.slice(at.length))
      return statSync(directory, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(directory) : []
    })
    const shown = all.filter((name) => !name.startsWith('.wh.') && this.entry(join(path, name)) !== undefined)
    return [...new Set(shown)]
  }

  /** The uppermost entry at exactly this path, whose parents are all real directories. */
  #lookup(parts: string[]): Entry | undefined {
    const path = `/${parts.join('/')}`
    if (!this.#known.has(path)) this.#known.set(path, this.#search(path))
    return this.#known.get(path)
  }

  #search(path: string): Entry | undefined {
    for (const { dir, at, opaque, covers } of this.#branches) {
      if (at !== '/' && path !== at && !path.startsWith(`${at}/`)) continue
      const below = (at === '/' ? path : path.slice(at.length)).split('/').filter(Boolean)
      const result = lookupIn(dir, below, opaque)
      if (result === 'hidden') return undefined
      if (result !== undefined || covers) return result
    }
    return undefined
  }
}

/** `hidden`: this branch says that nothing below it counts. */
function lookupIn(dir: string, parts: string[], opaque?: ReadonlySet<string>): Entry | 'hidden' | undefined {
  let hostPath = dir
  // Followed: /proc/<pid>/root is a link, and so may be where a bind mount comes from.
  let stat = statSync(dir, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  const nothing = (depth: number) =>
    opaque !== undefined && parts.slice(0, depth).some((_, index) => opaque.has(parts.slice(0, index + 1).join('/')))
      ? 'hidden'
      : undefined
  for (const [depth, part] of parts.entries()) {
    if (!stat.isDirectory()) return 'hidden'
    const directory: string = hostPath
    hostPath = join(directory, part)
    stat = lstatSync(hostPath, { throwIfNoEntry: false })
    if (stat === undefined) {
      const isWhiteout = lstatSync(join(directory, `.wh.${part}`), { throwIfNoEntry: false }) !== undefined
      return isWhiteout ? 'hidden' : nothing(depth)
    }
    if (stat.isCharacterDevice() && stat.rdev === 0) return 'hidden'
  }
  return { hostPath, stat }
}
