// `dinghy docker`: the few commands a lab needs, for machines that lack the real docker CLI. It speaks the Docker
// Engine API over the cluster's socket, exactly as the real one would.

import { parseArgs, type ParseArgsConfig } from 'node:util'
import { type Command, type Flags, UsageError } from '../commands/command.ts'
import type { DockerCommand } from './docker-command.ts'
import { Engine } from './engine.ts'
import { socketOf } from './socket.ts'

const commands: Record<string, () => Promise<DockerCommand>> = {
  build: async () => (await import('./build.ts')).build,
  images: async () => (await import('./lists.ts')).images,
  run: async () => (await import('./run.ts')).run,
  ps: async () => (await import('./lists.ts')).ps,
  logs: async () => (await import('./logs.ts')).logs,
  stop: async () => (await import('./stop.ts')).stop,
  rm: async () => (await import('./stop.ts')).rm,
}

export const docker: Command = {
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
    const { values, positionals } = parse(command, words)
    return command.run({ engine: new Engine(socketOf()), flags: values, args: positionals })
  },
}

function parse(command: DockerCommand, words: string[]): { values: Flags; positionals: string[] } {
  const options = command.flags ?? {}
  const [own, rest] = command.stopsAtFirstWord ? splitAtFirstWord(words, options) : [words, []]
  try {
    const { values, positionals } = parseArgs({ args: own, options, allowPositionals: true })
    return { values, positionals: [...positionals, ...rest] }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nusage: dinghy docker ${command.usage}`)
  }
}

/** Pure: `--name x -d image cmd -c` → [`--name x -d`] and [`image cmd -c`]. */
export function splitAtFirstWord(
  words: string[],
  options: NonNullable<ParseArgsConfig['options']>,
): [string[], string[]] {
  const takesValue = (word: string): boolean => {
    if (word.startsWith('--')) return !word.includes('=') && options[word.slice(2)]?.type === 'string'
    const last = word.at(-1) ?? ''
    return word.length === 2 && Object.values(options).some(({ short, type }) => short === last && type === 'string')
  }
  let index = 0
  while (index < words.length && words[index]?.startsWith('-')) index += takesValue(words[index] ?? '') ? 2 : 1
  return [words.slice(0, index), words.slice(index)]
}
