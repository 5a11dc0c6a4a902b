/**
 * A build context as a tar: a directory without what its .dockerignore names.
 */

import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { IgnorePatterns } from '@dinghy/shared/docker/dockerignore'

/** The Dockerfile always goes along, whatever is ignored; `extra` are files that exist only in the tar. */
export function packContext(directory: string, dockerfile: string, extra: Record<string, string> = {}): tar.Pack {
  // A Dockerfile may have an ignore file of its own beside it.
  const own = `${dockerfile}.dockerignore`
  const ignoreFile = existsSync(join(directory, own)) ? own : '.dockerignore'
  const path = join(directory, ignoreFile)
  const patterns = IgnorePatterns.parse(existsSync(path) ? readFileSync(path, 'utf8') : '')
  const pack = tar.pack()
  const addAll = async () => {
    for (const [name, text] of Object.entries(extra)) pack.entry({ name }, text)
    for (const name of contextFiles(directory, patterns, new Set([dockerfile, ignoreFile])))
      await addEntry(pack, join(directory, name), name)
    pack.finalize()
  }
  addAll().catch((error: Error) => pack.destroy(error))
  return pack
}

/** Paths relative to `directory`, a directory before what is in it. */
function* contextFiles(directory: string, patterns: IgnorePatterns, always: Set<string>, below = ''): Iterable<string> {
  const list = (path: string) => namesIn(join(directory, path))
  for (const name of namesIn(join(directory, below)).toSorted()) {
    const path = below === '' ? name : `${below}/${name}`
    const leadsToOwn = [...always].some((own) => own === path || own.startsWith(`${path}/`))
    if (!leadsToOwn && !patterns.keeps(path, list)) continue
    yield path
    yield* contextFiles(directory, patterns, always, path)
  }
}

function namesIn(path: string): string[] {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(path) : []
}

/** Files of a build belong to root; `keepsOwner` says that this one stays its owner's. */
export async function addEntry(pack: tar.Pack, source: string, name: string, keepsOwner = false): Promise<void> {
  const stat = lstatSync(source)
  const owner = keepsOwner ? { uid: stat.uid, gid: stat.gid } : {}
  const header = { name, mode: stat.mode & 0o7777, mtime: stat.mtime, ...owner }
  if (stat.isDirectory()) pack.entry({ ...header, type: 'directory' })
  else if (stat.isSymbolicLink()) pack.entry({ ...header, type: 'symlink', linkname: readlinkSync(source) })
  else if (stat.isFile()) await pipeline(createReadStream(source), pack.entry({ ...header, size: stat.size }))
  // Sockets, pipes and devices have no content to build from; the real docker leaves them out as well.
}
