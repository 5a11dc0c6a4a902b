/**
 * How the commands of `dinghy` find their cluster. Every command that concerns one takes `--cluster` and
 * `--state-dir`; where neither is given, DINGHY_STATE_DIR (which `dinghy env` sets) and DINGHY_CLUSTER say which, and
 * else it is the ordinary one.
 */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { plainCommand, quote, UsageError } from '@dinghy/clients/command-line/command'
import { clusterNamePattern, StateDir } from '../cluster/state-dir.ts'

export interface ClusterOptions {
  cluster?: string
  stateDir?: string
}

/** A command that concerns one cluster. `examples` are whole command lines, shown below its flags. */
export function clusterCommand(name: string, examples: string[]): Command {
  return plainCommand(name, examples)
    .option('--cluster <name>', 'which cluster (default: $DINGHY_CLUSTER, "dinghy")')
    .option('--state-dir <dir>', 'where it lives (default: $DINGHY_STATE_DIR, ~/.local/state/dinghy/CLUSTER)')
}

export function stateOf(options: ClusterOptions, env: NodeJS.ProcessEnv = process.env): StateDir {
  const { stateDir } = chosen(options, env)
  // An unset variable of a script must not mean the directory that one happens to be in.
  if (stateDir === '') throw new UsageError('--state-dir takes a directory, not ""')
  return StateDir.of(clusterName(options, env), stateDir)
}

export function clusterName(options: ClusterOptions, env: NodeJS.ProcessEnv = process.env): string {
  const { cluster = ordinary } = chosen(options, env)
  if (!clusterNamePattern.test(cluster)) {
    throw new UsageError(`"${cluster}" is no cluster name: use up to 32 of a-z, 0-9 and -, first and last not -`)
  }
  return cluster
}

const ordinary = 'dinghy'

/** The cluster that people get who ask for no particular one. */
export function isOrdinary(state: StateDir): boolean {
  return state.root === StateDir.of(ordinary, undefined).root
}

/** Whoever names a cluster means that one, whatever the environment says. */
function chosen(options: ClusterOptions, env: NodeJS.ProcessEnv): ClusterOptions {
  if (options.cluster !== undefined || options.stateDir !== undefined) return options
  const [cluster, stateDir] = [env['DINGHY_CLUSTER'], env['DINGHY_STATE_DIR']]
  return { ...(cluster ? { cluster } : {}), ...(stateDir ? { stateDir } : {}) }
}

/** The words that lead another command to the same cluster: `dinghy env --cluster two`. */
export function sameCluster({ cluster, stateDir }: ClusterOptions): string {
  return [
    ...(cluster === undefined ? [] : [` --cluster ${quote(cluster)}`]),
    ...(stateDir === undefined ? [] : [` --state-dir ${quote(resolve(stateDir))}`]),
  ].join('')
}
