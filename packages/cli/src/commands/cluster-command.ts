/**
 * What the commands of `dinghy` share: how one is declared (by commander), how it finds its cluster, how it ends.
 *
 * Exit codes are the same everywhere: 0 it is done, 1 it failed (or the cluster is not ready), 2 it was used wrongly.
 * Every command that concerns a cluster takes `--cluster` and `--state-dir`, and DINGHY_CLUSTER stands for the first.
 */

import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { clusterNamePattern, StateDir } from '../cluster/state-dir.ts'
import { UsageError } from '../usage-error.ts'

export interface ClusterOptions {
  cluster?: string
  stateDir?: string
}

/** A command that concerns one cluster. `examples` are whole command lines, shown below its flags. */
export function clusterCommand(name: string, examples: string[]): Command {
  return plainCommand(name, examples)
    .addOption(new Option('--cluster <name>', 'which cluster (default: "dinghy")').env('DINGHY_CLUSTER'))
    .option('--state-dir <dir>', 'where it lives (default: ~/.local/state/dinghy/CLUSTER)')
}

export function plainCommand(name: string, examples: string[]): Command {
  const shown = examples.map((example) => `  $ ${example}`).join('\n')
  return new Command(name).addHelpText('after', `\n${examples.length === 1 ? 'Example' : 'Examples'}:\n${shown}`)
}

/** What commander calls: the words, then the options. Its number becomes the exit code. */
export function exitWith<Options>(run: (options: Options, ...words: string[]) => Promise<number> | number) {
  return async function act(...args: unknown[]): Promise<void> {
    // commander appends the options and the command itself to the words.
    const options = args.at(-2) as Options
    process.exitCode = await run(options, ...(args.slice(0, -2) as string[]))
  }
}

/** For commander: an option that may be given several times. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

export function stateOf(options: ClusterOptions): StateDir {
  // An unset variable of a script must not mean the directory that one happens to be in.
  if (options.stateDir === '') throw new UsageError('--state-dir takes a directory, not ""')
  return StateDir.of(clusterName(options), options.stateDir)
}

export function clusterName({ cluster = 'dinghy' }: ClusterOptions): string {
  if (!clusterNamePattern.test(cluster)) {
    throw new UsageError(`"${cluster}" is no cluster name: use up to 32 of a-z, 0-9 and -, first and last not -`)
  }
  return cluster
}

/** The words that lead another command to the same cluster: `dinghy env --cluster two`. */
export function sameCluster({ cluster, stateDir }: ClusterOptions): string {
  return [
    ...(cluster === undefined ? [] : [` --cluster ${quote(cluster)}`]),
    ...(stateDir === undefined ? [] : [` --state-dir ${quote(resolve(stateDir))}`]),
  ].join('')
}

/** One word of a POSIX shell, whatever characters it has. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
