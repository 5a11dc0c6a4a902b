/**
 * Keeps the Node object true: registers the node, takes an existing object over, and writes its status when it changes
 * (looked at every ten seconds, and at once when the runtime comes or goes), or every five minutes as a sign of life.
 * The frequent sign of life is the lease: node-lease.ts. Follows upstream's kubelet_node_status.go.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { hasReason } from '@dinghy/shared/api/errors'
import { Nodes } from '@dinghy/shared/api/resources'
import type { Node, NodeStatus } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { Backoff } from '@dinghy/shared/client/backoff'
import type { EventRecorder } from '@dinghy/shared/client/events'
import type { Logger } from '@dinghy/shared/client/logger'
import type { DockerClient } from '../docker/docker-client.ts'
import { isUnreachable } from '@dinghy/shared/docker/errors'
import type { ImageSummary } from '@dinghy/shared/docker/types'
import { readPressure, type Machine } from './machine.ts'
import { isSameNodeStatus, nodeDraft, nodeLabels, nodeStatus, type NodeIdentity } from './node-object.ts'
import type { RuntimeHealth } from './runtime-health.ts'

export interface NodeRegistrationOptions {
  client: ApiClient
  docker: DockerClient
  health: RuntimeHealth
  events: EventRecorder
  clock: Clock
  log: Logger
  identity: NodeIdentity
  machine: Machine
  root: string
  /** How often the status is looked at. */
  periodMs: number
}

const longestSilenceMs = 300_000

export class NodeRegistration {
  readonly #options: NodeRegistrationOptions
  #node: Node | undefined
  #writtenAt = 0
  #images: ImageSummary[] = []
  /** Ends the pause between two looks. */
  #wake = new AbortController()

  constructor(options: NodeRegistrationOptions) {
    this.#options = options
    options.health.onChange(() => this.#wake.abort())
  }

  get isRegistered(): boolean {
    return this.#node !== undefined
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, periodMs } = this.#options
    const backoff = new Backoff(clock)
    while (!signal.aborted) {
      this.#wake = new AbortController()
      try {
        await this.#update(signal)
        backoff.reset()
        await this.#pause(clock, periodMs, signal)
      } catch (error) {
        if (signal.aborted) return
        log.debug({ err: error }, 'the node status could not be written')
        // Somebody else wrote, or deleted the object: begin again from what is there.
        if (hasReason(error, 'Conflict', 'NotFound')) this.#node = undefined
        await backoff.wait(signal).catch(() => undefined)
      }
    }
  }

  async #pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    const wake = this.#wake.signal
    await clock.sleep(ms, AbortSignal.any([signal, wake])).catch((error: unknown) => {
      if (!wake.aborted) throw error
    })
  }

  async #update(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options
    this.#node ??= await this.#register(signal)
    const next = await this.#status(this.#node.status, signal)
    const silentMs = clock.now() - this.#writtenAt
    if (isSameNodeStatus(this.#node.status, next) && silentMs < longestSilenceMs) return
    const before = this.#node
    // Read again: taints and conditions are written by others, and our copy may be minutes old.
    const fresh = await client.get(Nodes, { name: before.metadata.name }, {}, signal)
    const status = await this.#status(fresh.status, signal)
    this.#node = await client.update(Nodes, { ...fresh, status }, { subresource: 'status' }, signal)
    this.#writtenAt = clock.now()
    this.#announce(before.status, status)
  }

  /** The object may be there already: this agent's, before it was restarted. Then it is taken over as it is. */
  async #register(signal: AbortSignal): Promise<Node> {
    const { client, identity, machine, events, log } = this.#options
    const status = await this.#status(undefined, signal)
    try {
      const created = await client.create(Nodes, nodeDraft(identity, machine, status), {}, signal)
      this.#writtenAt = this.#options.clock.now()
      log.info({ node: identity.name }, 'registered the node')
      events.event(eventTarget(created), 'Normal', 'Starting', 'Starting kubelet.')
      return created
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error
    }
    const labels = nodeLabels(identity.name, machine)
    const body = { metadata: { labels }, spec: { podCIDR: identity.podCidr, podCIDRs: [identity.podCidr] } }
    const existing = await client.patch(Nodes, { name: identity.name }, { type: 'strategic', body }, {}, signal)
    events.event(eventTarget(existing), 'Normal', 'Starting', 'Starting kubelet.')
    return existing
  }

  async #status(previous: NodeStatus | undefined, signal: AbortSignal): Promise<NodeStatus> {
    const { identity, machine, root, health, clock } = this.#options
    return nodeStatus(
      {
        identity,
        machine,
        pressure: await readPressure(root),
        runtimeVersion: health.version,
        runtimeDown: health.down,
        images: await this.#listImages(signal),
        nowMs: clock.now(),
      },
      previous,
    )
  }

  async #listImages(signal: AbortSignal): Promise<ImageSummary[]> {
    const { docker, health } = this.#options
    if (health.down !== undefined) return this.#images
    try {
      this.#images = await docker.listImages(signal)
    } catch (error) {
      // It went away a moment ago: what we know of its images is still the best answer.
      if (!isUnreachable(error)) throw error
    }
    return this.#images
  }

  #announce(before: NodeStatus, after: NodeStatus): void {
    if (!this.#node) return
    const { events, identity } = this.#options
    const valueOf = (status: NodeStatus) => status.conditions?.find(({ type }) => type === 'Ready')?.status
    if (valueOf(before) === valueOf(after)) return
    const reason = valueOf(after) === 'True' ? 'NodeReady' : 'NodeNotReady'
    events.event(eventTarget(this.#node), 'Normal', reason, `Node ${identity.name} status is now: ${reason}`)
  }
}

/** Upstream's events about a node carry its name in the place of its uid, and `kubectl describe node` looks for that. */
function eventTarget(node: Node): Node {
  return { ...node, metadata: { ...node.metadata, uid: node.metadata.name } }
}
