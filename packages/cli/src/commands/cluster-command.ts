/**
 * How the commands of `dinghy` find their cluster. Every command that concerns a cluster takes `--cluster` and `--state-dir`, and DINGHY_CLUSTER stands for the first.
 */

import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { plainCommand, quote, UsageError } from '@dinghy/clients/command-line/command'
import { clusterNamePattern, StateDir } from '../cluster/state-dir.ts'

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
