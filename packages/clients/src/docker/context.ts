/**
 * A build context as a tar: a directory without what its .dockerignore names.
 */

import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { hasExceptions, type IgnoreRule, isIgnored, parseIgnore } from './ignore.ts'

/** The Dockerfile always goes along, whatever is ignored; `extra` are files that exist only in the tar. */
export function packContext(directory: string, dockerfile: string, extra: Record<string, string> = {}): tar.Pack {
  // A Dockerfile may have an ignore file of its own beside it.
  const own = `${dockerfile}.dockerignore`
  const ignoreFile = existsSync(join(directory, own)) ? own : '.dockerignore'
  const path = join(directory, ignoreFile)
  const rules = existsSync(path) ? parseIgnore(readFileSync(path, 'utf8')) : []
  const pack = tar.pack()
  const addAll = async () => {
    for (const [name, text] of Object.entries(extra)) pack.entry({ name }, text)
    for (const name of contextFiles(directory, rules, new Set([dockerfile, ignoreFile])))
      await addEntry(pack, join(directory, name), name)
    pack.finalize()
  }
  addAll().catch((error: Error) => pack.destroy(error))
  return pack
}

/** Paths relative to `directory`, a directory before what is in it. */
function* contextFiles(directory: string, rules: IgnoreRule[], always: Set<string>, below = ''): Iterable<string> {
  const entries = readdirSync(join(directory, below), { withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    const ignored = isIgnored(rules, path)
    if (!ignored || always.has(path)) yield path
    // An ignored directory is looked into only if something in there may have been excepted: node_modules is large.
    const mayHoldMore = hasExceptions(rules) || [...always].some((name) => name.startsWith(`${path}/`))
    if (entry.isDirectory() && (!ignored || mayHoldMore)) yield* contextFiles(directory, rules, always, path)
  }
}

export async function addEntry(pack: tar.Pack, source: string, name: string): Promise<void> {
  const stat = lstatSync(source)
  const header = { name, mode: stat.mode & 0o7777, mtime: stat.mtime }
  if (stat.isDirectory()) pack.entry({ ...header, type: 'directory' })
  else if (stat.isSymbolicLink()) pack.entry({ ...header, type: 'symlink', linkname: readlinkSync(source) })
  else if (stat.isFile()) await pipeline(createReadStream(source), pack.entry({ ...header, size: stat.size }))
  // Sockets, pipes and devices have no content to build from; the real docker leaves them out as well.
}
