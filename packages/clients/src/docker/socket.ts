/**
 * Which engine the small clients talk to: the one in DOCKER_HOST or the docker context, or else a cluster's.
 */

import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { DockerEngine } from '@dinghy/shared/docker/engine'
import { type ClusterPaths, namesCluster } from '../command-line/cluster-flags.ts'
import { UsageError } from '../command-line/command.ts'
import type { Flags } from '../command-line/verbs.ts'

/** One that is quiet for so long hangs; what takes its time says so. */
const answerWithinMs = 60_000

export function engineAt(socketPath: string): DockerEngine {
  return new DockerEngine(socketPath, { apiVersion: '1.50', timeoutMs: answerWithinMs })
}

export function socketOf(pathsOf: ClusterPaths, flags: Flags, env: NodeJS.ProcessEnv = process.env): string {
  const host = env['DOCKER_HOST']
  return host && !namesCluster(flags) ? pathOf(host) : pathsOf(flags).dockerSocket
}

/** As the docker CLI chooses, for its plugin: both must talk to the same engine. */
export function socketOfCli(env: NodeJS.ProcessEnv, given: { host?: string; context?: string }): string {
  if (given.host !== undefined) return pathOf(given.host)
  if (given.context === undefined && env['DOCKER_HOST']) return pathOf(env['DOCKER_HOST'])
  const directory = env['DOCKER_CONFIG'] || join(homedir(), '.docker')
  const context = given.context ?? env['DOCKER_CONTEXT'] ?? currentContext(directory)
  if (!context || context === 'default') return pathOf('unix:///var/run/docker.sock')
  const id = createHash('sha256').update(context).digest('hex')
  const path = join(directory, 'contexts', 'meta', id, 'meta.json')
  if (!existsSync(path)) throw new UsageError(`context "${context}" does not exist`)
  const meta = JSON.parse(readFileSync(path, 'utf8')) as { Endpoints: { docker?: { Host?: string } } }
  return pathOf(meta.Endpoints.docker?.Host ?? '')
}

function currentContext(directory: string): string | undefined {
  const path = join(directory, 'config.json')
  if (!existsSync(path)) return undefined
  return (JSON.parse(readFileSync(path, 'utf8')) as { currentContext?: string }).currentContext
}

function pathOf(host: string): string {
  if (!host.startsWith('unix://'))
    throw new UsageError(`the docker host is "${host}"; this small client speaks only unix sockets`)
  return host.slice('unix://'.length)
}
