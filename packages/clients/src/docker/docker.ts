/**
 * `dinghy docker`: the few commands a lab needs, for machines that lack the real docker CLI. It speaks the Docker
 * Engine API over the cluster's socket, exactly as the real one would.
 */

import type { Command } from 'commander'
import { clusterFlags, type ClusterPaths } from '../command-line/cluster-flags.ts'
import { verbsCommand } from '../command-line/verbs.ts'
import type { DockerCommand } from './docker-command.ts'
import { asDaemonSays } from './daemon-says.ts'
import { engineAt, socketOf } from './socket.ts'

const verbs: Record<string, () => Promise<DockerCommand>> = {
  build: async () => (await import('./build.ts')).build,
  images: async () => (await import('./lists.ts')).images,
  run: async () => (await import('./run.ts')).run,
  exec: async () => (await import('./exec.ts')).exec,
  ps: async () => (await import('./lists.ts')).ps,
  logs: async () => (await import('./logs.ts')).logs,
  stop: async () => (await import('./stop.ts')).stop,
  rm: async () => (await import('./stop.ts')).rm,
}

/** `pathsOf` tells where the engine of a cluster listens. */
export function docker(pathsOf: ClusterPaths, words: string[] | 'all'): Promise<Command> {
  const options = {
    name: 'docker',
    description: 'A small docker for machines that lack the real one. It uses DOCKER_HOST, or the cluster.',
    examples: ['dinghy docker build -t web .', 'dinghy docker run --rm -it busybox sh', 'dinghy docker run --help'],
    verbs,
    flags: clusterFlags,
    onlyBefore: true,
  }
  return verbsCommand<DockerCommand>(
    {
      ...options,
      run: (verb, flags, args) =>
        asDaemonSays(() => verb.run({ engine: engineAt(socketOf(pathsOf, flags)), flags, args })),
    },
    words,
  )
}
