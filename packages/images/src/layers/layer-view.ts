/**
 * A read-only look at directories that lie over one another as the one tree a container would see, without mounting
 * anything: the layers of an image, a container's writable directory over them, mounts over that.
 *
 * Builds need it (where does `COPY x .` land, is there a directory already, who is `--chown=node`), and so do starts
 * (the executable, whether a mount point exists) and every place that reads from an image. Links are followed inside
 * the tree only. Whiteouts of both spellings hide what lies below, and so does a directory that is opaque: the layers
 * of an image say which of theirs are. Of a writable layer only the kernel knows, and what is hidden by that alone
 * still shows up here; the snapshotter's `pathIn` mounts, and is exact.
 *
 * A view is made for one purpose and shows what was there when it was first asked.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { join } from 'node:path'
import { PathEscapeError } from '../files/scoped-path.ts'
import { isOverlayWhiteout, whiteoutPrefix } from './whiteout.ts'

export interface ViewLayer {
  directory: string
  /** The path in the view that has its content: `/`, unless it is a mount or shows a part of this machine. */
  at?: string
  /** Directories (relative) that hide all lower layers' content, of a layer at `/`; see whiteout.ts. */
  opaque?: ReadonlySet<string>
  /** A mount: below `at` there is this and nothing else, whatever lower layers have there. */
  covers?: boolean
  /** Limits a layer to some of its paths (relative): the files of this machine that a host base shows. */
  shows?: (path: string) => boolean
}

export interface ViewEntry {
  /** Absolute in the view, free of links. */
  path: string
  /** Where the bytes are: in the topmost of the layers that have it. */
  hostPath: string
  stat: Stats
}

const maxLinks = 40

/** One path of the view. */
interface Place {
  path: string
  /** Absent of a mount point that has still to be made. */
  entry?: ViewEntry
  /** If it is a directory: the layers whose directories together are it, topmost first. */
  sources: Map<ViewLayer, string>
  /** Those below it that somebody has asked for. */
  known: Map<string, Place | undefined>
}

export class LayerView {
  /** Topmost first. */
  readonly #layers: readonly ViewLayer[]
  readonly #root: Place

  /** Layers lowest first. */
  constructor(layers: readonly ViewLayer[]) {
    this.#layers = layers.toReversed()
    const sources = new Map<ViewLayer, string>()
    for (const layer of this.#layers) {
      if (placeOf(layer) === '/' && isDirectory(layer.directory)) sources.set(layer, layer.directory)
    }
    // `scratch` has no layer at all, yet its root exists.
    const [hostPath = '/'] = sources.values()
    this.#root = { path: '/', entry: { path: '/', hostPath, stat: statSync(hostPath) }, sources, known: new Map() }
  }

  /**
   * What is at `path`; links on the way are followed, one at the end too unless `leaf` is 'keep'. Throws
   * PathEscapeError for links that lead in circles.
   */
  lookup(path: string, leaf: 'follow' | 'keep' = 'follow'): ViewEntry | undefined {
    const { found, missing } = this.#walkTo(path, leaf)
    return missing.length > 0 ? undefined : found.entry
  }

  /** `path` free of links; what does not exist is taken literally. */
  realPath(path: string): string {
    const { found, missing } = this.#walkTo(path, 'follow')
    return join(found.path, ...missing)
  }

  /** Names in the directory, sorted; [] if there is none. */
  readdir(path: string): string[] {
    const { found, missing } = this.#walkTo(path, 'follow')
    return missing.length > 0 ? [] : this.#namesIn(found)
  }

  readFile(path: string): Buffer | undefined {
    const entry = this.lookup(path)
    return entry?.stat.isFile() ? readFileSync(entry.hostPath) : undefined
  }

  /** The entry at `path` and everything below it, parents first, names in order. Links are not followed below. */
  *walk(path: string): Generator<ViewEntry, void, undefined> {
    const { found, missing } = this.#walkTo(path, 'follow')
    if (missing.length === 0) yield* this.#walkFrom(found)
  }

  #walkTo(path: string, leaf: 'follow' | 'keep'): { found: Place; missing: string[] } {
    const pending = path.split('/').filter(Boolean).reverse()
    const above: Place[] = []
    let here = this.#root
    for (let links = 0; pending.length > 0;) {
      const name = pending.pop() ?? ''
      if (name === '.') continue
      if (name === '..') {
        here = above.pop() ?? this.#root
        continue
      }
      if (!here.known.has(name)) here.known.set(name, this.#step(here, name))
      const next = here.known.get(name)
      if (!next) return { found: here, missing: literal([name, ...pending.reverse()]) }
      const isFinal = pending.length === 0
      if (next.entry?.stat.isSymbolicLink() && !(isFinal && leaf === 'keep')) {
        if (++links > maxLinks) throw new PathEscapeError(`too many levels of symbolic links at ${path}`)
        const target = readlinkSync(next.entry.hostPath)
        if (target.startsWith('/')) {
          above.length = 0
          here = this.#root
        }
        pending.push(...target.split('/').filter(Boolean).reverse())
      } else {
        above.push(here)
        here = next
      }
    }
    return { found: here, missing: [] }
  }

  /** Looks `name` up from the topmost layer down: the first word on it counts, only directories add up. */
  #step(place: Place, name: string): Place | undefined {
    const path = join(place.path, name)
    const next: Place = { path, sources: new Map(), known: new Map() }
    for (const layer of this.#layers) {
      if (layer.shows && !layer.shows(path.slice(1))) continue
      const isItself = placeOf(layer) === path
      const directory = isItself ? undefined : place.sources.get(layer)
      if (!isItself && directory === undefined) continue
      const hostPath = directory === undefined ? layer.directory : join(directory, name)
      // What is mounted may be named by a link, as /proc/PID/root is one.
      const stat = (isItself ? statSync : lstatSync)(hostPath, { throwIfNoEntry: false })
      if (stat && !isOverlayWhiteout(stat)) {
        next.entry ??= { path, hostPath, stat }
        if (!stat.isDirectory()) break
        next.sources.set(layer, hostPath)
        if (layer.opaque?.has(path.slice(1))) break
      } else if (stat || (directory !== undefined && isWhitedOut(directory, name))) break
      if (isItself && layer.covers) break
    }
    const isMountPoint = this.#layers.some((layer) => `${placeOf(layer)}/`.startsWith(`${path}/`))
    return next.entry || isMountPoint ? next : undefined
  }

  *#walkFrom(place: Place): Generator<ViewEntry, void, undefined> {
    if (place.entry) yield place.entry
    for (const name of this.#namesIn(place)) {
      const child = this.#step(place, name)
      if (child) yield* this.#walkFrom(child)
    }
  }

  #namesIn(place: Place): string[] {
    const names = new Set([...place.sources.values()].flatMap((directory) => readdirSync(directory)))
    return [...names]
      .filter((name) => !name.startsWith(whiteoutPrefix) && this.#step(place, name)?.entry !== undefined)
      .sort()
  }
}

function placeOf({ at = '/' }: ViewLayer): string {
  return at
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function isWhitedOut(directory: string, name: string): boolean {
  return lstatSync(join(directory, whiteoutPrefix + name), { throwIfNoEntry: false }) !== undefined
}

/** Missing components cannot be links, so `..` among them is plain arithmetic. */
function literal(components: string[]): string[] {
  const done: string[] = []
  for (const part of components) {
    if (part === '..') done.pop()
    else if (part !== '.') done.push(part)
  }
  return done
}
