// `dinghy compose`: runs a compose project on the engine. Also what `docker compose` runs once `compose
// install-plugin` has put a link where the real docker CLI looks for its plugins.

import { parseArgs, type ParseArgsConfig } from 'node:util'
import { type Command, type Flags, several, UsageError } from '../commands/command.ts'
import { Engine } from '../docker/engine.ts'
import { socketOf } from '../docker/socket.ts'
import { loadProject } from './load/project.ts'
import type { ComposeVerb } from './verb.ts'

const verbs: Record<string, () => Promise<ComposeVerb>> = {
  up: async () => (await import('./verbs/up.ts')).up,
  down: async () => (await import('./verbs/down.ts')).down,
  ps: async () => (await import('./verbs/ps.ts')).ps,
  logs: async () => (await import('./verbs/logs.ts')).logs,
  build: async () => (await import('./verbs/build.ts')).build,
  pull: async () => (await import('./verbs/build.ts')).pull,
  start: async () => (await import('./verbs/lifecycle.ts')).start,
  stop: async () => (await import('./verbs/lifecycle.ts')).stop,
  restart: async () => (await import('./verbs/lifecycle.ts')).restart,
  exec: async () => (await import('./verbs/exec.ts')).exec,
  run: async () => (await import('./verbs/run.ts')).run,
  config: async () => (await import('./verbs/config.ts')).config,
  top: async () => (await import('./verbs/top.ts')).top,
}

const globalFlags = {
  file: { type: 'string', short: 'f', multiple: true },
  'project-name': { type: 'string', short: 'p' },
  'project-directory': { type: 'string' },
  profile: { type: 'string', multiple: true },
  'env-file': { type: 'string', multiple: true },
} as const

export const compose: Command = {
  usage: `compose [-f FILE] [-p PROJECT] ${Object.keys(verbs).join('|')} …`,
  summary: 'run a compose project on the container runtime',
  passThrough: true,
  async run(_flags, words) {
    const { own: globals, rest } = splitGlobals(words)
    const [name, ...args] = rest
    if (name === 'install-plugin') return (await import('./plugin.ts')).installPlugin()
    const load = name !== undefined && Object.hasOwn(verbs, name) ? verbs[name] : undefined
    if (!load) throw new UsageError(`compose knows ${Object.keys(verbs).join(', ')} and install-plugin`)
    const verb = await load()
    if (args.includes('--help')) {
      console.log(`dinghy compose ${verb.usage}`)
      return 0
    }
    const global = parse(globals, globalFlags, compose.usage).values
    const { values, positionals } = parse(args, verb.flags ?? {}, verb.usage, verb.stopsAtFirstWord)
    const project = loadProject({
      files: several(global, 'file'),
      projectName: global['project-name'] as string | undefined,
      projectDirectory: global['project-directory'] as string | undefined,
      envFiles: several(global, 'env-file'),
      profiles: several(global, 'profile'),
      env: process.env,
      cwd: process.cwd(),
      warn: (message) => console.error(`warning: ${message}`),
    })
    return verb.run({ engine: new Engine(socketOf()), project, flags: values, args: positionals })
  },
}

/** Flags before the verb are compose's own: pure. */
export function splitGlobals(words: string[]): { own: string[]; rest: string[] } {
  let index = 0
  while (index < words.length && words[index]?.startsWith('-')) index += words[index]?.includes('=') ? 1 : 2
  return { own: words.slice(0, index), rest: words.slice(index) }
}

function parse(
  args: string[],
  options: NonNullable<ParseArgsConfig['options']>,
  usage: string,
  stopsAtFirstWord = false,
): { values: Flags; positionals: string[] } {
  try {
    if (!stopsAtFirstWord) return parseArgs({ args, options, allowPositionals: true })
    // `run web sh -c …`: what follows the service belongs to its command.
    const { tokens } = parseArgs({ args, options, allowPositionals: true, strict: false, tokens: true })
    const first = tokens.find(({ kind }) => kind === 'positional')?.index ?? args.length
    const { values } = parseArgs({ args: args.slice(0, first), options, allowPositionals: false })
    return { values, positionals: args.slice(first) }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nusage: dinghy compose ${usage}`)
  }
}
