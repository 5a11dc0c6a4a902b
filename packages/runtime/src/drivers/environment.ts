/**
 * How a program gets its variables without one of them being a word of a command. Every user of the machine can read
 * the words of a command in the list of processes; the environment is shown only to who may look into the process.
 *
 * So each entry, NAME=value, is handed down as the value of a variable of ours, whose name means nothing to the tools
 * on the way, and which a shell keeps (it drops names like `discovery.type`). The last tool is env(1), which puts the
 * entries in the place of ours.
 */
import { spawnSync } from 'node:child_process'
import { toolEnvironment } from '../tool-environment.ts'
import { quote } from './terminal.ts'

/** What the first process of a command has in its environment, for environmentCommand() at the command's end. */
export function handedDown(entries: string[]): Record<string, string> {
  return Object.fromEntries(entries.map((entry, index) => [nameOf(index), entry]))
}

/** The same for a shell, as lines of a script that nobody else may read. */
export function exportLines(variables: Record<string, string>): string[] {
  return Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`)
}

/**
 * Becomes the command that follows, with the `count` entries that were handed down as its whole environment. `splits`
 * is what canSplit() says of `env`: without that the entries are words after all, for the moment that env itself takes.
 */
export function environmentCommand(count: number, env: string, splits: boolean): string[] {
  const names = Array.from({ length: count }, (_, index) => nameOf(index))
  if (count === 0) return [env, '-i']
  if (splits) return [env, '-i', '-S', `-- ${names.map((name) => `\${${name}}`).join(' ')}`]
  return ['sh', '-c', `exec ${quote(env)} -i -- ${names.map((name) => `"$${name}"`).join(' ')} "$@"`, 'sh']
}

/** Whether this env(1) puts variables into the words of its option -S: GNU's and BSD's do, BusyBox's has no -S. */
export function canSplit(env: string): boolean {
  const entry = 'a.b=c "d" $e'
  const [program, ...args] = [...environmentCommand(1, env, true), env]
  const { stdout } = spawnSync(program, args, { env: { ...toolEnvironment, ...handedDown([entry]) }, encoding: 'utf8' })
  return stdout === `${entry}\n`
}

function nameOf(index: number): string {
  return `given${index + 1}`
}
