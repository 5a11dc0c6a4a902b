/**
 * `dinghy compose`: runs a compose project on the engine. Also what `docker compose` runs once `compose install-plugin`
 * has put a script where the real docker CLI looks for its plugins.
 */

import { systemClock } from '@dinghy/shared/api/clock'
import { type Command, type Flags, several, UsageError } from '@dinghy/clients/command-line/command'
import { asDaemonSays } from '@dinghy/clients/docker/daemon-says'
import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { parseWords } from '@dinghy/clients/command-line/parse-words'
import { engineAt, socketOf, socketOfCli } from '@dinghy/clients/docker/socket'
import { NoComposeFileError } from './compose-error.ts'
import { loadProject } from './load/project.ts'
import type { Project } from './model.ts'
import { observeProject } from './observed-project.ts'
import { composeVersion, installPlugin, splitPluginWords } from './plugin.ts'
import type { ComposeVerb } from './verb.ts'

const verbs: Record<string, () => Promise<ComposeVerb>> = {
  up: async () => (await import('./verbs/up.ts')).up,
  create: async () => (await import('./verbs/up.ts')).create,
  down: async () => (await import('./verbs/down.ts')).down,
  ps: async () => (await import('./verbs/ps.ts')).ps,
  images: async () => (await import('./verbs/ps.ts')).images,
  port: async () => (await import('./verbs/ps.ts')).port,
  logs: async () => (await import('./verbs/logs.ts')).logs,
  build: async () => (await import('./verbs/build.ts')).build,
  pull: async () => (await import('./verbs/build.ts')).pull,
  start: async () => (await import('./verbs/lifecycle.ts')).start,
  stop: async () => (await import('./verbs/lifecycle.ts')).stop,
  restart: async () => (await import('./verbs/lifecycle.ts')).restart,
  pause: async () => (await import('./verbs/lifecycle.ts')).pause,
  unpause: async () => (await import('./verbs/lifecycle.ts')).unpause,
  kill: async () => (await import('./verbs/lifecycle.ts')).kill,
  rm: async () => (await import('./verbs/lifecycle.ts')).rm,
  exec: async () => (await import('./verbs/exec.ts')).exec,
  run: async () => (await import('./verbs/run.ts')).run,
  config: async () => (await import('./verbs/config.ts')).config,
  top: async () => (await import('./verbs/top.ts')).top,
  cp: async () => (await import('./verbs/cp.ts')).cp,
  events: async () => (await import('./verbs/events.ts')).events,
  wait: async () => (await import('./verbs/wait.ts')).wait,
}

const globalFlags = {
  file: { type: 'string', short: 'f', multiple: true },
  'project-name': { type: 'string', short: 'p' },
  'project-directory': { type: 'string' },
  profile: { type: 'string', multiple: true },
  'env-file': { type: 'string', multiple: true },
  // How progress is drawn: here always one line at a time.
  ansi: { type: 'string' },
  progress: { type: 'string' },
} as const

const usage = `compose [-f FILE] [-p PROJECT] [--profile NAME] [--env-file FILE] ${Object.keys(verbs).join('|')} …`

/** `clusterSocket` tells where the engine of the default cluster listens. */
export function compose(clusterSocket: () => string): Command {
  return {
    usage,
    summary: 'run a compose project on the container runtime',
    passThrough: true,
    async run(_flags, [first, ...words]) {
      if (first === 'install-plugin') return installPlugin()
      if (first !== 'as-plugin')
        return asDaemonSays(() =>
          runCompose(first === undefined ? [] : [first, ...words], () => socketOf(clusterSocket)),
        )
      const { rest, ...given } = splitPluginWords(words)
      return asDaemonSays(() => runCompose(rest, () => socketOfCli(process.env, given)))
    },
  }
}

async function runCompose(words: string[], socket: () => string): Promise<number> {
  const { own, rest } = splitGlobals(words)
  const [name, ...args] = rest
  const { flags: global } = parseWords(own, { usage: `dinghy ${usage}`, flags: globalFlags })
  if (name === undefined || name === 'help' || own.includes('--help')) {
    console.log(`dinghy ${usage}`)
    return 0
  }
  if (name === 'version') {
    console.log(args.includes('--short') ? composeVersion.slice(1) : `Docker Compose version ${composeVersion}`)
    return 0
  }
  if (name === 'ls') {
    const { flags } = parseWords(args, {
      usage: 'dinghy compose ls [-a] [--format table|json]',
      flags: { all: { type: 'boolean', short: 'a' }, format: { type: 'string' } },
    })
    const { ls } = await import('./verbs/ls.ts')
    return ls(engineAt(socket()), { all: flags['all'] === true, format: flags['format'] as string | undefined })
  }
  const load = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  if (!load) throw new UsageError(`compose knows ${Object.keys(verbs).join(', ')}, ls, version and install-plugin`)
  const verb = await load()
  if (args[0] === '--help') {
    console.log(`dinghy compose ${verb.usage}`)
    return 0
  }
  const { flags, words: services } = parseWords(args, { ...verb, usage: `dinghy compose ${verb.usage}` })
  const engine = engineAt(socket())
  const project = await projectOf(engine, verb, global, services)
  const signal = new AbortController().signal
  return verb.run({ engine, project, clock: systemClock, flags, args: services, signal })
}

async function projectOf(engine: DockerEngine, verb: ComposeVerb, global: Flags, words: string[]): Promise<Project> {
  const projectName = global['project-name'] as string | undefined
  try {
    return loadProject({
      files: several(global, 'file'),
      projectName,
      projectDirectory: global['project-directory'] as string | undefined,
      envFiles: several(global, 'env-file'),
      profiles: several(global, 'profile'),
      targets: verb.takesPaths ? [] : verb.stopsAtFirstWord ? words.slice(0, 1) : words,
      env: process.env,
      cwd: process.cwd(),
      warn: (message) => console.error(`warning: ${message}`),
    })
  } catch (error) {
    if (!(error instanceof NoComposeFileError) || !verb.worksWithoutFile || projectName === undefined) throw error
    return observeProject(engine, projectName, process.cwd())
  }
}

/** Flags before the verb are compose's own: pure. */
export function splitGlobals(words: string[]): { own: string[]; rest: string[] } {
  let index = 0
  while (index < words.length && words[index]?.startsWith('-'))
    index += words[index]?.includes('=') || words[index] === '--help' ? 1 : 2
  return { own: words.slice(0, index), rest: words.slice(index) }
}
