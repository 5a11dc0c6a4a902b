/**
 * `dinghy`: the command line. One table of commands; each is loaded only when it is called, because a command should
 * cost what it does and not what its neighbours do.
 */

import { parseArgs } from 'node:util'
import { type Command, type Flags, UsageError } from '@dinghy/clients/command-line/command'
import { stateOf } from './commands/command.ts'

const commands: Record<string, () => Promise<Command>> = {
  up: async () => (await import('./commands/up.ts')).up,
  down: async () => (await import('./commands/down.ts')).down,
  status: async () => (await import('./commands/status.ts')).status,
  env: async () => (await import('./commands/env.ts')).env,
  kubeconfig: async () => (await import('./commands/env.ts')).kubeconfig,
  logs: async () => (await import('./commands/logs.ts')).logs,
  why: async () => (await import('./commands/why.ts')).why,
  history: async () => (await import('./commands/why.ts')).history,
  node: async () => (await import('./commands/node.ts')).node,
  runtime: async () => (await import('./commands/runtime.ts')).runtime,
  registry: async () => (await import('./commands/runtime.ts')).registry,
  compose: async () => (await import('@dinghy/compose/compose')).compose(() => stateOf({}).dockerSocket),
  docker: async () => (await import('@dinghy/clients/docker/docker')).docker(() => stateOf({}).dockerSocket),
  kubectl: async () => (await import('@dinghy/clients/kubectl/kubectl')).kubectl((flags) => stateOf(flags).kubeconfig),
}

async function main([name, ...rest]: string[]): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    console.log(await overview())
    return name === undefined ? 2 : 0
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!load) throw new UsageError(`"${name}" is no command of dinghy; \`dinghy help\` lists them`)
  const command = await load()
  if (command.passThrough) return command.run({}, rest)
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(`dinghy ${command.usage}\n\n${command.summary}`)
    return 0
  }
  const { values, positionals } = parse(command, rest)
  return command.run(values, positionals)
}

function parse(command: Command, args: string[]): { values: Flags; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({ args, options: command.flags ?? {}, allowPositionals: true })
    const tooMany = positionals[command.words ?? 0]
    if (tooMany !== undefined) throw new Error(`"${tooMany}" is one word too many`)
    return { values, positionals }
  } catch (error) {
    throw UsageError.of(error, command.usage)
  }
}

async function overview(): Promise<string> {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()))
  const width = Math.max(...loaded.map(({ usage }) => firstWords(usage).length))
  const lines = loaded.map(({ usage, summary }) => `  ${firstWords(usage).padEnd(width)}  ${summary}`)
  return [
    'dinghy: a cluster small enough to see every rope',
    '',
    ...lines,
    '',
    '`dinghy COMMAND --help` says more.',
  ].join('\n')
}

function firstWords(usage: string): string {
  return usage.split(/ \[| \S+\|\S+\|/)[0] ?? usage
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(`dinghy: ${(error as Error).message}`)
  if (process.env['DINGHY_DEBUG']) console.error(error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
