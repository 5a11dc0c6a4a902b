/**
 * The scheduler process: gives every pod without a node a node. It holds nothing that it could not read again from the
 * API server, so it may be killed and started at any time.
 *
 * The files in the order in which the idea unfolds:
 *   scheduling-queue  who is next            event-handlers, cache, snapshot  what the cluster looks like
 *   framework, plugins/*  which nodes do     schedule  the decision, pure     preemption  making room
 *   scheduler  the loop that acts            fit-error  what people are told
 *   explain  every plugin's word on every node, at any past revision (past-cluster, recent-decisions)
 */

import { readFile } from 'node:fs/promises'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { FlagError } from '@dinghy/shared/process/flags'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { leaseFlags, leaseIdentity } from '@dinghy/shared/process/lease-flags'
import { runMain } from '@dinghy/shared/process/main'
import { type Configuration, defaultConfiguration, readConfiguration } from './configuration/configuration.ts'
import { schedulerName } from './event-handlers.ts'
import { Extender } from './extender.ts'
import { Profiles } from './profiles.ts'
import { startScheduler } from './start-scheduler.ts'

runMain({
  name: 'scheduler',
  flags: {
    ...kubeconfigFlag,
    ...leaseFlags,
    config: {
      type: 'string',
      help: 'a KubeSchedulerConfiguration: profiles, arguments of plugins, extenders (a YAML or JSON file)',
    },
  },
  checkFlags: async ({ config }) => {
    if (config !== undefined) await readConfigurationFile(config)
  },
  run: async ({ flags, log, clock, signal, health, metrics, debug }) => {
    const client = new ApiClient({ ...(await readKubeconfig(flags.kubeconfig)), userAgent: schedulerName })
    const identity = leaseIdentity(flags.leaderElectIdentity)
    const lease = flags.leaderElect ? { client, clock, name: 'kube-scheduler', identity, log } : undefined
    const read = flags.config === undefined ? undefined : await readConfigurationFile(flags.config)
    const { configuration = defaultConfiguration, profiles = new Profiles() } = read ?? {}
    const extenders = await Promise.all(configuration.extenders.map((one) => Extender.from(one)))
    const deps = { client, clock, log, health, metrics, debug, random: Math.random, lease }
    await startScheduler({ ...deps, ...configuration, profiles, extenders }, signal)
  },
})

async function readConfigurationFile(path: string): Promise<{ configuration: Configuration; profiles: Profiles }> {
  try {
    const { parse } = await import('yaml')
    const configuration = readConfiguration(parse(await readFile(path, 'utf8')))
    return { configuration, profiles: new Profiles(configuration) }
  } catch (error) {
    throw new FlagError(`--config ${path}: ${(error as Error).message}`)
  }
}
