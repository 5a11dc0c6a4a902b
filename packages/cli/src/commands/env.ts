/**
 * `eval "$(npx dinghy env)"`: points this shell's kubectl and docker at the cluster.
 */

import { existsSync } from 'node:fs'
import { clusterFlags, quote, sameCluster, stateOf } from './command.ts'
import type { Command } from '@dinghy/clients/command-line/command'

export const env: Command = {
  usage: 'env [--cluster NAME] [--state-dir DIR]',
  summary: 'shell lines that point kubectl and docker at a cluster',
  // The same flags as `up`, so that a command line can be recalled and one word changed.
  flags: {
    ...clusterFlags,
    detach: { type: 'boolean', short: 'd' },
    nodes: { type: 'string' },
    driver: { type: 'string' },
  },
  run(flags) {
    const state = stateOf(flags)
    console.log(`export KUBECONFIG=${quote(state.kubeconfig)}`)
    console.log(`export DOCKER_HOST=${quote(`unix://${state.dockerSocket}`)}`)
    // With buildx installed the docker CLI would insist on BuildKit's own protocol; this asks for the Engine API's build.
    console.log('export DOCKER_BUILDKIT=0')
    console.log(`# Run this to use them:  eval "$(npx dinghy env${sameCluster(flags)})"`)
    // On the error stream, where `eval` does not look: the lines are right, only nobody answers there yet.
    if (!existsSync(state.config))
      console.error(`dinghy: there is no cluster in ${state.root} yet; \`dinghy up\` makes it`)
    return Promise.resolve(0)
  },
}

export const kubeconfig: Command = {
  usage: 'kubeconfig [--cluster NAME] [--state-dir DIR]',
  summary: "print the path of a cluster's kubeconfig",
  flags: clusterFlags,
  run(flags) {
    console.log(stateOf(flags).kubeconfig)
    return Promise.resolve(0)
  },
}
