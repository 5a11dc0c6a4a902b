/**
 * COPY and ADD: which file of the source becomes which file of the image. Pure over two views: nothing is written.
 *
 * - A directory gives its content, not itself. Several sources, or a wildcard, need a destination ending in `/`.
 * - Links on the way to the destination are followed inside the image, links on the way to a source inside the source;
 *   `..` in a source is refused. So nothing can be read or written outside either tree.
 * - Files from the build context belong to root unless `--chown` says otherwise; from a stage or image they keep their
 *   owner, as with BuildKit.
 */
import { posix } from 'node:path'
import type { LayerView, ViewEntry } from '@dinghy/images/layers/layer-view'
import type { Copy } from '../dockerfile/instructions.ts'
import { hasWildcard, IgnorePatterns, patternExpression } from '@dinghy/shared/docker/dockerignore'

/** Something to copy from. */
export interface CopySource {
  view: LayerView
  /** The build context, for messages and for owners. */
  isContext: boolean
}

/** Content that comes from nowhere in the source: a heredoc, a download. */
export interface InlineFile {
  name: string
  content: Buffer
  mode: number
  modifiedAt: Date
}

export interface CopyItem {
  /** Absolute path in the image, free of links. */
  target: string
  /** `new-directory`: one that the destination lacks. It is root's and has mode 0755, whatever is copied into it. */
  source: ViewEntry | InlineFile | 'new-directory'
  /** Without `--chown` the file keeps its owner; otherwise it goes to root. */
  keepsOwner: boolean
}

export class CopyError extends Error {}

interface CopyRequest {
  copy: Pick<Copy, 'kind' | 'sources' | 'destination' | 'parents' | 'exclude'>
  inline: InlineFile[]
  source: CopySource
  image: LayerView
  workingDir: string
}

/** Parents come before children; directories on the way to the destination are not included. */
export function planCopy({ copy, inline, source, image, workingDir }: CopyRequest): CopyItem[] {
  const found = copy.sources.flatMap((pattern) => findSources(pattern, copy, source))
  if (found.length + inline.length === 0) throw new CopyError(`${copy.kind} failed: no source files were specified`)

  const isDirectory = copy.destination.endsWith('/') || /(?:^|\/)\.$/.test(copy.destination)
  const count = found.length + inline.length
  if (count > 1 && !isDirectory) {
    throw new CopyError(
      `When using ${copy.kind} with more than one source file, the destination must be a directory and end with a /`,
    )
  }
  const destination = image.realPath(posix.resolve('/', workingDir || '/', copy.destination))
  const existing = image.lookup(destination)
  const intoDirectory = isDirectory || (existing?.stat.isDirectory() ?? false)
  if (existing && !existing.stat.isDirectory() && isDirectory) {
    throw new CopyError(`${copy.kind} failed: destination ${destination} is not a directory`)
  }

  const excluded = new IgnorePatterns(copy.exclude.map((pattern) => posix.normalize(pattern).replace(/^\/+/, '')))
  const items: CopyItem[] = inline.map((file) => ({
    target: intoDirectory ? posix.join(destination, file.name) : destination,
    source: file,
    keepsOwner: false,
  }))
  const keepsOwner = !source.isContext
  for (const { entry, shown } of found) {
    const base = copy.parents ? posix.join(destination, parentOf(shown, entry)) : destination
    if (entry.stat.isDirectory()) {
      if (existing && !existing.stat.isDirectory()) {
        throw new CopyError(`${copy.kind} failed: cannot copy to non-directory: ${destination}`)
      }
      // With --parents the directory itself is copied, without it only what is in it.
      const top = copy.parents ? entry : 'new-directory'
      for (const item of directoryItems(entry, top, base, source.view, image, excluded))
        items.push({ ...item, keepsOwner })
    } else if (!excluded.excludes(posix.basename(entry.path))) {
      items.push({ target: intoDirectory ? posix.join(base, posix.basename(shown)) : base, source: entry, keepsOwner })
    }
  }
  return items
}

interface FoundSource {
  entry: ViewEntry
  /** As the Dockerfile spells it: a link keeps its name. */
  shown: string
}

function findSources(pattern: string, copy: CopyRequest['copy'], { view, isContext }: CopySource): FoundSource[] {
  const path = posix.join('/', pattern)
  if (isContext && posix.normalize(pattern.replace(/^\/+/, '')).split('/')[0] === '..') {
    throw new CopyError(`${copy.kind} failed: forbidden path outside the build context: ${pattern} ()`)
  }
  if (!hasWildcard(pattern)) {
    const entry = view.lookup(path)
    if (!entry) {
      const where = isContext ? 'file not found in build context or excluded by .dockerignore: ' : ''
      throw new CopyError(`${copy.kind} failed: ${where}stat ${pattern.replace(/^\/+/, '')}: file does not exist`)
    }
    return [{ entry, shown: path }]
  }
  return expandWildcard(path, view)
}

/** Go's filepath.Match component by component: `*` does not cross a slash. */
function expandWildcard(path: string, view: LayerView): FoundSource[] {
  let candidates = ['/']
  for (const part of path.split('/').filter(Boolean)) {
    const expression = hasWildcard(part) ? patternExpression(part) : undefined
    candidates = candidates.flatMap((directory) => {
      if (!expression) return [posix.join(directory, part)]
      return view
        .readdir(directory)
        .filter((name) => expression.test(name))
        .map((name) => posix.join(directory, name))
    })
  }
  return candidates.flatMap((candidate) => {
    const entry = view.lookup(candidate)
    return entry ? [{ entry, shown: candidate }] : []
  })
}

function directoryItems(
  root: ViewEntry,
  top: CopyItem['source'],
  destination: string,
  view: LayerView,
  image: LayerView,
  excluded: IgnorePatterns,
): Pick<CopyItem, 'target' | 'source'>[] {
  const items: Pick<CopyItem, 'target' | 'source'>[] = []
  for (const entry of view.walk(root.path)) {
    const below = posix.relative(root.path, entry.path)
    if (below === '') {
      if (!image.lookup(destination)) items.push({ target: destination, source: top })
      continue
    }
    if (excluded.excludes(below)) continue
    const target = posix.join(destination, below)
    // A directory over a link to a directory goes where the link points, and takes its children there.
    items.push({
      target: entry.stat.isDirectory() ? image.realPath(target) : resolveParent(target, image),
      source: entry,
    })
  }
  return items
}

function resolveParent(target: string, image: LayerView): string {
  return posix.join(image.realPath(posix.dirname(target)), posix.basename(target))
}

/** For `--parents`: the directories of the source path that are kept; those before `/./` are not. */
function parentOf(shown: string, entry: ViewEntry): string {
  const kept = shown.includes('/./') ? shown.slice(shown.indexOf('/./') + 2) : shown
  return entry.stat.isDirectory() ? kept : posix.dirname(kept)
}
