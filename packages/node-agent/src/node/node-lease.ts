/**
 * The lease: a small object that the node renews every few seconds. When it stops, the node lifecycle controller takes
 * the node for lost. Follows upstream's component-helpers/apimachinery/lease (which renews every ten seconds).
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { hasReason } from '@dinghy/shared/api/errors'
import { Leases, Nodes } from '@dinghy/shared/api/resources'
import { microTime } from '@dinghy/shared/api/time'
import type { Draft, Lease } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Logger } from '@dinghy/shared/client/stderr-logger'

const namespace = 'kube-node-lease'
/** How many renewals may fail before the lease has run out. */
const patience = 4
/** An attempt of which nothing is heard is given up with its connection after so many periods. */
const attemptPeriods = 2

export interface NodeLeaseDeps {
  client: ApiClient
  clock: Clock
  log: Logger
  node: string
  periodMs: number
  /** It can be renewed again, after the API server could not be reached. */
  onReachable?: () => void
}

export class NodeLease {
  readonly #deps: NodeLeaseDeps
  #lease: Lease | undefined

  constructor(deps: NodeLeaseDeps) {
    this.#deps = deps
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, periodMs, onReachable } = this.#deps
    let wasSilent = false
    while (!signal.aborted) {
      let pauseMs = periodMs
      // Without a deadline it would wait for a connection that has died until the kernel gives it up.
      const attempt = new AbortController()
      const late = clock.setTimeout(() => attempt.abort(), attemptPeriods * periodMs)
      try {
        await this.#renew(AbortSignal.any([signal, attempt.signal]))
        clock.clear(late)
        if (wasSilent) onReachable?.()
        wasSilent = false
      } catch (error) {
        clock.clear(late)
        if (signal.aborted) return
        wasSilent ||= attempt.signal.aborted
        log.debug({ err: error }, 'the node lease could not be renewed')
        this.#lease = undefined
        pauseMs = Math.min(200, periodMs)
      }
      // Only the end of the agent cuts the pause short.
      await clock.sleep(pauseMs, signal).catch(() => undefined)
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { client, clock, node, periodMs } = this.#deps
    const spec = {
      holderIdentity: node,
      leaseDurationSeconds: Math.max(1, Math.ceil((periodMs * patience) / 1000)),
      renewTime: microTime(clock),
    }
    this.#lease ??= await this.#find(spec, signal)
    this.#lease = await client.update(Leases, { ...this.#lease, spec: { ...this.#lease.spec, ...spec } }, {}, signal)
  }

  async #find(spec: Lease['spec'], signal: AbortSignal): Promise<Lease> {
    const { client, node } = this.#deps
    try {
      return await client.get(Leases, { namespace, name: node }, {}, signal)
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error
    }
    // The lease goes with its node.
    const { metadata } = await client.get(Nodes, { name: node }, {}, signal)
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: node, uid: metadata.uid }]
    const draft: Draft<Lease> = { metadata: { namespace, name: node, ownerReferences }, spec }
    return await client.create(Leases, draft, {}, signal)
  }
}
