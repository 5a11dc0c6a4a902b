/**
 * `dinghy docker`: the few commands a lab needs, for machines that lack the real docker CLI. It speaks the Docker
 * Engine API over the cluster's socket, exactly as the real one would.
 */

import { type Command, UsageError } from '../command-line/command.ts'
import type { DockerCommand } from './docker-command.ts'
import { asDaemonSays } from './daemon-says.ts'
import { parseWords } from '../command-line/parse-words.ts'
import { engineAt, socketOf } from './socket.ts'

const commands: Record<string, () => Promise<DockerCommand>> = {
  build: async () => (await import('./build.ts')).build,
  images: async () => (await import('./lists.ts')).images,
  run: async () => (await import('./run.ts')).run,
  exec: async () => (await import('./exec.ts')).exec,
  ps: async () => (await import('./lists.ts')).ps,
  logs: async () => (await import('./logs.ts')).logs,
  stop: async () => (await import('./stop.ts')).stop,
  rm: async () => (await import('./stop.ts')).rm,
}

/** `clusterSocket` tells where the engine of the default cluster listens. */
export function docker(clusterSocket: () => string): Command {
  return {
    usage: `docker ${Object.keys(commands).join('|')} …`,
    summary: 'a small docker for machines that lack the real one',
    passThrough: true,
    async run(_flags, [name, ...words]) {
      const load = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined
      if (!load)
        throw new UsageError(`this small docker knows ${Object.keys(commands).join(', ')}; for more use the real one`)
      const command = await load()
      if (words[0] === '--help') {
        console.log(`dinghy docker ${command.usage}`)
        return 0
      }
      const { flags, words: args } = parseWords(words, { ...command, usage: `dinghy docker ${command.usage}` })
      return asDaemonSays(() => command.run({ engine: engineAt(socketOf(clusterSocket)), flags, args }))
    },
  }
}
