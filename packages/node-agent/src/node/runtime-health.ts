/**
 * Whether the container runtime can be used, in one place: the relist finds out, the node's Ready condition tells.
 *
 * Callers may rely on: a runtime that is silent for less than the grace period is not said to be down. When a node is
 * not Ready, its pods leave their Services, and they go on serving while their runtime is merely being restarted.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { Backoff } from '@dinghy/shared/client/backoff'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { isNobodyThere, untilListening } from '@dinghy/shared/http/until-listening'
import type { DockerClient } from '../docker/docker-client.ts'
import type { PodNetwork } from '../network/pod-network.ts'

export class RuntimeHealth {
  /** "docker://28.2.2"; the version is not known before the runtime has answered once. */
  version = 'docker://'
  readonly #clock: Clock
  readonly #graceMs: number
  /** Since when it has not answered; an agent that has just started has not heard from it either. */
  #silentSince: number | undefined
  #wasDown = false
  readonly #listeners: (() => void)[] = []

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock
    this.#graceMs = graceMs
    this.#silentSince = clock.now()
  }

  /** Whether it did not answer when it was last asked, be it for a moment only. */
  get isSilent(): boolean {
    return this.#silentSince !== undefined
  }

  /** The message of the Ready condition. */
  get down(): string | undefined {
    const isDown = this.#silentSince !== undefined && this.#clock.now() - this.#silentSince >= this.#graceMs
    return isDown ? 'container runtime is down' : undefined
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  answered(): void {
    this.#silentSince = undefined
    this.#tell()
  }

  /** It was asked at `askedAt` and has not answered, or with a failure. */
  failed(askedAt: number): void {
    this.#silentSince ??= askedAt
    this.#tell()
  }

  #tell(): void {
    const isDown = this.down !== undefined
    if (isDown === this.#wasDown) return
    this.#wasDown = isDown
    for (const listener of this.#listeners) listener()
  }
}

/** Waits for the runtime, and prepares the network that this node's pods get their addresses from. */
export async function prepareRuntime(
  docker: DockerClient,
  network: Pick<PodNetwork, 'prepare'>,
  { health, clock, log }: { health: RuntimeHealth; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff(clock)
  for (let ready = false; !ready;) {
    try {
      const { Version } = await docker.version(signal)
      health.version = `docker://${Version}`
      await network.prepare(signal)
      ready = true
      health.answered()
    } catch (error) {
      signal.throwIfAborted()
      log.debug({ err: error }, 'waiting for the container runtime')
      if (isNobodyThere(error)) await untilListening({ path: docker.socketPath }, clock, signal)
      else await backoff.wait(signal)
    }
  }
}
