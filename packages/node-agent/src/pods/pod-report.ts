/**
 * What the node agent tells the world about a pod: its status, events about it and its containers, and in the end, by
 * deleting the object, that nothing is left of it.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Pod } from '@dinghy/shared/api/types'
import type { EventRecorder, EventType } from '@dinghy/shared/client/events'
import type { RecordEvent } from '../containers/image-puller.ts'
import { podText } from '../observed/labels.ts'
import type { Probes } from '../probes/probes.ts'
import type { Refusal } from './admission.ts'
import type { PodActions } from './container-actions.ts'
import type { WaitingReason } from './container-status.ts'
import { goDuration } from '../containers/crash-loop.ts'
import type { ObservedPod } from '../observed/observed-pod.ts'
import type { PodObserver } from './pod-observer.ts'
import type { PodProgress } from './pod-progress.ts'
import { podStatus } from './pod-status.ts'
import type { StatusWriter } from './status-writer.ts'

export interface PodReportDeps {
  observer: PodObserver
  probes: Probes
  statuses: StatusWriter
  events: EventRecorder
  clock: Clock
  nodeAddress: string
}

/** Either what is going to be done, or how the pod's end stands. */
export type ReportFacts =
  | { actions: PodActions; progress: PodProgress }
  | { ended: boolean; verdict: WaitingReason | undefined }

export class PodReport {
  readonly #deps: PodReportDeps

  constructor(deps: PodReportDeps) {
    this.#deps = deps
  }

  /** The pod with the newest status known, also while that is still on its way to the server. */
  latest(pod: Pod): Pod {
    return this.#deps.statuses.latest(pod)
  }

  status(pod: Pod, observed: ObservedPod, facts: ReportFacts): void {
    const { statuses, probes, observer, nodeAddress, clock } = this.#deps
    const isEnding = 'ended' in facts
    const status = podStatus({
      pod: statuses.latest(pod),
      observed,
      hostIP: nodeAddress,
      waiting: isEnding ? new Map() : waitingReasons(pod, facts),
      readinessOf: (id, container) => probes.readinessOf(id, container),
      imageIdOf: (id) => observer.imageIdOf(id),
      ending: isEnding,
      ended: isEnding && facts.ended,
      ...(isEnding && facts.verdict ? { verdict: facts.verdict } : {}),
      nowMs: clock.now(),
    })
    statuses.publish(pod, status)
  }

  /** The pod is over before it began. */
  rejected(pod: Pod, { reason, message }: Refusal): void {
    this.event(pod, 'Warning', reason, message)
    const status = { ...pod.status, phase: 'Failed', reason, message: `Pod was rejected: ${message}` } as const
    this.#deps.statuses.publish(pod, status)
  }

  /** Resolves when the last status has arrived. */
  flush(podUid: string): Promise<void> {
    return this.#deps.statuses.flush(podUid)
  }

  /** Nothing runs, nothing is left: the object may go. */
  deletePod(pod: Pod, signal: AbortSignal): Promise<void> {
    return this.#deps.statuses.deletePod(pod, signal)
  }

  forget(podUid: string): void {
    this.#deps.statuses.forget(podUid)
  }

  event(pod: Pod, type: EventType, reason: string, message: string): void {
    this.#deps.events.event(pod, type, reason, message)
  }

  backOffs(pod: Pod, { backOff }: PodActions): void {
    for (const { name } of backOff) {
      const message = `Back-off restarting failed container ${name} in pod ${podText(pod)}`
      this.recorder(pod, name)('Warning', 'BackOff', message)
    }
  }

  /** For events about one container: `kubectl describe` groups them by this path. */
  recorder(pod: Pod, container: string): RecordEvent {
    const { initContainers = [], ephemeralContainers = [] } = pod.spec
    const isNamed = ({ name }: { name: string }) => name === container
    const list = initContainers.some(isNamed)
      ? 'initContainers'
      : ephemeralContainers.some(isNamed)
        ? 'ephemeralContainers'
        : 'containers'
    return (type, reason, message) => {
      this.#deps.events.event(pod, type, reason, message, `spec.${list}{${container}}`)
    }
  }
}

function waitingReasons(
  pod: Pod,
  { actions, progress }: { actions: PodActions; progress: PodProgress },
): Map<string, WaitingReason> {
  const waiting = new Map<string, WaitingReason>()
  for (const { name, delayMs } of actions.backOff) {
    const message = `back-off ${goDuration(delayMs)} restarting failed container=${name} pod=${podText(pod)}`
    waiting.set(name, { reason: 'CrashLoopBackOff', message })
  }
  for (const { container } of actions.start) {
    const failure = progress.failures.get(container.name)
    if (failure) waiting.set(container.name, { reason: failure.reason, message: failure.message })
  }
  return waiting
}
