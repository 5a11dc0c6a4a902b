// Whether the container runtime can be used, in one place: the relist finds out, the node's Ready condition tells.

import type { Clock } from '@dinghy/shared/api/clock'
import { Backoff } from '@dinghy/shared/client/backoff'
import type { Logger } from '@dinghy/shared/client/logger'
import { label } from '../containers/labels.ts'
import type { DockerClient } from '../docker/docker-client.ts'

export interface NetworkFacts {
  name: string
  subnet: string
  gateway: string
  node: string
}

export class RuntimeHealth {
  /** "docker://28.2.2"; the version is not known before the runtime has answered once. */
  version = 'docker://'
  /** The message of the Ready condition. */
  #down: string | undefined = 'container runtime is down'
  readonly #listeners: (() => void)[] = []

  get down(): string | undefined {
    return this.#down
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  set(down: string | undefined): void {
    if (down === this.#down) return
    this.#down = down
    for (const listener of this.#listeners) listener()
  }
}

/** Waits for the runtime, and makes the network that this node's pods get their addresses from. */
export async function prepareRuntime(
  docker: DockerClient,
  network: NetworkFacts,
  { health, clock, log }: { health: RuntimeHealth; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff(clock)
  for (let ready = false; !ready;) {
    try {
      const { Version } = await docker.version(signal)
      health.version = `docker://${Version}`
      await ensureNetwork(docker, network, signal)
      ready = true
      health.set(undefined)
    } catch (error) {
      signal.throwIfAborted()
      log.debug({ err: error }, 'waiting for the container runtime')
      await backoff.wait(signal)
    }
  }
}

/** An engine that has a "loopback" driver says so among its plugins; any other gets a bridge. */
async function ensureNetwork(docker: DockerClient, network: NetworkFacts, signal: AbortSignal): Promise<void> {
  if (await docker.hasNetwork(network.name, signal)) return
  const { Plugins } = await docker.info(signal)
  const driver = Plugins?.Network?.includes('loopback') ? 'loopback' : 'bridge'
  const { name, subnet, gateway, node } = network
  await docker.createNetwork({ name, driver, subnet, gateway, labels: { [label.node]: node } }, signal)
}
