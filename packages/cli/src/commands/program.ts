/**
 * The whole command line as one commander program. Only the command that is called is loaded, because a command should
 * cost what it does and not what its neighbours do; the others are known by name and summary, which is all that the
 * overview and the search for a similar name need.
 */

import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Flags } from '@dinghy/clients/command-line/verbs'
import type { StateDir } from '../cluster/state-dir.ts'
import { type ClusterOptions, stateOf } from './cluster-command.ts'

interface Entry {
  summary: string
  /** `words`: what stands behind the command's name. */
  load: (words: string[] | 'all') => Promise<Command>
}

/** Where the small clients find a cluster. */
function pathsOf(flags: Flags): StateDir {
  return stateOf({ cluster: flags['cluster'], stateDir: flags['state-dir'] } as ClusterOptions)
}

const entries: Record<string, Entry> = {
  up: {
    summary: 'start a cluster, or resume it where it stopped',
    load: async () => (await import('./up.ts')).up(),
  },
  down: {
    summary: 'stop a cluster; --wipe also forgets everything in it',
    load: async () => (await import('./down.ts')).down(),
  },
  status: {
    summary: 'the processes of a cluster and whether they are ready',
    load: async () => (await import('./status.ts')).status(),
  },
  env: {
    summary: 'shell lines: kubectl, docker and dinghy for a cluster',
    load: async () => (await import('./env.ts')).env(),
  },
  kubeconfig: {
    summary: "a cluster's kubeconfig: its path, one for another user, or merged",
    load: async () => (await import('./kubeconfig.ts')).kubeconfig(),
  },
  logs: {
    summary: "the log of one of the cluster's processes, or of all",
    load: async () => (await import('./logs.ts')).logs(),
  },
  why: {
    summary: 'the chain of writes that led to an object',
    load: async () => (await import('./why.ts')).why(),
  },
  history: {
    summary: 'every revision of an object: who wrote what, when, why',
    load: async () => (await import('./history.ts')).history(),
  },
  who: {
    summary: 'who set a field of an object, and who owns it now',
    load: async () => (await import('./who.ts')).who(),
  },
  diff: {
    summary: 'what differs in the cluster between two revisions',
    load: async () => (await import('./diff.ts')).diff(),
  },
  'explain-connection': {
    summary: 'whether NetworkPolicies let a connection through, and why',
    load: async () => (await import('./explain-connection.ts')).explainConnection(),
  },
  'explain-schedule': {
    summary: 'why a pod is on its node: what each plugin says',
    load: async () => (await import('./explain-schedule.ts')).explainSchedule(),
  },
  pause: {
    summary: 'hold the control loops of a component',
    load: async () => (await import('./gates.ts')).pause(),
  },
  resume: {
    summary: 'let them run again',
    load: async () => (await import('./gates.ts')).resume(),
  },
  step: {
    summary: 'let one key through a loop that is paused',
    load: async () => (await import('./gates.ts')).step(),
  },
  queue: {
    summary: 'what the control loops of a component wait for',
    load: async () => (await import('./gates.ts')).queue(),
  },
  node: {
    summary: "pull a node's plug, or plug it in again",
    load: async () => (await import('./node.ts')).node(),
  },
  snapshot: {
    summary: 'keep a copy of a stopped cluster, and go back to it',
    load: async () => (await import('./snapshot.ts')).snapshot(),
  },
  settings: {
    summary: 'the flags of the processes that `up --set` can give',
    load: async () => (await import('./settings.ts')).settings(),
  },
  runtime: {
    summary: 'run the container runtime alone, for the docker CLI',
    load: async () => (await import('./runtime.ts')).runtime(),
  },
  registry: {
    summary: 'run an image registry (plain HTTP, 127.0.0.1:5000)',
    load: async () => (await import('./runtime.ts')).registry(),
  },
  compose: {
    summary: 'run a compose project on the container runtime',
    load: async (words) => (await import('@dinghy/compose/compose')).compose(pathsOf, words),
  },
  docker: {
    summary: 'a small docker for machines that lack the real one',
    load: async (words) => (await import('@dinghy/clients/docker/docker')).docker(pathsOf, words),
  },
  kubectl: {
    summary: 'a small kubectl for machines that lack the real one',
    load: async (words) => (await import('@dinghy/clients/kubectl/kubectl')).kubectl(pathsOf, words),
  },
  completion: {
    summary: 'a script that completes commands and flags by Tab',
    load: async () => (await import('./completion.ts')).completion(() => programFor('all')),
  },
}

/** The program with what `words` call loaded, or with everything. */
export async function programFor(words: string[] | 'all'): Promise<Command> {
  const program = new Command('dinghy')
    .description('A cluster small enough to see every rope.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'the same as COMMAND --help')
    .addHelpText('after', '\nExamples:\n  $ dinghy up --detach\n  $ eval "$(dinghy env)"\n  $ kubectl get nodes')
    .showSuggestionAfterError()
    .exitOverride()
    .enablePositionalOptions()
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
  for (const [name, { summary, load }] of Object.entries(entries)) {
    const isCalled = words === 'all' || words[0] === name
    const command = isCalled ? await load(words === 'all' ? 'all' : words.slice(1)) : new Command(name)
    program.addCommand(inherit(command.summary(summary), program))
  }
  return program
}

/** `help up` is `up --help`: only so is the command loaded that it is about. */
export function withoutHelpWord(words: string[]): string[] {
  return words[0] === 'help' && words.length > 1 ? [...words.slice(1), '--help'] : words
}

/** Commander hands settings on to commands that it made itself, not to those that were added. */
function inherit(command: Command, program: Command): Command {
  command.copyInheritedSettings(program)
  for (const child of command.commands) inherit(child, program)
  return command
}

/**
 * commander's message as one line that says what to do next: "dinghy: unknown option '--noes' (Did you mean
 * --nodes?)".
 */
export function oneLine(text: string): string {
  const said = text
    .trim()
    .replace(/^error: /, '')
    .replaceAll(/\n+/g, ' ')
  return `dinghy: ${said}${said.endsWith('?)') ? '' : '; --help shows what there is'}\n`
}

// TypeScript's rootDir is src, so the version is read, not imported.
function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
