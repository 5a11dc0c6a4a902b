// `docker build`: the context as a tar to POST /build, its output as it comes.

import { createReadStream, existsSync, readdirSync, readFileSync, lstatSync, readlinkSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { several, UsageError } from '../commands/command.ts'
import type { DockerCommand } from './docker-command.ts'
import { isIgnored, parseIgnore } from './ignore.ts'

export const build: DockerCommand = {
  usage: 'build [-t NAME[:TAG]] [-f DOCKERFILE] [--build-arg K=V] [--target STAGE] [--no-cache] [-q] CONTEXT',
  flags: {
    tag: { type: 'string', short: 't', multiple: true },
    file: { type: 'string', short: 'f' },
    'build-arg': { type: 'string', multiple: true },
    target: { type: 'string' },
    'no-cache': { type: 'boolean' },
    quiet: { type: 'boolean', short: 'q' },
  },
  async run({ engine, flags, args }) {
    const [directory] = args
    if (args.length !== 1 || !directory || !existsSync(directory))
      throw new UsageError('name the directory to build from')
    const file = flags['file'] as string | undefined
    const dockerfile = file === undefined ? 'Dockerfile' : relative(directory, resolve(file))
    if (dockerfile.startsWith('..') || isAbsolute(dockerfile))
      throw new UsageError('the Dockerfile must be inside the context')
    if (!existsSync(join(directory, dockerfile))) throw new UsageError(`${join(directory, dockerfile)} does not exist`)
    const query = new URLSearchParams({ dockerfile, version: '1' })
    for (const tag of several(flags, 'tag')) query.append('t', tag)
    if (flags['build-arg']) query.set('buildargs', JSON.stringify(buildArgs(several(flags, 'build-arg'))))
    if (flags['target']) query.set('target', String(flags['target']))
    if (flags['no-cache']) query.set('nocache', '1')
    if (flags['quiet']) query.set('q', '1')
    for await (const { stream } of engine.progress('POST', `/build?${query}`, packContext(directory, dockerfile))) {
      process.stdout.write(stream ?? '')
    }
    return 0
  },
}

function buildArgs(words: string[]): Record<string, string | undefined> {
  return Object.fromEntries(
    words.map((word) => {
      const [name = '', ...value] = word.split('=')
      return [name, word.includes('=') ? value.join('=') : process.env[name]]
    }),
  )
}

/** The directory as a tar without what .dockerignore names; the Dockerfile always goes along. */
function packContext(directory: string, dockerfile: string): Readable {
  const ignoreFile = join(directory, '.dockerignore')
  const rules = existsSync(ignoreFile) ? parseIgnore(readFileSync(ignoreFile, 'utf8')) : []
  const always = new Set([dockerfile, '.dockerignore'])
  const pack = tar.pack()
  const addAll = async () => {
    for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted()) {
      if (isIgnored(rules, path) && !always.has(path)) continue
      await addEntry(pack, join(directory, path), path)
    }
    pack.finalize()
  }
  addAll().catch((error: Error) => pack.destroy(error))
  // tar-stream brings its own streams; node's are what an HTTP request takes.
  return Readable.from(pack)
}

async function addEntry(pack: tar.Pack, source: string, name: string): Promise<void> {
  const { mode, mtime, size, ...stat } = lstatSync(source)
  const header = { name, mode: mode & 0o7777, mtime }
  if (stat.isDirectory()) pack.entry({ ...header, type: 'directory' })
  else if (stat.isSymbolicLink()) pack.entry({ ...header, type: 'symlink', linkname: readlinkSync(source) })
  else if (stat.isFile()) await pipeline(createReadStream(source), pack.entry({ ...header, size }))
  // Sockets, pipes and devices have no content to build from; the real docker leaves them out as well.
}
