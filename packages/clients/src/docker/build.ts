/**
 * `docker build`: the context as a tar to POST /build, its output as it comes.
 */

import { existsSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { UsageError } from '../command-line/command.ts'
import { several } from '../command-line/verbs.ts'
import type { DockerCommand } from './docker-command.ts'
import { readSecret, secretHeaders } from './build-secrets.ts'
import { packContext } from './context.ts'

export const build: DockerCommand = {
  words: 'CONTEXT',
  summary: 'Build an image from a Dockerfile.',
  flags: {
    tag: { type: 'string', short: 't', multiple: true, value: 'name[:tag]', help: 'what the image is called' },
    file: { type: 'string', short: 'f', value: 'file', help: 'the Dockerfile (default: CONTEXT/Dockerfile)' },
    'build-arg': { type: 'string', multiple: true, value: 'k=v', help: 'a value for an ARG' },
    secret: { type: 'string', multiple: true, value: 'id=id,src=file', help: 'for RUN --mount=type=secret' },
    target: { type: 'string', value: 'stage', help: 'stop at this stage' },
    'no-cache': { type: 'boolean', help: 'run every step anew' },
    quiet: { type: 'boolean', short: 'q', help: 'print only the id of the image' },
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
    for await (const { stream } of engine.progress(`/build?${query}`, {
      body: Readable.from(packContext(directory, dockerfile)),
      headers: secretHeaders(several(flags, 'secret').map((word) => readSecret(word))),
      lastsMs: Infinity,
    })) {
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
