/**
 * COPY and ADD, up to the point where everything is known and nothing is done: where the files come from, what goes
 * where, and the digest that the cache asks for.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Copy } from '../dockerfile/instructions.ts'
import { LayerView } from '@dinghy/images/layers/layer-view'
import { isArchive, unpackArchive } from './add-archive.ts'
import { copyDigest, isDirectory } from './copy-layer.ts'
import type { CopyAttributes } from './copy-layer.ts'
import type { CopyItem, CopySource, InlineFile } from './copy-plan.ts'
import { CopyError, planCopy } from './copy-plan.ts'
import type { ReadText } from './owner.ts'
import { parseMode, parseOwner } from './owner.ts'
import { cloneGit, download, isGitUrl, isUrl } from './remote.ts'

interface CopyStep {
  /** With all words expanded. */
  copy: Copy
  /** Content of the heredocs, expanded where they want it. */
  heredocs: InlineFile[]
  source: CopySource
  image: LayerView
  workingDir: string
  /** For user and group names. */
  readText: ReadText
  now: Date
  /** For downloads and unpacked archives; removed with the build. */
  directory: string
}

interface PreparedCopy {
  items: CopyItem[]
  attributes: CopyAttributes
  /** Hexadecimal. */
  digest: string
  /** As in the history: `COPY dir:3f… in /app `. */
  comment: string
}

export async function prepareCopy(step: CopyStep, signal?: AbortSignal): Promise<PreparedCopy> {
  const { copy, image, workingDir } = step
  const attributes = {
    owner: copy.chown === undefined || copy.chown === '' ? undefined : await parseOwner(copy.chown, step.readText),
    mode: copy.chmod === undefined ? undefined : parseMode(copy.chmod),
    now: step.now,
  }
  const { local, files, trees } = await gather(step, signal)
  const items: CopyItem[] = []
  const plan = (sources: string[], inline: InlineFile[], source: CopySource, destination: string): void => {
    const request = { ...copy, sources, destination }
    items.push(...planCopy({ copy: request, inline, source, image, workingDir }))
  }
  checkDestination(copy, local.length + files.length + trees.length)
  if (local.length + files.length > 0) plan(local, files, step.source, copy.destination)
  for (const view of trees) plan(['.'], [], { view, isContext: false }, `${copy.destination}/`)

  const digest = await copyDigest(items, attributes)
  const count = copy.sources.length + step.heredocs.length
  const [first] = items
  const kind = count > 1 ? 'multi' : first && isDirectory(first.source) ? 'dir' : 'file'
  const flags = copy.chown === undefined ? '' : `--chown=${copy.chown} `
  return { items, attributes, digest, comment: `${copy.kind} ${flags}${kind}:${digest} in ${copy.destination} ` }
}

interface Gathered {
  /** Patterns that planCopy looks up in the source. */
  local: string[]
  files: InlineFile[]
  /** Unpacked archives and git checkouts: their content goes to the destination. */
  trees: LayerView[]
}

async function gather({ copy, heredocs, source, directory }: CopyStep, signal?: AbortSignal): Promise<Gathered> {
  const gathered: Gathered = { local: [], files: [...heredocs], trees: [] }
  for (const pattern of copy.sources) {
    if (copy.kind === 'ADD' && isGitUrl(pattern)) {
      const tree = await cloneGit(pattern, newTree(directory), { keepGitDir: copy.keepGitDir }, signal)
      gathered.trees.push(new LayerView([{ directory: tree, opaque: new Set() }]))
    } else if (copy.kind === 'ADD' && isUrl(pattern)) {
      const file = await download(pattern, copy.checksum, signal)
      if (file.name === '' && copy.destination.endsWith('/')) {
        throw new CopyError(`cannot determine filename from url: ${pattern}`)
      }
      gathered.files.push(file)
    } else if (copy.kind === 'ADD' && copy.unpack !== false) {
      const entry = source.view.lookup(`/${pattern}`)
      if (entry?.stat.isFile() && (await isArchive(entry.hostPath))) {
        gathered.trees.push(await unpackArchive(entry.hostPath, newTree(directory), signal))
      } else gathered.local.push(pattern)
    } else gathered.local.push(pattern)
  }
  return gathered
}

/** planCopy sees the parts one by one; that several need a directory is checked here, for all of them. */
function checkDestination({ kind, destination }: Copy, count: number): void {
  if (count < 2 || destination.endsWith('/') || /(?:^|\/)\.$/.test(destination)) return
  throw new CopyError(
    `When using ${kind} with more than one source file, the destination must be a directory and end with a /`,
  )
}

function newTree(directory: string): string {
  const path = join(directory, `tree-${randomUUID()}`)
  mkdirSync(path, { recursive: true })
  return path
}
