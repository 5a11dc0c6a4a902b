/**
 * How a pod, or one of its containers, comes to its end: the acting half of pod-termination.ts.
 *
 *   stop the containers ─► kill the sandbox ─► last status ─► remove everything ─► DELETE with no grace left
 *
 * The order matters. The object goes last, because as long as it exists nobody may take its name, its address or its
 * volumes; and its last status goes before it, because a Job counts by that.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { hasReason } from '@dinghy/shared/api/errors'
import { Pods } from '@dinghy/shared/api/resources'
import type { Container, Pod } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Logger } from '@dinghy/shared/client/logger'
import type { ImagePuller, RecordEvent } from '../containers/image-puller.ts'
import type { DockerClient } from '../docker/docker-client.ts'
import { isDockerStatus } from '@dinghy/shared/docker/errors'
import type { Probes } from '../probes/probes.ts'
import type { PodVolumes } from '../volumes/pod-volumes.ts'
import type { ReferencedObjects } from '../volumes/referenced-objects.ts'
import type { ContainerKill } from './container-actions.ts'
import type { ContainerStopper } from './container-stopper.ts'
import type { WaitingReason } from './container-status.ts'
import type { ObservedContainer, ObservedPod } from '../observed/observed-pod.ts'
import { isTerminal } from './pod-conditions.ts'
import type { PodObserver } from './pod-observer.ts'
import type { PodProgress } from './pod-progress.ts'
import type { PodReport } from './pod-report.ts'
import { graceSeconds, terminationStep } from './pod-termination.ts'
import type { StatusWriter } from './status-writer.ts'

export interface PodEndingOptions {
  client: ApiClient
  docker: DockerClient
  observer: PodObserver
  volumes: PodVolumes
  objects: ReferencedObjects
  images: ImagePuller
  probes: Probes
  stopper: ContainerStopper
  statuses: StatusWriter
  report: PodReport
  clock: Clock
  log: Logger
  nodeAddress: string
}

export class PodEnding {
  readonly #options: PodEndingOptions

  constructor(options: PodEndingOptions) {
    this.#options = options
  }

  /** One step further towards the end; 'again' when it is worth looking at once. */
  async end(
    pod: Pod,
    observed: ObservedPod,
    progress: PodProgress,
    verdict: WaitingReason | undefined,
    signal: AbortSignal,
  ): Promise<'again' | undefined> {
    const { stopper, statuses, objects, probes, report, volumes } = this.#options
    const { uid, deletionTimestamp } = pod.metadata
    const step = terminationStep(pod, observed, stopper.stopping)
    for (const container of step.stop) this.#stopForGood(pod, observed, container)
    if (deletionTimestamp) this.#hasten(pod, observed)
    for (const id of step.killSandboxes) await this.#killSandbox(id, signal)
    if (step.killSandboxes.length > 0) return 'again'
    // A pod that this node has refused never was here: there is nothing to tell of its containers.
    const wasHere = pod.status.startTime !== undefined || !isTerminal(pod.status.phase)
    if (wasHere) report.status(pod, observed, { ended: step.done, verdict })
    if (!step.done) return undefined
    probes.forget(uid)
    objects.release(uid)
    if (!deletionTimestamp || progress.deleted) return undefined
    await statuses.flush(uid)
    await this.#removeAll(observed)
    await volumes.teardown(uid)
    await this.#deleteObject(pod, signal)
    progress.deleted = true
    return undefined
  }

  /** Everything of the old sandbox must be gone before a new one comes. True when it is. */
  async clearOldSandbox(pod: Pod, observed: ObservedPod, signal: AbortSignal): Promise<boolean> {
    const step = terminationStep(pod, observed, this.#options.stopper.stopping)
    for (const container of step.stop) this.#stopForGood(pod, observed, container)
    for (const id of step.killSandboxes) await this.#killSandbox(id, signal)
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
    grace = graceSeconds(pod, this.#options.clock.now()),
  ): void {
    const { stopper, report, nodeAddress, log } = this.#options
    const record: RecordEvent = report.recorder(pod, name)
    record('Normal', 'Killing', message)
    const onHookFailed = (text: string): void => {
      log.warn({ pod: pod.metadata.name, container: name, text }, 'a preStop hook failed')
      record('Warning', 'FailedPreStopHook', 'PreStopHook failed')
    }
    const podIP = (pod.spec.hostNetwork ? nodeAddress : observed.sandboxes[0]?.ip) ?? ''
    const container = definitionOf(pod, name)
    stopper.stop({ pod, containerId: id, container, podIP, graceSeconds: grace, onHookFailed })
  }

  /** Ends what runs of a pod whose object is gone. Resolves when nothing is left of it. */
  async endOrphan(podUid: string, signal: AbortSignal): Promise<void> {
    const { docker, observer, volumes, probes, statuses, images, log } = this.#options
    const observed = await observer.observe(podUid, signal)
    probes.forget(podUid)
    // The object is gone, so somebody forced its end or it has had its time: one second, as upstream.
    const running = observed.containers.filter(({ state }) => state === 'running')
    if (running.length > 0) log.info({ uid: podUid, containers: running.length }, 'ending a pod that is gone')
    await Promise.all(running.map(({ id }) => docker.stopContainer(id, 1, signal)))
    await this.#removeAll(observed)
    await volumes.teardown(podUid)
    statuses.forget(podUid)
    images.forget(podUid)
  }

  #stopForGood(pod: Pod, observed: ObservedPod, container: ObservedContainer): void {
    this.stop(pod, observed, container, `Stopping container ${container.name}`)
  }

  /** The grace may have become shorter since the stop began: `kubectl delete --now` after `kubectl delete`. */
  #hasten(pod: Pod, observed: ObservedPod): void {
    const { stopper, clock } = this.#options
    for (const { id, state } of observed.containers) {
      if (state === 'running' && stopper.stopping.has(id)) stopper.hasten(id, graceSeconds(pod, clock.now()))
    }
  }

  async #killSandbox(id: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.docker.killContainer(id, 'KILL', signal)
    } catch (error) {
      // It has ended by itself, or somebody has removed it: that is what we wanted.
      if (!isDockerStatus(error, 404, 409)) throw error
    }
  }

  async #deleteObject({ metadata }: Pod, signal: AbortSignal): Promise<void> {
    const { namespace = 'default', name, uid } = metadata
    try {
      const options = { gracePeriodSeconds: 0, preconditions: { uid } }
      await this.#options.client.delete(Pods, { namespace, name }, options, signal)
    } catch (error) {
      // Gone already, or there is a new pod of that name: either way ours is.
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error
    }
  }

  async #removeAll({ sandboxes, containers }: ObservedPod): Promise<void> {
    const { docker, observer } = this.#options
    await Promise.all(
      [...containers, ...sandboxes].map(async ({ id }) => {
        await docker.removeContainer(id)
        observer.forget(id)
      }),
    )
  }
}

function definitionOf({ spec }: Pod, name: string): Container | undefined {
  return [...(spec.initContainers ?? []), ...spec.containers].find((container) => container.name === name)
}
