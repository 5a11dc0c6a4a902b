/**
 * Ends containers in good order: preStop hook, then SIGTERM, then, when the grace is over, SIGKILL. All of that takes
 * time, so it goes on by itself while the pod is looked at again and again; `stopping` tells what is under way.
 *
 * Callers may rely on: a container is never stopped twice at a time; asking again with less grace shortens the wait;
 * onStopped is called when it is over, however it went.
 */

import type { Clock, Timer } from '@dinghy/shared/api/clock'
import type { Container, Pod } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { runHook } from '../containers/lifecycle-hooks.ts'
import type { DockerClient } from '../docker/docker-client.ts'
import { isDockerStatus } from '@dinghy/shared/docker/errors'

export interface StopRequest {
  pod: Pod
  containerId: string
  /** The definition, for its preStop hook; undefined when it is not known any more. */
  container: Container | undefined
  podIP: string
  graceSeconds: number
  onHookFailed: (message: string) => void
}

interface Stopping {
  killAt: number
  timer: Timer | undefined
}

/** However long a preStop hook took, the program itself has this long to end. Upstream's minimum. */
const leastGraceSeconds = 2

export class GracefulStops {
  readonly #docker: DockerClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #signal: AbortSignal
  readonly #onStopped: (pod: Pod) => void
  readonly #stopping = new Map<string, Stopping>()

  constructor(deps: {
    docker: DockerClient
    clock: Clock
    log: Logger
    /** The agent's own end. Containers outlive it: nothing is killed because of this. */
    signal: AbortSignal
    onStopped: (pod: Pod) => void
  }) {
    this.#docker = deps.docker
    this.#clock = deps.clock
    this.#log = deps.log
    this.#signal = deps.signal
    this.#onStopped = deps.onStopped
  }

  /** Ids of containers that are being stopped. */
  get stopping(): ReadonlySet<string> {
    return new Set(this.#stopping.keys())
  }

  stop(request: StopRequest): void {
    const { containerId, graceSeconds } = request
    const killAt = this.#clock.now() + graceSeconds * 1000
    if (this.#stopping.has(containerId)) return this.hasten(containerId, graceSeconds)
    const stopping: Stopping = { killAt, timer: undefined }
    this.#stopping.set(containerId, stopping)
    void this.#run(request, stopping)
  }

  /** Less patience than before: the kill comes earlier than the engine's own. */
  hasten(containerId: string, graceSeconds: number): void {
    const stopping = this.#stopping.get(containerId)
    const killAt = this.#clock.now() + graceSeconds * 1000
    // The same deadline, rounded another way, is no reason to hurry.
    if (!stopping || killAt >= stopping.killAt - 1000) return
    stopping.killAt = killAt
    this.#clock.clear(stopping.timer)
    const kill = (): void => {
      this.#docker.killContainer(containerId, 'KILL', this.#signal).catch((error: unknown) => {
        // 409: it has ended by itself meanwhile.
        if (!isDockerStatus(error, 404, 409)) this.#log.warn({ containerId, err: error }, 'killing a container failed')
      })
    }
    stopping.timer = this.#clock.setTimeout(kill, killAt - this.#clock.now())
  }

  async #run(request: StopRequest, stopping: Stopping): Promise<void> {
    const { containerId, pod } = request
    try {
      await this.#preStop(request, stopping)
      const left = Math.ceil((stopping.killAt - this.#clock.now()) / 1000)
      const seconds =
        request.graceSeconds < leastGraceSeconds ? request.graceSeconds : Math.max(left, leastGraceSeconds)
      await this.#docker.stopContainer(containerId, seconds, this.#signal)
    } catch (error) {
      // 304 is no error to our client; 404 and 409 say that there is nothing left to stop.
      if (!this.#signal.aborted && !isDockerStatus(error, 404, 409)) {
        this.#log.warn(
          { containerId, pod: pod.metadata.name, err: error },
          'stopping a container failed: it will be tried again',
        )
        // Only the end of the agent cuts the pause short.
        await this.#clock.sleep(1000, this.#signal).catch(() => undefined)
      }
    } finally {
      this.#clock.clear(stopping.timer)
      this.#stopping.delete(containerId)
      if (!this.#signal.aborted) this.#onStopped(pod)
    }
  }

  async #preStop({ pod, container, containerId, podIP, onHookFailed }: StopRequest, stopping: Stopping): Promise<void> {
    const handler = container?.lifecycle?.preStop
    if (!handler || !container) return
    const limit = new AbortController()
    const timer = this.#clock.setTimeout(() => limit.abort(), Math.max(0, stopping.killAt - this.#clock.now()))
    try {
      const signal = AbortSignal.any([this.#signal, limit.signal])
      await runHook(this.#docker, this.#clock, handler, { pod, container, containerId, podIP }, signal)
    } catch (error) {
      if (this.#signal.aborted) throw error
      onHookFailed(limit.signal.aborted ? 'the grace period is over' : (error as Error).message)
    } finally {
      this.#clock.clear(timer)
    }
  }
}
