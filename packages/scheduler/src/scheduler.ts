/**
 * Scheduler: the loop. Takes the next pod, decides (schedule.ts, pure), and carries the decision out.
 *
 *   take ─► snapshot ─► schedulePod ─┬─ a node ─► assume it ─► next pod at once
 *                                    │               └─ meanwhile: volumes ─► POST binding ─► "Scheduled"
 *                                    └─ none ─► preempt? ─► condition PodScheduled=False, "FailedScheduling" ─► wait
 *
 * One pod is decided at a time, so no two decisions race; bindings run beside the loop, because they wait for the
 * network. Every write is made inside withCause(the revision that made the pod worth trying).
 */

import { setImmediate } from 'node:timers/promises'
import type { Clock } from '@dinghy/shared/api/clock'
import { getCondition, setCondition } from '@dinghy/shared/api/conditions'
import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { Pods } from '@dinghy/shared/api/resources'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { Pod, PodDisruptionBudget } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { withCause } from '@dinghy/shared/client/causality'
import type { EventRecorder } from '@dinghy/shared/client/events'
import type { Logger } from '@dinghy/shared/process/logger'
import type { SchedulerCache } from './cache.ts'
import { scheduleWithExtenders } from './extended-schedule.ts'
import type { Extender } from './extender.ts'
import { fitErrorMessage, type Diagnosis } from './fit-error.ts'
import type { SchedulerMetrics } from './metrics.ts'
import type { Nominations } from './nominations.ts'
import { preempt, type Candidate } from './preemption.ts'
import type { Profiles } from './profiles.ts'
import type { RecentDecisions } from './recent-decisions.ts'
import { schedulePod, type Decision, type Random } from './schedule.ts'
import type { QueuedPod, SchedulingQueue } from './scheduling-queue.ts'
import type { Lookups, Snapshot } from './snapshot.ts'
import type { VolumeBinder } from './volume-binder.ts'

export interface SchedulerDeps {
  client: ApiClient
  clock: Clock
  log: Logger
  cache: SchedulerCache
  queue: SchedulingQueue
  nominations: Nominations
  recent: RecentDecisions
  lookups: Lookups
  profiles: Profiles
  extenders: readonly Extender[]
  volumes: Pick<VolumeBinder, 'bindVolumes'>
  /** In the name of the scheduler that the pod names. */
  events: Pick<EventRecorder, 'event'>
  metrics: SchedulerMetrics
  disruptionBudgets: () => readonly PodDisruptionBudget[]
  random: Random
}

/** Runs until the signal aborts and the bindings under way have ended. */
export async function runScheduler(deps: SchedulerDeps, signal: AbortSignal): Promise<void> {
  const bindings = new Set<Promise<void>>()
  for (let next = await deps.queue.take(signal); next; next = await deps.queue.take(signal)) {
    const item = next
    await withCause(item.cause, async () => {
      const nodeName = await decide(deps, item, signal)
      if (nodeName === undefined) return
      const binding = bind(deps, item, nodeName, signal).finally(() => bindings.delete(binding))
      bindings.add(binding)
    })
    // A long queue must not keep the network waiting: neither our requests nor the news that comes in.
    await setImmediate()
  }
  await Promise.all(bindings)
}

/** Finds the pod's node and counts the pod there; undefined if it gets none this time. */
async function decide(deps: SchedulerDeps, item: QueuedPod, signal: AbortSignal): Promise<string | undefined> {
  const { cache, queue, events, metrics, clock } = deps
  const { pod } = item
  const { schedulerName } = deps.profiles.of(pod)
  if (pod.metadata.deletionTimestamp) {
    events.event(pod, 'Warning', 'FailedScheduling', `skip schedule deleting pod: ${keyOf(pod)}`)
    queue.done(item)
    return undefined
  }
  const started = clock.now()
  try {
    const cluster = cache.snapshot(deps.lookups, deps.nominations.byNode())
    const decision = await decisionFor(deps, pod, cluster, signal)
    const result = decision.nodeName === undefined ? 'unschedulable' : 'scheduled'
    metrics.attempted(result, schedulerName, clock.now() - started)
    if (decision.nodeName === undefined) await onNoFit(deps, item, cluster, decision.diagnosis, signal)
    else {
      cache.assume(pod, decision.nodeName)
      deps.recent.remember({ pod, cluster, nodeName: decision.nodeName })
    }
    return decision.nodeName
  } catch (error) {
    await onError(deps, item, error, signal)
    return undefined
  }
}

async function decisionFor(deps: SchedulerDeps, pod: Pod, cluster: Snapshot, signal: AbortSignal): Promise<Decision> {
  const { plugins } = deps.profiles.of(pod)
  const extenders = deps.extenders.filter((extender) => extender.isInterestedIn(pod))
  if (extenders.length === 0) return schedulePod(pod, cluster, plugins, deps.random)
  return await scheduleWithExtenders(pod, cluster, plugins, { ...deps, extenders }, signal)
}

async function bind(deps: SchedulerDeps, item: QueuedPod, nodeName: string, signal: AbortSignal): Promise<void> {
  const { cache, queue, nominations, log } = deps
  const { pod, key } = item
  try {
    const node = cache.node(nodeName)
    const { bindTimeoutMs } = deps.profiles.of(pod)
    if (node !== undefined) await deps.volumes.bindVolumes(pod, node, bindTimeoutMs, signal)
    const binder = deps.extenders.find((extender) => extender.binds && extender.isInterestedIn(pod))
    if (binder) await binder.bind(pod, nodeName, signal)
    else await createBinding(deps, pod, nodeName, signal)
    queue.done(item)
    nominations.withdraw(key)
    log.info({ pod: key, node: nodeName }, 'bound')
    deps.events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${nodeName}`)
  } catch (error) {
    const revision = pod.metadata.resourceVersion
    cache.forget(pod)
    // The room is free again, and somebody may have been refused because of it.
    queue.notify({ type: 'AssignedPodDeleted', pod }, revision)
    await onError(deps, item, error, signal)
  }
}

async function createBinding(
  { client }: SchedulerDeps,
  { metadata: { name, namespace, uid } }: Pod,
  nodeName: string,
  signal: AbortSignal,
): Promise<void> {
  const binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, namespace, uid },
    target: { kind: 'Node', name: nodeName },
  }
  await client.createSubresource(Pods, { namespace, name }, 'binding', binding, signal)
}

/** No node fits: make room if the pod may, say why, and let it wait for something to change. */
async function onNoFit(
  deps: SchedulerDeps,
  item: QueuedPod,
  cluster: Snapshot,
  diagnosis: Diagnosis,
  signal: AbortSignal,
): Promise<void> {
  const { pod, key } = item
  const { plugins, preempts } = deps.profiles.of(pod)
  const preemption = preempts
    ? preempt(pod, cluster, diagnosis, plugins, deps.disruptionBudgets())
    : { candidate: undefined, message: '', clearNomination: false }
  const message = fitErrorMessage(diagnosis, preemption.candidate ? '' : preemption.message)
  deps.log.info({ pod: key, message }, 'no node fits')
  let nominatedNodeName = pod.status.nominatedNodeName
  if (preemption.candidate) {
    nominatedNodeName = preemption.candidate.nodeName
    deps.nominations.promise(pod, nominatedNodeName)
    await evict(deps, pod, preemption.candidate, signal)
  } else if (preemption.clearNomination) {
    nominatedNodeName = undefined
    deps.nominations.withdraw(key)
  }
  deps.queue.refuse(item, diagnosis.refusedBy)
  deps.events.event(pod, 'Warning', 'FailedScheduling', message)
  await writeStatus(deps, pod, { reason: 'Unschedulable', message, nominatedNodeName }, signal)
}

async function evict(
  deps: SchedulerDeps,
  pod: Pod,
  { nodeName, victims }: Candidate,
  signal: AbortSignal,
): Promise<void> {
  for (const victim of victims) {
    const { name, namespace } = victim.metadata
    if (victim.metadata.deletionTimestamp) continue
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${deps.profiles.of(pod).schedulerName}: preempting to accommodate a higher priority pod`,
    }
    try {
      await patchConditions(deps, victim, condition, {}, signal)
      await deps.client.delete(Pods, { namespace, name }, {}, signal)
    } catch (error) {
      if (hasReason(error, 'NotFound')) continue // it has left by itself
      throw error
    }
    deps.log.info({ pod: keyOf(pod), victim: keyOf(victim), node: nodeName }, 'preempted')
    deps.events.event(victim, 'Normal', 'Preempted', `Preempted by pod ${pod.metadata.uid} on node ${nodeName}`)
  }
  deps.metrics.preempted(victims.length)
}

/** Something broke: a plugin, the API server, a binding that came too late. The pod is tried again after a pause. */
async function onError(deps: SchedulerDeps, item: QueuedPod, error: unknown, signal: AbortSignal): Promise<void> {
  const { queue, log, metrics } = deps
  if (signal.aborted) return
  if (isAbsenceOf(item.pod, error)) {
    // It was deleted while we were at it; its informer says so too, sooner or later.
    queue.done(item)
    return
  }
  queue.fail(item)
  metrics.attempted('error', deps.profiles.of(item.pod).schedulerName, 0)
  const message = error instanceof Error ? error.message : String(error)
  log.error({ pod: item.key, err: error }, 'scheduling failed: trying again')
  deps.events.event(item.pod, 'Warning', 'FailedScheduling', message)
  // Where the API server cannot be reached, there is nobody to tell.
  if (hasReason(error, 'ServiceUnavailable')) return
  try {
    await writeStatus(
      deps,
      item.pod,
      { reason: 'SchedulerError', message, nominatedNodeName: item.pod.status.nominatedNodeName },
      signal,
    )
  } catch (failure) {
    log.warn({ pod: item.key, err: failure }, 'could not write down why the pod is not scheduled')
  }
}

/** Whether the error says that the pod is no more. A claim or a node that is not found is no reason to forget it. */
function isAbsenceOf({ metadata }: Pod, error: unknown): boolean {
  if (!hasReason(error, 'NotFound')) return false
  const { kind, name } = error.status.details ?? {}
  return kind === Pods.plural && name === metadata.name
}

/** Says in the pod's status why it has no node, if it does not say so already. */
async function writeStatus(
  deps: SchedulerDeps,
  pod: Pod,
  why: { reason: string; message: string; nominatedNodeName: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { reason, message, nominatedNodeName } = why
  const nomination =
    nominatedNodeName === pod.status.nominatedNodeName ? {} : { nominatedNodeName: nominatedNodeName ?? null }
  await patchConditions(deps, pod, { type: 'PodScheduled', status: 'False', reason, message }, nomination, signal)
}

async function patchConditions(
  { client, clock }: SchedulerDeps,
  pod: Pod,
  condition: { type: string; status: string; reason: string; message: string },
  more: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const before = pod.status.conditions ?? []
  const after = setCondition(before, condition, nowRfc3339(clock))
  if (after === before && Object.keys(more).length === 0) return
  const changed = getCondition(after, condition.type)
  const { name, namespace } = pod.metadata
  const body = { metadata: { uid: pod.metadata.uid }, status: { ...more, conditions: [changed] } }
  await client.patch(Pods, { namespace, name }, { type: 'strategic', body }, { subresource: 'status' }, signal)
}
