/**
 * Notices what happens to the containers of this node, whoever caused it. Two ways, as upstream's PLEG has them: the
 * engine's event stream, which tells at once but may break; and a look at the whole list every now and then, which
 * misses nothing for long.
 *
 * Callers may rely on: whatever a container's state changes to, `onChange` is called with its pod within a relist
 * period; being called does not mean that anything has changed.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { Backoff } from '@dinghy/shared/client/backoff'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { label } from '../observed/labels.ts'
import type { DockerClient } from '../docker/docker-client.ts'
import { isUnreachable } from '@dinghy/shared/docker/errors'
import { identityOf, type PodIdentity } from '../observed/observed-pod.ts'

export interface LifecycleEventsDeps {
  /** With little patience: an engine that does not answer in its time counts as silent. */
  docker: DockerClient
  node: string
  relistMs: number
  clock: Clock
  log: Logger
  onChange: (pod: PodIdentity, containerId: string) => void
  /** All pods of which the engine has anything, after each relist. */
  onRelist: (pods: PodIdentity[]) => void
  /** Whether the engine, asked at this moment, has answered. */
  onHealth: (isUp: boolean, askedAt: number) => void
}

/** How soon an engine that did not answer is asked again: sooner than after a whole relist period. */
const retryMs = 1000

export class LifecycleEvents {
  readonly #deps: LifecycleEventsDeps
  /** container id → pod and state, as last seen */
  #seen = new Map<string, { pod: PodIdentity; state: string }>()

  constructor(deps: LifecycleEventsDeps) {
    this.#deps = deps
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#listen(signal), this.#relistAgainAndAgain(signal)])
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { docker, node, clock, log, onChange } = this.#deps
    const backoff = new Backoff(clock)
    const actions = ['start', 'die', 'oom', 'destroy']
    while (!signal.aborted) {
      try {
        for await (const { Actor } of docker.events([`${label.node}=${node}`], actions, signal)) {
          backoff.reset()
          const pod = identityOf(Actor.Attributes)
          if (pod) onChange(pod, Actor.ID)
        }
      } catch (error) {
        if (signal.aborted) return
        log.debug({ err: error }, 'the event stream of the container runtime broke')
      }
      // Only the end of the agent cuts the pause short.
      await backoff.wait(signal).catch(() => undefined)
    }
  }

  async #relistAgainAndAgain(signal: AbortSignal): Promise<void> {
    const { clock, log, relistMs, onHealth } = this.#deps
    while (!signal.aborted) {
      let isUp = false
      const askedAt = clock.now()
      try {
        await this.#relist(signal)
        isUp = true
        onHealth(true, askedAt)
      } catch (error) {
        if (signal.aborted) return
        // The node's condition says that the runtime is down; repeating it every second helps nobody.
        onHealth(false, askedAt)
        if (isUnreachable(error)) log.debug({ err: error }, 'relisting failed')
        else log.warn({ err: error }, 'relisting failed')
      }
      // Only the end of the agent cuts the pause short.
      await clock.sleep(isUp ? relistMs : Math.min(relistMs, retryMs), signal).catch(() => undefined)
    }
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { docker, node, onChange, onRelist } = this.#deps
    const now = new Map<string, { pod: PodIdentity; state: string }>()
    for (const { Id, Labels, State } of await docker.listContainers([`${label.node}=${node}`], signal)) {
      const pod = identityOf(Labels)
      if (pod) now.set(Id, { pod, state: State })
    }
    for (const [id, { pod, state }] of now) if (this.#seen.get(id)?.state !== state) onChange(pod, id)
    for (const [id, { pod }] of this.#seen) if (!now.has(id)) onChange(pod, id)
    this.#seen = now
    onRelist([...new Map([...now.values()].map(({ pod }) => [pod.uid, pod])).values()])
  }
}
