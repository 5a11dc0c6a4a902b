/**
 * Keeps the Node object true: registers the node, takes an existing object over, and writes its status when it changes
 * (looked at every ten seconds, and at once when the runtime comes or goes), or every five minutes as a sign of life.
 * The frequent sign of life is the lease: node-lease.ts. Follows upstream's kubelet_node_status.go.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { getCondition, isConditionTrue } from '@dinghy/shared/api/conditions'
import { hasReason } from '@dinghy/shared/api/errors'
import { Nodes } from '@dinghy/shared/api/resources'
import type { Node, NodeStatus } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { Backoff } from '@dinghy/shared/client/backoff'
import type { EventRecorder } from '@dinghy/shared/client/events'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import type { DockerClient } from '../docker/docker-client.ts'
import { isUnreachable } from '@dinghy/shared/docker/errors'
import type { ImageSummary } from '@dinghy/shared/docker/types'
import { readPressure, type Machine } from './machine.ts'
import { isSameNodeStatus, nodeDraft, nodeLabels, nodeStatus, type NodeIdentity } from './node-object.ts'
import type { LiveNode } from './live-node.ts'
import type { RuntimeHealth } from './runtime-health.ts'

export interface NodeRegistrationDeps {
  client: ApiClient
  docker: DockerClient
  health: RuntimeHealth
  live: LiveNode
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
  readonly #deps: NodeRegistrationDeps
  #isRegistered = false
  #hasBeenReady = false
  #writtenAt = 0
  #images: ImageSummary[] = []
  /** Ends the pause between two looks. */
  #wake = new AbortController()

  constructor(deps: NodeRegistrationDeps) {
    this.#deps = deps
    deps.health.onChange(() => this.#wake.abort())
  }

  /** Since this agent started: what is the matter with a node later is told by its conditions. */
  get hasBeenReady(): boolean {
    return this.#hasBeenReady
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, live, periodMs } = this.#deps
    const backoff = new Backoff(clock)
    while (!signal.aborted) {
      this.#wake = new AbortController()
      try {
        await this.#update(signal)
        this.#hasBeenReady ||= isConditionTrue(live.object?.status.conditions ?? [], 'Ready')
        backoff.reset()
        await this.#pause(clock, periodMs, signal)
      } catch (error) {
        if (signal.aborted) return
        log.debug({ err: error }, 'the node status could not be written')
        // Somebody has deleted the object. (Somebody else's write is a matter of trying again.)
        if (hasReason(error, 'NotFound')) this.#isRegistered = false
        // Only the end of the agent cuts the pause short.
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
    const { client, clock, live } = this.#deps
    if (!this.#isRegistered) live.learn(await this.#register(signal))
    this.#isRegistered = true
    const before = live.object?.status
    const silentMs = clock.now() - this.#writtenAt
    if (before && isSameNodeStatus(before, await this.#status(before, signal)) && silentMs < longestSilenceMs) return
    // Read again: taints, conditions and resources are written by others, and our copy may be behind.
    const fresh = await live.refresh(signal)
    const status = await this.#status(fresh.status, signal)
    live.learn(await client.update(Nodes, { ...fresh, status }, { subresource: 'status' }, signal))
    this.#writtenAt = clock.now()
    this.#announce(fresh, status)
  }

  /** The object may be there already: this agent's, before it was restarted. Then it is taken over as it is. */
  async #register(signal: AbortSignal): Promise<Node> {
    const { client, identity, machine, events, log } = this.#deps
    const status = await this.#status(undefined, signal)
    try {
      const created = await client.create(Nodes, nodeDraft(identity, machine, status), {}, signal)
      this.#writtenAt = this.#deps.clock.now()
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
    const { identity, machine, root, health, clock } = this.#deps
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
    const { docker, health } = this.#deps
    const wake = this.#wake.signal
    if (health.down !== undefined || wake.aborted) return this.#images
    try {
      // That the runtime has fallen silent must be told at once, so nothing is waited for that it owes us.
      this.#images = await docker.listImages(AbortSignal.any([signal, wake]))
    } catch (error) {
      // It went away a moment ago: what we know of its images is still the best answer.
      if (!isUnreachable(error) && !(wake.aborted && !signal.aborted)) throw error
    }
    return this.#images
  }

  #announce(before: Node, after: NodeStatus): void {
    const { events, identity } = this.#deps
    const valueOf = (status: NodeStatus) => getCondition(status.conditions, 'Ready')?.status
    if (valueOf(before.status) === valueOf(after)) return
    const reason = valueOf(after) === 'True' ? 'NodeReady' : 'NodeNotReady'
    events.event(eventTarget(before), 'Normal', reason, `Node ${identity.name} status is now: ${reason}`)
  }
}

/** Events about a node carry its name in the place of its uid, and `kubectl describe node` looks for that. */
function eventTarget(node: Node): Node {
  return { ...node, metadata: { ...node.metadata, uid: node.metadata.name } }
}
