/**
 * `dinghy compose`: runs a compose project on the engine. Also what `docker compose` runs once `compose install-plugin`
 * has put a script where the real docker CLI looks for its plugins.
 */

import { Command } from 'commander'
import { clusterFlags, type ClusterPaths } from '@dinghy/clients/command-line/cluster-flags'
import { systemClock } from '@dinghy/shared/api/clock'
import { exitWith, plainCommand } from '@dinghy/clients/command-line/command'
import { type Flags, type FlagTable, several, verbsCommand } from '@dinghy/clients/command-line/verbs'
import { asDaemonSays } from '@dinghy/clients/docker/daemon-says'
import type { DockerEngine } from '@dinghy/shared/docker/engine'
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

const globalFlags: FlagTable = {
  file: { type: 'string', short: 'f', multiple: true, value: 'file', help: 'a compose file; several are merged' },
  'project-name': { type: 'string', short: 'p', value: 'name', help: "of the project (default: the directory's)" },
  'project-directory': { type: 'string', value: 'dir', help: 'what relative paths start from' },
  profile: { type: 'string', multiple: true, value: 'name', help: 'also the services of this profile' },
  'env-file': { type: 'string', multiple: true, value: 'file', help: 'variables, instead of .env' },
  ansi: { type: 'string', value: 'when', help: 'accepted: progress is one line at a time' },
  progress: { type: 'string', value: 'style', help: 'accepted: progress is one line at a time' },
  ...clusterFlags,
}

/** `pathsOf` tells where the engine of a cluster listens. */
export async function compose(pathsOf: ClusterPaths, words: string[] | 'all'): Promise<Command> {
  const command = await composeFor((flags) => socketOf(pathsOf, flags), words)
  // What the docker CLI calls; the words that it puts before its own are not ours to list.
  const asPlugin = new Command('as-plugin').helpOption(false).allowUnknownOption().argument('[words...]')
  asPlugin.passThroughOptions().action(async (typed: string[]) => {
    const { rest, ...given } = splitPluginWords(typed)
    const plugin = await composeFor(() => socketOfCli(process.env, given), rest)
    await plugin.copyInheritedSettings(command).parseAsync(rest, { from: 'user' })
  })
  return command.addCommand(asPlugin, { hidden: true })
}

async function composeFor(socket: (flags: Flags) => string, words: string[] | 'all'): Promise<Command> {
  const options = {
    name: 'compose',
    description: 'Run a compose project on the container runtime: of DOCKER_HOST, or of the cluster.',
    examples: ['dinghy compose up -d --build', 'dinghy compose -f app.yaml logs -f web', 'dinghy compose up --help'],
    verbs,
    flags: globalFlags,
    onlyBefore: true,
  }
  async function run(verb: ComposeVerb, flags: Flags, args: string[]): Promise<number> {
    const engine = engineAt(socket(flags))
    return asDaemonSays(async () => {
      const project = await projectOf(engine, verb, flags, args)
      const signal = new AbortController().signal
      return verb.run({ engine, project, clock: systemClock, flags, args, signal })
    })
  }
  const command = await verbsCommand<ComposeVerb>({ ...options, run }, words)
  return command
    .addCommand(listProjects(socket))
    .addCommand(printVersion())
    .addCommand(
      plainCommand('install-plugin', [])
        .description("Give the real docker CLI `docker compose`, which is this program's.")
        .action(exitWith(() => installPlugin())),
    )
}

function listProjects(socket: (flags: Flags) => string): Command {
  return plainCommand('ls', [])
    .description('List the projects on the runtime.')
    .option('-a, --all', 'also those that do not run')
    .option('--format <format>', 'table or json')
    .action(async (flags: { all?: boolean; format?: string }, command: Command) => {
      const { ls } = await import('./verbs/ls.ts')
      const engine = engineAt(socket(command.parent?.opts<Flags>() ?? {}))
      process.exitCode = await asDaemonSays(() => ls(engine, { all: flags.all ?? false, format: flags.format }))
    })
}

function printVersion(): Command {
  return plainCommand('version', [])
    .description('Print the version of compose.')
    .option('--short', 'only the number')
    .action((flags: { short?: boolean }) => {
      console.log(flags.short ? composeVersion.slice(1) : `Docker Compose version ${composeVersion}`)
    })
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
