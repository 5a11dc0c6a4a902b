/**
 * What every command of `dinghy` is: a line of help, its flags, and a function that returns the exit code.
 */

import { resolve } from 'node:path'
import type { ParseArgsConfig } from 'node:util'
import { StateDir, clusterNamePattern } from '../cluster/state-dir.ts'
import { UsageError } from '../usage-error.ts'

export { UsageError } from '../usage-error.ts'

/** What node's parseArgs returns; which type a flag has, the command's own table says. */
export type Flags = Record<string, string | boolean | (string | boolean)[] | undefined>

/** The values of a flag that may be given several times. */
export function several(flags: Flags, name: string): string[] {
  return (flags[name] as string[] | undefined) ?? []
}

export interface Command {
  usage: string
  summary: string
  flags?: NonNullable<ParseArgsConfig['options']>
  /** How many words it takes besides its flags; none unless said. */
  words?: number
  /** Takes whatever follows as it stands (`dinghy kubectl get -o wide`): no flag of ours is looked for in it. */
  passThrough?: boolean
  run(flags: Flags, args: string[]): Promise<number>
}

/** The flags by which every command finds its cluster. */
export const clusterFlags = {
  cluster: { type: 'string' },
  'state-dir': { type: 'string' },
} as const

export function stateOf(flags: Flags): StateDir {
  const stateDir = flags['state-dir'] as string | undefined
  // An unset variable of a script must not mean the directory that one happens to be in.
  if (stateDir === '') throw new UsageError('--state-dir takes a directory, not ""')
  return StateDir.of(clusterName(flags), stateDir)
}

/** The words that lead another command to the same cluster: `eval "$(npx dinghy env --cluster two)"`. */
export function sameCluster(flags: Flags): string {
  const words = Object.keys(clusterFlags).map((flag) => {
    const value = flags[flag] as string | undefined
    return value === undefined ? '' : ` --${flag} ${quote(flag === 'state-dir' ? resolve(value) : value)}`
  })
  return words.join('')
}

/** One word of a POSIX shell, whatever characters it has. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

export function clusterName(flags: Flags): string {
  const name = (flags['cluster'] as string | undefined) ?? process.env['DINGHY_CLUSTER'] ?? 'dinghy'
  if (!clusterNamePattern.test(name)) {
    throw new UsageError(`"${name}" is no cluster name: use up to 32 of a-z, 0-9 and -, first and last not -`)
  }
  return name
}
