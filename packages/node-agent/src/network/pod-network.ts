/**
 * Where the pods of a node get their network from: the engine's own networks (engine-network.ts), or this node's
 * namespace, into which the node agent plugs them itself (cni-network.ts).
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { HostConfig } from '@dinghy/shared/docker/types'

/** What a sandbox is created with. */
export interface SandboxNetwork {
  /** Docker's network mode. */
  mode: string
  ports?: HostConfig['PortBindings']
  labels?: Record<string, string>
}

export interface PodNetwork {
  /** What has to be there before the first sandbox. */
  prepare(signal: AbortSignal): Promise<void>
  /** Pure. */
  sandboxOf(pod: Pod): SandboxNetwork
  /** Gives a sandbox that has just been started its network. Throws what keeps it from having one. */
  plug(pod: Pod, sandboxId: string, signal: AbortSignal): Promise<void>
  /** A sandbox comes to its end. */
  unplug(sandboxId: string): Promise<void>
  /** Addresses of sandboxes by id, where the engine does not know them. */
  addresses?(): (sandboxId: string) => string | undefined
}
