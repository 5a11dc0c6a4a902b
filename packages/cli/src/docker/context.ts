// A build context as a tar: a directory without what its .dockerignore names.

import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { isIgnored, parseIgnore } from './ignore.ts'

/** The Dockerfile always goes along, whatever is ignored; `extra` are files that exist only in the tar. */
export function packContext(directory: string, dockerfile?: string, extra: Record<string, string> = {}): tar.Pack {
  const ignoreFile = join(directory, '.dockerignore')
  const rules = existsSync(ignoreFile) ? parseIgnore(readFileSync(ignoreFile, 'utf8')) : []
  const always = new Set([dockerfile, '.dockerignore'])
  const pack = tar.pack()
  const addAll = async () => {
    for (const [name, text] of Object.entries(extra)) pack.entry({ name }, text)
    for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted()) {
      if (isIgnored(rules, path) && !always.has(path)) continue
      await addEntry(pack, join(directory, path), path)
    }
    pack.finalize()
  }
  addAll().catch((error: Error) => pack.destroy(error))
  return pack
}

async function addEntry(pack: tar.Pack, source: string, name: string): Promise<void> {
  const { mode, mtime, size, ...stat } = lstatSync(source)
  const header = { name, mode: mode & 0o7777, mtime }
  if (stat.isDirectory()) pack.entry({ ...header, type: 'directory' })
  else if (stat.isSymbolicLink()) pack.entry({ ...header, type: 'symlink', linkname: readlinkSync(source) })
  else if (stat.isFile()) await pipeline(createReadStream(source), pack.entry({ ...header, size }))
  // Sockets, pipes and devices have no content to build from; the real docker leaves them out as well.
}
