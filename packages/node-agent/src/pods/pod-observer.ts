/**
 * What the engine shows of a pod.
 *
 * Callers may rely on: observe() asks the engine, every time, and remembers only what cannot have changed: an inspect
 * is repeated when the list shows another state, or when an event said that something has happened.
 */

import type { DockerClient } from '../docker/docker-client.ts'
import { isDockerStatus } from '@dinghy/shared/docker/errors'
import type { ContainerInspect, ContainerSummary, ImageInspect } from '@dinghy/shared/docker/types'
import type { PodNetwork } from '../network/pod-network.ts'
import { label } from '../observed/labels.ts'
import { readMessage } from '../containers/termination-message.ts'
import {
  addressIn,
  addressOf,
  isSandbox,
  newestFirst,
  readContainer,
  readSandbox,
  type ObservedContainer,
  type ObservedPod,
} from '../observed/observed-pod.ts'

interface Remembered {
  state: ContainerSummary['State']
  container: ObservedContainer
}

export class PodObserver {
  readonly #docker: DockerClient
  readonly #podDirectory: (podUid: string) => string
  readonly #network: PodNetwork | undefined
  /** By container id: what an inspect said, for as long as the list says that the state is the same. */
  readonly #inspected = new Map<string, Remembered>()
  /** Image id → how the API names it. */
  readonly #imageIds = new Map<string, string>()

  constructor(docker: DockerClient, podDirectory: (podUid: string) => string, network?: PodNetwork) {
    this.#docker = docker
    this.#podDirectory = podDirectory
    this.#network = network
  }

  async observe(podUid: string, signal?: AbortSignal): Promise<ObservedPod> {
    const summaries = await this.#docker.listContainers([`${label.podUid}=${podUid}`], signal)
    const containers = await Promise.all(
      summaries.filter((summary) => !isSandbox(summary)).map((summary) => this.#look(podUid, summary, signal)),
    )
    const addressOfSandbox = this.#network?.addresses?.()
    const sandboxes = await Promise.all(
      summaries.filter(isSandbox).map(async (summary) => {
        if (addressOfSandbox) return readSandbox(summary, addressOfSandbox(summary.Id))
        const isSilent =
          summary.State === 'running' && summary.HostConfig?.NetworkMode !== 'host' && !addressOf(summary)
        const inspect = isSilent ? await this.#inspect(summary.Id, signal) : undefined
        return readSandbox(summary, addressOf(summary) ?? (inspect && addressIn(inspect)))
      }),
    )
    return {
      sandboxes: sandboxes.sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt),
      containers: containers.filter((container) => container !== undefined).sort(newestFirst),
    }
  }

  /** Something has happened to it. */
  forget(id: string): void {
    this.#inspected.delete(id)
  }

  /** "docker-pullable://nginx@sha256:…" if the image came from a registry, else "docker://sha256:…". */
  imageIdOf(imageId: string): string {
    return this.#imageIds.get(imageId) ?? `docker://${imageId}`
  }

  async #look(
    podUid: string,
    summary: ContainerSummary,
    signal: AbortSignal | undefined,
  ): Promise<ObservedContainer | undefined> {
    const remembered = this.#inspected.get(summary.Id)
    if (remembered?.state === summary.State) return remembered.container
    const inspect = await this.#inspect(summary.Id, signal)
    if (!inspect) return undefined
    const container = readContainer(summary, inspect)
    await this.#learnImage(container.imageId, signal)
    if (container.state === 'exited') {
      const directory = this.#podDirectory(podUid)
      const message = await readMessage(this.#docker, directory, container, signal)
      if (message) container.message = message
    }
    this.#inspected.set(summary.Id, { state: inspect.State.Status, container })
    return container
  }

  /** A container that an earlier agent started: its image is known to the engine only. */
  async #learnImage(imageId: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#imageIds.has(imageId)) return
    const image = await this.#docker.inspectImage(imageId, signal)
    if (image) this.rememberImage(image)
  }

  rememberImage({ Id, RepoDigests }: ImageInspect): void {
    const [digest] = RepoDigests ?? []
    this.#imageIds.set(Id, digest ? `docker-pullable://${digest}` : `docker://${Id}`)
  }

  /** undefined: removed between the list and now. */
  async #inspect(id: string, signal: AbortSignal | undefined): Promise<ContainerInspect | undefined> {
    try {
      return await this.#docker.inspectContainer(id, signal)
    } catch (error) {
      if (isDockerStatus(error, 404)) return undefined
      throw error
    }
  }
}
