/**
 * Sees to it that a container's image is here, as its imagePullPolicy says, and tells so in upstream's words.
 * Follows upstream's pkg/kubelet/images: pulls that fail are tried ever more seldom, 10 s doubling to 5 min, for each
 * pod and image by themselves.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Container, EphemeralContainer, Pod } from '@dinghy/shared/api/types'
import type { EventType } from '@dinghy/shared/client/events'
import type { DockerClient } from '../docker/docker-client.ts'
import { isUnreachable } from '@dinghy/shared/docker/errors'
import type { ImageInspect } from '@dinghy/shared/docker/types'
import { isReference } from '@dinghy/shared/docker/reference'
import { goDuration } from './crash-loop.ts'
import { StartError } from './start-error.ts'

interface FailedPull {
  delayMs: number
  failedAt: number
  message: string
}

export type RecordEvent = (type: EventType, reason: string, message: string) => void

const firstDelayMs = 10_000
const longestDelayMs = 300_000

export class ImagePuller {
  readonly #docker: DockerClient
  readonly #clock: Clock
  /** pod uid and image → the last failure */
  readonly #failures = new Map<string, FailedPull>()
  /** One pull serves all pods that wait for the image. */
  readonly #pulling = new Map<string, Promise<void>>()

  constructor(docker: DockerClient, clock: Clock) {
    this.#docker = docker
    this.#clock = clock
  }

  /** Throws StartError when the container has to wait. */
  async ensure(
    pod: Pod,
    container: Container | EphemeralContainer,
    record: RecordEvent,
    signal: AbortSignal,
  ): Promise<ImageInspect> {
    const image = container.image ?? ''
    if (!isReference(image)) {
      const reason = `couldn't parse image name "${image}": invalid reference format`
      const message = `Failed to apply default image tag "${image}": ${reason}`
      record('Warning', 'InspectFailed', message)
      throw new StartError('InvalidImageName', message)
    }
    const policy = container.imagePullPolicy ?? 'IfNotPresent'
    const present = await this.#docker.inspectImage(image, signal)
    if (present && policy !== 'Always') {
      record('Normal', 'Pulled', `Container image "${image}" already present on machine`)
      return present
    }
    if (policy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`
      record('Warning', 'ErrImageNeverPull', message)
      throw new StartError('ErrImageNeverPull', message)
    }
    const hint = present
      ? ' (An image of this name is here; imagePullPolicy Always asks the registry all the same.)'
      : ''
    return await this.#pullOrBackOff(`${pod.metadata.uid}_${image}`, image, hint, record, signal)
  }

  forget(podUid: string): void {
    for (const key of this.#failures.keys()) if (key.startsWith(`${podUid}_`)) this.#failures.delete(key)
  }

  async #pullOrBackOff(
    key: string,
    image: string,
    hint: string,
    record: RecordEvent,
    signal: AbortSignal,
  ): Promise<ImageInspect> {
    const failure = this.#failures.get(key)
    const retryAt = failure && failure.failedAt + failure.delayMs
    if (retryAt !== undefined && this.#clock.now() < retryAt) {
      record('Normal', 'BackOff', `Back-off pulling image "${image}"`)
      const message = `Back-off pulling image "${image}": ErrImagePull: ${failure?.message}`
      throw new StartError('ImagePullBackOff', message, { retryAt })
    }
    record('Normal', 'Pulling', `Pulling image "${image}"`)
    const startedAt = this.#clock.now()
    try {
      await this.#pull(image, signal)
      const pulled = await this.#docker.inspectImage(image, signal)
      if (!pulled) throw new Error(`No such image: ${image}`)
      const took = goDuration(this.#clock.now() - startedAt)
      const size = `Image size: ${pulled.Size} bytes.`
      record('Normal', 'Pulled', `Successfully pulled image "${image}" in ${took} (${took} including waiting). ${size}`)
      this.#failures.delete(key)
      return pulled
    } catch (error) {
      if (signal.aborted || isUnreachable(error)) throw error
      const { message } = error as Error
      record('Warning', 'Failed', `Failed to pull image "${image}": ${message}${hint}`)
      const delayMs = failure ? Math.min(failure.delayMs * 2, longestDelayMs) : firstDelayMs
      const failedAt = this.#clock.now()
      this.#failures.set(key, { delayMs, failedAt, message })
      throw new StartError('ErrImagePull', message, { cause: error })
    }
  }

  async #pull(image: string, signal: AbortSignal): Promise<void> {
    const running = this.#pulling.get(image)
    // Somebody else's pull may be ended by that pod's deletion; then it was not our failure.
    if (running) return await running.catch(() => this.#pull(image, signal))
    const pull = this.#docker.pullImage(image, signal)
    this.#pulling.set(image, pull)
    try {
      await pull
    } finally {
      this.#pulling.delete(image)
    }
  }
}
