/**
 * `eval "$(dinghy env)"`: points this shell's kubectl and docker at the cluster, and puts this clone's `dinghy` on
 * its PATH.
 */

import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { exitWith, quote } from '@dinghy/clients/command-line/command'
import type { StateDir } from '../cluster/state-dir.ts'
import { clusterCommand, type ClusterOptions, isOrdinary, sameCluster, stateOf } from './cluster-command.ts'

export function env(): Command {
  return clusterCommand('env', ['eval "$(dinghy env)"'])
    .description("Shell lines that point kubectl and docker at a cluster, and put this clone's dinghy on the PATH.")
    .action(exitWith(runEnv))
}

function runEnv(options: ClusterOptions): number {
  const state = stateOf(options)
  if (!existsSync(state.config)) return noCluster(state)
  console.log(envLines(state, sameCluster(options), process.env))
  // On the error stream, where `eval` does not look: the lines are right, only nobody answers there now.
  if (!existsSync(state.supervisorSocket)) console.error('dinghy: the cluster is stopped; `dinghy up` resumes it')
  return 0
}

/** Pure. */
export function envLines(state: StateDir, same: string, env: NodeJS.ProcessEnv): string {
  const path = env['PATH'] ?? ''
  const isOnPath = path.split(delimiter).includes(binDirectory)
  return [
    `export KUBECONFIG=${quote(state.kubeconfig)}`,
    `export DOCKER_HOST=${quote(`unix://${state.dockerSocket}`)}`,
    // With buildx installed the docker CLI would insist on BuildKit's own protocol; this asks for the Engine API's
    // build.
    'export DOCKER_BUILDKIT=0',
    // So that `dinghy` means this cluster, too.
    ...(isOrdinary(state) ? [] : [`export DINGHY_STATE_DIR=${quote(state.root)}`]),
    ...(isOrdinary(state) && env['DINGHY_STATE_DIR'] !== undefined ? ['unset DINGHY_STATE_DIR'] : []),
    ...(isOnPath ? [] : [`export PATH=${quote(binDirectory)}:"$PATH"`]),
    `# Run this to use them:  eval "$(${dinghyWord(path)} env${same})"`,
  ].join('\n')
}

/** Where the `dinghy` of this clone is. */
const binDirectory = fileURLToPath(new URL('../../bin', import.meta.url))

/** How people call this program: by its name where that leads here, by its path elsewhere. */
export function dinghyWord(path = process.env['PATH'] ?? ''): string {
  return path.split(delimiter).includes(binDirectory) ? 'dinghy' : quote(`${binDirectory}/dinghy`)
}

export function noCluster(state: StateDir): number {
  console.error(`dinghy: there is no cluster in ${state.root}; \`dinghy up\` makes it`)
  return 1
}
