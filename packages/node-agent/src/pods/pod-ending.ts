/**
 * How a pod, or one of its containers, comes to its end: the acting half of pod-termination.ts.
 *
 *   stop the containers ─► kill the sandbox ─► last status ─► remove everything ─► DELETE with no grace left
 *
 * The order matters. The object goes last, because as long as it exists nobody may take its name, its address or its
 * volumes; and its last status goes before it, because a Job counts by that.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Container, Pod } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import type { RecordEvent } from '../containers/image-puller.ts'
import type { Probes } from '../probes/probes.ts'
import type { PodVolumes } from '../volumes/pod-volumes.ts'
import type { ContainerKill } from './container-actions.ts'
import type { WaitingReason } from './container-status.ts'
import type { GracefulStops } from './graceful-stops.ts'
import type { ObservedContainer, ObservedPod } from '../observed/observed-pod.ts'
import { isTerminal } from './pod-conditions.ts'
import type { PodProgress } from './pod-progress.ts'
import type { PodReport } from './pod-report.ts'
import type { PodRuntime } from './pod-runtime.ts'
import { graceSeconds, terminationStep } from './pod-termination.ts'

export interface PodEndingDeps {
  runtime: PodRuntime
  volumes: PodVolumes
  probes: Probes
  stops: GracefulStops
  report: PodReport
  clock: Clock
  log: Logger
}

export class PodEnding {
  readonly #deps: PodEndingDeps

  constructor(deps: PodEndingDeps) {
    this.#deps = deps
  }

  /** Ids of containers that are being stopped. */
  get stopping(): ReadonlySet<string> {
    return this.#deps.stops.stopping
  }

  /** One step further towards the end; 'again' when it is worth looking at once. */
  async end(
    pod: Pod,
    observed: ObservedPod,
    progress: PodProgress,
    verdict: WaitingReason | undefined,
    signal: AbortSignal,
  ): Promise<'again' | undefined> {
    const { runtime, probes, report, volumes } = this.#deps
    const { uid, deletionTimestamp } = pod.metadata
    const step = terminationStep(pod, observed, this.stopping)
    for (const container of step.stop) this.#stopForGood(pod, observed, container)
    if (deletionTimestamp) this.#hasten(pod, observed)
    for (const id of step.killSandboxes) await runtime.killSandbox(id, signal)
    if (step.killSandboxes.length > 0) return 'again'
    // A pod that this node has refused never was here: there is nothing to tell of its containers.
    const wasHere = pod.status.startTime !== undefined || !isTerminal(pod.status.phase)
    if (wasHere) report.status(pod, observed, { ended: step.done, verdict })
    if (!step.done) return undefined
    probes.forget(uid)
    volumes.release(uid)
    if (!deletionTimestamp || progress.deleted) return undefined
    await report.flush(uid)
    await this.#removeAll(observed, signal)
    await volumes.teardown(uid)
    await report.deletePod(pod, signal)
    progress.deleted = true
    return undefined
  }

  /** Everything of the old sandbox must be gone before a new one comes. True when it is. */
  async clearOldSandbox(pod: Pod, observed: ObservedPod, signal: AbortSignal): Promise<boolean> {
    const step = terminationStep(pod, observed, this.stopping)
    for (const container of step.stop) this.#stopForGood(pod, observed, container)
    for (const id of step.killSandboxes) await this.#deps.runtime.killSandbox(id, signal)
    return step.done || step.killSandboxes.length > 0
  }

  /** For a container that will be replaced, or that a probe has given up. */
  kill(pod: Pod, observed: ObservedPod, { id, name, message, probe }: ContainerKill): void {
    const ofProbe = probe && definitionOf(pod, name)?.[probe]?.terminationGracePeriodSeconds
    this.stop(pod, observed, { id, name }, message, ofProbe)
  }

  stop(
    pod: Pod,
    observed: ObservedPod,
    { id, name }: { id: string; name: string },
    message: string,
    grace = graceSeconds(pod, this.#deps.clock.now()),
  ): void {
    const { runtime, stops, report, log } = this.#deps
    const record: RecordEvent = report.recorder(pod, name)
    record('Normal', 'Killing', message)
    const onHookFailed = (text: string): void => {
      log.warn({ pod: pod.metadata.name, container: name, text }, 'a preStop hook failed')
      record('Warning', 'FailedPreStopHook', 'PreStopHook failed')
    }
    const [podIP = ''] = runtime.placeOf(pod, observed.sandboxes[0]).podIPs
    const container = definitionOf(pod, name)
    stops.stop({ pod, containerId: id, container, podIP, graceSeconds: grace, onHookFailed })
  }

  /** Ends what runs of a pod whose object is gone. Resolves when nothing is left of it. */
  async endOrphan(podUid: string, signal: AbortSignal): Promise<void> {
    const { runtime, volumes, probes, report, log } = this.#deps
    const observed = await runtime.observe(podUid, signal)
    probes.forget(podUid)
    // The object is gone, so somebody forced its end or it has had its time: one second, as upstream.
    const running = observed.containers.filter(({ state }) => state === 'running')
    if (running.length > 0) log.info({ uid: podUid, containers: running.length }, 'ending a pod that is gone')
    await Promise.all(running.map(({ id }) => runtime.stop(id, 1, signal)))
    await this.#removeAll(observed, signal)
    await volumes.teardown(podUid)
    report.forget(podUid)
    runtime.forget(podUid)
  }

  #stopForGood(pod: Pod, observed: ObservedPod, container: ObservedContainer): void {
    this.stop(pod, observed, container, `Stopping container ${container.name}`)
  }

  /** The grace may have become shorter since the stop began: `kubectl delete --now` after `kubectl delete`. */
  #hasten(pod: Pod, observed: ObservedPod): void {
    const { stops, clock } = this.#deps
    for (const { id, state } of observed.containers) {
      if (state === 'running' && stops.stopping.has(id)) stops.hasten(id, graceSeconds(pod, clock.now()))
    }
  }

  async #removeAll({ sandboxes, containers }: ObservedPod, signal: AbortSignal): Promise<void> {
    const ids = [...containers, ...sandboxes].map(({ id }) => id)
    await this.#deps.runtime.remove(ids, signal)
  }
}

function definitionOf({ spec }: Pod, name: string): Container | undefined {
  return [...(spec.initContainers ?? []), ...spec.containers].find((container) => container.name === name)
}
