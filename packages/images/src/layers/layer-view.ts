/**
 * A read-only look at stacked layers as the one tree a container would see, without mounting anything.
 *
 * Builds need it (where does `COPY x .` land, is there a directory already, who is `--chown=node`), and so does every
 * place that reads from an image. Links are followed inside the tree only. Answers hold as long as the layers do not
 * change, and unpacked layers never change.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { join } from 'node:path'
import { PathEscapeError } from '../files/scoped-path.ts'
import { isOverlayWhiteout, opaqueMarker, whiteoutPrefix } from './whiteout.ts'

export interface ViewLayer {
  directory: string
  /** Directories (relative) that hide all lower layers' content; see whiteout.ts. */
  opaque: ReadonlySet<string>
  /** Limits a layer to some of its paths (relative): the files of this machine that a host base shows. */
  shows?: (path: string) => boolean
}

export interface ViewEntry {
  /** Absolute in the view, free of links. */
  path: string
  /** Where the bytes are. */
  hostPath: string
  stat: Stats
}

const maxLinks = 40

/** One directory of the view: the directories of the layers that together are it, topmost first. */
interface Place {
  path: string
  sources: { layer: ViewLayer; directory: string }[]
}

export class LayerView {
  readonly #root: Place

  /** Layers lowest first. */
  constructor(layers: readonly ViewLayer[]) {
    const topmostFirst = [...layers].reverse()
    this.#root = { path: '/', sources: topmostFirst.map((layer) => ({ layer, directory: layer.directory })) }
  }

  /** What is at `path`; links on the way are followed, one at the end too unless `leaf` is 'keep'. */
  lookup(path: string, leaf: 'follow' | 'keep' = 'follow'): ViewEntry | undefined {
    const { found, missing } = this.#walkTo(path, leaf)
    return missing.length > 0 ? undefined : found.entry
  }

  /** `path` free of links; what does not exist is taken literally. */
  realPath(path: string): string {
    const { found, missing } = this.#walkTo(path, 'follow')
    return join(found.entry.path, ...missing)
  }

  /** Names in the directory, sorted; [] if there is none. */
  readdir(path: string): string[] {
    const { found, missing } = this.#walkTo(path, 'follow')
    return missing.length > 0 || !found.place ? [] : namesIn(found.place)
  }

  readFile(path: string): Buffer | undefined {
    const entry = this.lookup(path)
    return entry?.stat.isFile() ? readFileSync(entry.hostPath) : undefined
  }

  /** The entry at `path` and everything below it, parents first, names in order. Links are not followed below. */
  *walk(path: string): Generator<ViewEntry, void, undefined> {
    const { found, missing } = this.#walkTo(path, 'follow')
    if (missing.length === 0) yield* walkFrom(found)
  }

  #walkTo(path: string, leaf: 'follow' | 'keep'): { found: Found; missing: string[] } {
    const pending = path.split('/').filter(Boolean).reverse()
    const root: Found = { entry: rootEntry(this.#root), place: this.#root }
    const above: Found[] = []
    let here = root
    for (let links = 0; pending.length > 0;) {
      const name = pending.pop() ?? ''
      if (name === '.') continue
      if (name === '..') {
        here = above.pop() ?? root
        continue
      }
      const next = here.place && step(here.place, name)
      if (!next) return { found: here, missing: literal([name, ...pending.reverse()]) }
      const isFinal = pending.length === 0
      if (next.entry.stat.isSymbolicLink() && !(isFinal && leaf === 'keep')) {
        if (++links > maxLinks) throw new PathEscapeError(`too many levels of symbolic links at ${path}`)
        const target = readlinkSync(next.entry.hostPath)
        if (target.startsWith('/')) {
          above.length = 0
          here = root
        }
        pending.push(...target.split('/').filter(Boolean).reverse())
      } else {
        above.push(here)
        here = next
      }
    }
    return { found: here, missing: [] }
  }
}

interface Found {
  entry: ViewEntry
  /** Only of directories. */
  place?: Place
}

/** Looks `name` up from the topmost layer down: the first word on it counts, only directories add up. */
function step(place: Place, name: string): Found | undefined {
  const path = join(place.path, name)
  const sources: Place['sources'] = []
  let top: ViewEntry | undefined
  for (const { layer, directory } of place.sources) {
    const hostPath = join(directory, name)
    if (layer.shows && !layer.shows(path.slice(1))) continue
    const stat = lstatSync(hostPath, { throwIfNoEntry: false })
    if (stat && !isOverlayWhiteout(stat)) {
      if (!stat.isDirectory()) {
        if (!top) return { entry: { path, hostPath, stat } }
        break
      }
      top ??= { path, hostPath, stat }
      sources.push({ layer, directory: hostPath })
      if (layer.opaque.has(path.slice(1))) break
    } else if (stat || lstatSync(join(directory, whiteoutPrefix + name), { throwIfNoEntry: false })) break
  }
  return top && { entry: top, place: { path, sources } }
}

function* walkFrom(found: Found): Generator<ViewEntry, void, undefined> {
  yield found.entry
  if (!found.place) return
  for (const name of namesIn(found.place)) {
    const child = step(found.place, name)
    if (child) yield* walkFrom(child)
  }
}

function namesIn(place: Place): string[] {
  const names = new Set<string>()
  for (const { directory } of place.sources) for (const name of readdirSync(directory)) names.add(name)
  return [...names]
    .filter((name) => name !== opaqueMarker && !name.startsWith(whiteoutPrefix) && step(place, name) !== undefined)
    .sort()
}

function rootEntry(root: Place): ViewEntry {
  // `scratch` has no layer at all, yet its root exists.
  const hostPath = root.sources[0]?.directory ?? '/'
  return { path: '/', hostPath, stat: lstatSync(hostPath) }
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
