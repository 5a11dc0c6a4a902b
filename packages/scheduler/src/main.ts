// The scheduler process: gives every pod without a node a node. Holds nothing that it could not read again from the API
// server, so it may be killed and started at any time.

import { PodDisruptionBudgets } from '@dinghy/shared/api/resources'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import { runMain } from '@dinghy/shared/process/main'
import { debugQueues } from '@dinghy/shared/reconcile/gate'
import { SchedulerCache } from './cache.ts'
import { schedulerName, watchCluster } from './event-handlers.ts'
import { informerLookups } from './lookups.ts'
import { schedulerMetrics } from './metrics.ts'
import { Nominations } from './nominations.ts'
import { defaultPlugins } from './plugins/default-plugins.ts'
import { runScheduler } from './scheduler.ts'
import { SchedulingQueue } from './scheduling-queue.ts'
import { VolumeBinder } from './volume-binder.ts'

runMain({
  name: 'scheduler',
  flags: {
    server: { type: 'string', default: 'http://127.0.0.1:6443', help: 'URL of the API server' },
  },
  run: async ({ flags, log, clock, signal, health, metrics }) => {
    const client = new ApiClient({ server: flags.server, userAgent: schedulerName })
    const informers = new Informers(client, { clock, log })
    const lookups = informerLookups(informers)
    const disruptionBudgets = informers.for(PodDisruptionBudgets).lister
    const cache = new SchedulerCache()
    const nominations = new Nominations()
    const queue = new SchedulingQueue({
      clock,
      isHelpedBy: (event, pod, refusedBy) =>
        defaultPlugins.some((plugin) => refusedBy.has(plugin.name) && plugin.isHelpedBy?.(event, pod)),
    })
    debugQueues.set(schedulerName, queue)
    watchCluster(informers, { cache, queue, nominations })

    let synced = false
    health.addCheck('informers', () => synced)
    informers.start(signal)
    await Promise.race([informers.synced(), aborted(signal)])
    synced = true

    const events = new EventRecorder(client, { component: schedulerName, clock, log })
    const deps = {
      client,
      clock,
      log,
      cache,
      queue,
      nominations,
      lookups,
      plugins: defaultPlugins,
      volumes: new VolumeBinder({ client, informers, lookups, clock }),
      events,
      metrics: schedulerMetrics(metrics, queue),
      disruptionBudgets: () => disruptionBudgets.list(),
      random: Math.random,
    }
    await runScheduler(deps, signal)
    events.stop()
  },
})

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
