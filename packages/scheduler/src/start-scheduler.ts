/**
 * startScheduler: puts the parts together: informers feed the cache and the queue, the loop empties the queue.
 */

import { aborted } from '@dinghy/shared/api/aborted'
import type { Clock } from '@dinghy/shared/api/clock'
import { PodDisruptionBudgets } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import { type LeaseOptions, runWithLease } from '@dinghy/shared/client/leader-election'
import type { DebugServer } from '@dinghy/shared/process/debug-server'
import type { Health } from '@dinghy/shared/process/health'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Metrics } from '@dinghy/shared/process/metrics'
import { debugQueues } from '@dinghy/shared/reconcile/gate'
import { SchedulerCache } from './cache.ts'
import { schedulerName, watchCluster } from './event-handlers.ts'
import { explainPage } from './explain-page.ts'
import type { Extender } from './extender.ts'
import { lookupsIn } from './lookups.ts'
import { schedulerMetrics } from './metrics.ts'
import { Nominations } from './nominations.ts'
import { tellOfPause } from './pause-notice.ts'
import { Profiles, schedulerNameOf } from './profiles.ts'
import { RecentDecisions } from './recent-decisions.ts'
import type { Random } from './schedule.ts'
import { runScheduler } from './scheduler.ts'
import { SchedulingQueue } from './scheduling-queue.ts'
import { VolumeBinder } from './volume-binder.ts'

export interface StartOptions {
  /** Its user agent is the actor of all writes: "default-scheduler". */
  client: ApiClient
  clock: Clock
  log: Logger
  health: Health
  metrics: Metrics
  debug: Pick<DebugServer, 'addPage'>
  random: Random
  profiles?: Profiles
  extenders?: readonly Extender[]
  firstBackoffMs?: number
  longestBackoffMs?: number
  /** With it, pods are placed only while it is held. */
  lease?: LeaseOptions | undefined
}

/** Runs until the signal aborts. Places nothing before it has seen the whole cluster. */
export async function startScheduler(options: StartOptions, signal: AbortSignal): Promise<void> {
  const { client, clock, log, health, metrics, random, lease } = options
  const { profiles = new Profiles(), extenders = [], firstBackoffMs, longestBackoffMs } = options
  const informers = new Informers(client, { clock, log })
  const lookups = lookupsIn((resource) => informers.for(resource).lister)
  const disruptionBudgets = informers.for(PodDisruptionBudgets).lister
  const queue = new SchedulingQueue({
    clock,
    firstBackoffMs,
    longestBackoffMs,
    isHelpedBy: (event, pod, refusedBy) =>
      // What an extender waits for, nobody knows.
      extenders.some(({ name }) => refusedBy.has(name)) ||
      profiles.of(pod).plugins.some((plugin) => refusedBy.has(plugin.name) && plugin.isHelpedBy?.(event, pod)),
  })
  const state = { profiles, cache: new SchedulerCache({ log }), queue, nominations: new Nominations() }
  debugQueues.set(schedulerName, queue)
  watchCluster(informers, state)

  const recent = new RecentDecisions()
  options.debug.addPage('/debug/explain-schedule', (query, signal) =>
    explainPage({ client, log, recent, profiles }, query, signal),
  )

  let synced = false
  health.addCheck('informers', () => synced)
  informers.start(signal)
  const cluster = Promise.race([informers.synced(), aborted(signal)]).then(() => (synced = true))

  const recorders = new Map(
    profiles.names.map((name) => [name, new EventRecorder(client, { component: name, clock, log })]),
  )
  const events = {
    event: (pod: Pod, ...said: [type: 'Normal' | 'Warning', reason: string, message: string]): void =>
      recorders.get(schedulerNameOf(pod))?.event(pod, ...said),
  }
  const deps = {
    ...state,
    recent,
    client,
    clock,
    log,
    lookups,
    extenders,
    volumes: new VolumeBinder({ client, informers, lookups, clock }),
    events,
    metrics: schedulerMetrics(metrics, queue),
    disruptionBudgets: () => disruptionBudgets.list(),
    random,
  }
  async function work(signal: AbortSignal): Promise<void> {
    await cluster
    await Promise.all([runScheduler(deps, signal), tellOfPause(deps, signal)])
  }
  // The lease is asked for while the caches fill, so that a start takes no longer for it.
  await (lease ? runWithLease(lease, work, signal) : work(signal))
  await cluster
  for (const recorder of recorders.values()) recorder.stop()
  debugQueues.delete(schedulerName)
}
