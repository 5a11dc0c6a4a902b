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

import { ApiClient } from '@dinghy/shared/client/api-client'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { leaseFlags, leaseIdentity } from '@dinghy/shared/process/lease-flags'
import { runMain } from '@dinghy/shared/process/main'
import { schedulerName } from './event-handlers.ts'
import { startScheduler } from './start-scheduler.ts'

runMain({
  name: 'scheduler',
  flags: {
    ...kubeconfigFlag,
    ...leaseFlags,
  },
  run: async ({ flags, log, clock, signal, health, metrics, debug }) => {
    const client = new ApiClient({ ...(await readKubeconfig(flags.kubeconfig)), userAgent: schedulerName })
    const identity = leaseIdentity(flags.leaderElectIdentity)
    const lease = flags.leaderElect ? { client, clock, name: 'kube-scheduler', identity, log } : undefined
    await startScheduler({ client, clock, log, health, metrics, debug, random: Math.random, lease }, signal)
  },
})
