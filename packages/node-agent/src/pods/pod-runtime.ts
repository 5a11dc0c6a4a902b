/**
 * The container runtime, as the node agent's pods need it: everything that is done to sandboxes and containers is
 * done here. Upstream's kuberuntime manager has this place.
 *
 *   observe ─► what there is      createSandbox · startContainer · runHook ─► what there must be
 *                                 killSandbox · stop · remove             ─► what must be gone
 *
 * Callers may rely on: what is made carries labels (containers/labels.ts) by which any later agent will know it; a
 * container that cannot be had throws StartError with the reason that its pod shows; ending what has ended is
 * fine.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { LifecycleHandler, Pod } from '@dinghy/shared/api/types'
import type { PlaceFacts } from '../containers/downward.ts'
import type { ImagePuller, RecordEvent } from '../containers/image-puller.ts'
import { containerNameFor, sandboxNameFor } from '../observed/labels.ts'
import { runHook, type HookTarget } from '../containers/lifecycle-hooks.ts'
import type { DnsSettings } from '../containers/pod-dns.ts'
import { sandboxConfig } from '../containers/sandbox-config.ts'
import { StartError } from '../containers/start-error.ts'
import type { DockerClient } from '../docker/docker-client.ts'
import { DockerError, isDockerStatus, isUnreachable } from '@dinghy/shared/docker/errors'
import type { ContainerCreate } from '@dinghy/shared/docker/types'
import type { PodNetwork } from '../network/pod-network.ts'
import type { ContainerStart } from './container-actions.ts'
import type { ContainerDefinitions, ContainerSurroundings } from './container-definition.ts'
import type { ObservedPod, ObservedSandbox } from '../observed/observed-pod.ts'
import type { PodObserver } from './pod-observer.ts'

export interface PodRuntimeDeps {
  docker: DockerClient
  observer: PodObserver
  images: ImagePuller
  definitions: ContainerDefinitions
  clock: Clock
  node: string
  nodeAddress: string
  /** What the node's pods may have, which stands in for missing limits. */
  allocatable: () => Readonly<Record<string, string>>
  network: PodNetwork
  sandboxImage: string
  dns: DnsSettings
}

export class PodRuntime {
  readonly #deps: PodRuntimeDeps

  constructor(deps: PodRuntimeDeps) {
    this.#deps = deps
  }

  observe(podUid: string, signal?: AbortSignal): Promise<ObservedPod> {
    return this.#deps.observer.observe(podUid, signal)
  }

  placeOf(pod: Pod, sandbox: ObservedSandbox | undefined): PlaceFacts {
    const { nodeAddress, allocatable } = this.#deps
    const ip = pod.spec.hostNetwork ? nodeAddress : sandbox?.ip
    return { podIPs: ip ? [ip] : [], hostIPs: [nodeAddress], allocatable: allocatable() }
  }

  async createSandbox(pod: Pod, attempt: number, signal: AbortSignal): Promise<void> {
    const { docker, node, network, sandboxImage, dns } = this.#deps
    const body = sandboxConfig({ pod, node, network: network.sandboxOf(pod), image: sandboxImage, attempt, dns })
    const create = () => docker.createContainer(sandboxNameFor(pod, attempt), body, signal)
    const { id } = await create().catch(async (error: unknown) => {
      if (!isDockerStatus(error, 404)) throw error
      // 404 names a missing image here: the very first pod of this engine.
      await docker.pullImage(sandboxImage, signal)
      return await create()
    })
    try {
      await docker.startContainer(id, signal)
      await network.plug(pod, id, signal)
    } catch (error) {
      // A sandbox that did not start would be in the way of the next attempt.
      await docker.removeContainer(id)
      throw error
    }
  }

  /** Returns the new container's id. */
  async startContainer(
    pod: Pod,
    start: ContainerStart,
    surroundings: Omit<ContainerSurroundings, 'place'>,
    record: RecordEvent,
    signal: AbortSignal,
  ): Promise<string> {
    const { docker, images, observer, definitions } = this.#deps
    const { container } = start
    const image = await images.ensure(pod, container, record, signal)
    observer.rememberImage(image)
    const place = this.placeOf(pod, surroundings.sandbox)
    const body = await definitions.define(pod, start, { ...surroundings, place }, image.Config?.User ?? '', record)
    const id = await this.#create(containerNameFor(pod, container.name, start.restartCount), body, record, signal)
    record('Normal', 'Created', `Created container: ${container.name}`)
    try {
      await docker.startContainer(id, signal)
    } catch (error) {
      if (signal.aborted || isUnreachable(error)) throw error
      const message = `failed to start container "${container.name}": ${(error as Error).message}`
      record('Warning', 'Failed', `Error: ${message}`)
      throw new StartError('RunContainerError', message, { cause: error })
    }
    record('Normal', 'Started', `Started container ${container.name}`)
    return id
  }

  /** Throws when the hook failed; its message is for the container's status. */
  async runHook(handler: LifecycleHandler, target: HookTarget, signal: AbortSignal): Promise<void> {
    await runHook(this.#deps.docker, this.#deps.clock, handler, target, signal)
  }

  async killSandbox(id: string, signal: AbortSignal): Promise<void> {
    await this.#deps.network.unplug(id)
    try {
      await this.#deps.docker.killContainer(id, 'KILL', signal)
    } catch (error) {
      // It has ended by itself, or somebody has removed it: that is what we wanted.
      if (!isDockerStatus(error, 404, 409)) throw error
    }
  }

  /** Resolves when the container has ended. */
  async stop(id: string, graceSeconds: number, signal: AbortSignal): Promise<void> {
    await this.#deps.docker.stopContainer(id, graceSeconds, signal)
  }

  async remove(ids: readonly string[], signal?: AbortSignal): Promise<void> {
    const { docker, observer, network } = this.#deps
    await Promise.all(
      ids.map(async (id) => {
        await network.unplug(id)
        await docker.removeContainer(id, signal)
        observer.forget(id)
      }),
    )
  }

  /** Nothing is remembered any more of a pod that is gone. */
  forget(podUid: string): void {
    this.#deps.images.forget(podUid)
  }

  async #create(name: string, body: ContainerCreate, record: RecordEvent, signal: AbortSignal): Promise<string> {
    try {
      const { id, warnings } = await this.#deps.docker.createContainer(name, body, signal)
      // The engine will run it, but not quite as asked: the pod's owner must hear of that.
      for (const warning of warnings) record('Warning', 'RuntimeWarning', warning)
      return id
    } catch (error) {
      if (signal.aborted || !(error instanceof DockerError) || isUnreachable(error)) throw error
      record('Warning', 'Failed', `Error: ${error.message}`)
      throw new StartError('CreateContainerError', error.message, { cause: error })
    }
  }
}
