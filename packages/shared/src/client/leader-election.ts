/**
 * Leader election: of several candidates one does the work, agreed through a Lease.
 *
 *   the Lease is free, expired or ours ──► write ourselves into it (a conflict means that another was quicker)
 *   leading: renew every retryPeriod; unable to renew for renewDeadline ──► stop leading before others may start
 *
 * Callers may rely on: onLeading's signal aborts when leadership is lost or the caller stops; the Lease is released
 * only after onLeading has returned, so two leaders never overlap while clocks run equally fast. A Lease counts as
 * expired by the time that *we* have seen it unchanged, so the clocks of the machines need not agree. Follows client-go
 * tools/leaderelection; after losing we stand again, where upstream's processes exit.
 */

import { hasReason } from '../api/errors.ts'
import { Leases } from '../api/resources.ts'
import { microTime } from '../api/time.ts'
import type { Clock } from '../api/clock.ts'
import type { Lease } from '../api/types.ts'
import type { ApiClient } from './api-client.ts'
import { Backoff } from './backoff.ts'
import { stderrLogger, type Logger } from './stderr-logger.ts'

export interface LeaseOptions {
  client: ApiClient
  clock: Clock
  name: string
  namespace?: string
  /** Unique among the candidates. */
  identity: string
  leaseDurationMs?: number
  renewDeadlineMs?: number
  retryPeriodMs?: number
  log?: Logger
  /** Called when it is another's turn: the candidate is there, and waits. */
  onWaiting?: () => void
}

/** Runs until the signal aborts, or until onLeading returns or throws of its own accord. */
export async function runWithLease(
  options: LeaseOptions,
  onLeading: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const candidate = new Candidate(options)
  while (await candidate.acquire(signal)) {
    if ((await lead(candidate, onLeading, signal)) === 'finished') return
  }
}

async function lead(
  candidate: Candidate,
  onLeading: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<'finished' | 'lost'> {
  const ending = new AbortController()
  const tenure = AbortSignal.any([signal, ending.signal])
  const renewing = candidate.renewUntilLost(tenure).then((isLost) => {
    ending.abort()
    return isLost
  })
  try {
    await onLeading(tenure)
  } catch (error) {
    // Told to stop, the work may say so by throwing; anything else is its own failure.
    if (!tenure.aborted) throw error
    candidate.log.debug({ err: error }, 'the leader stopped')
  } finally {
    ending.abort()
    await renewing
    await candidate.release()
  }
  return (await renewing) ? 'lost' : 'finished'
}

/** `refused`: another holds it, or the server would not have it. */
type Attempt = 'held' | 'refused' | { unreachable: unknown }

class Candidate {
  readonly log: Logger
  readonly #options: LeaseOptions
  readonly #clock: Clock
  readonly #durationMs: number
  readonly #deadlineMs: number
  readonly #periodMs: number
  /** The Lease as last seen, and when we first saw it so. */
  #seen: { resourceVersion: string; atMs: number } | undefined
  /** As we wrote it last: nobody else does while we hold it, so we need not look before each renewal. */
  #own: Lease | undefined

  constructor(options: LeaseOptions) {
    this.#options = options
    this.#clock = options.clock
    this.log = options.log ?? stderrLogger
    this.#durationMs = options.leaseDurationMs ?? 15_000
    this.#deadlineMs = options.renewDeadlineMs ?? 10_000
    this.#periodMs = options.retryPeriodMs ?? 2_000
  }

  /** True when we lead, false when the signal aborted first. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    const { client } = this.#options
    const backoff = new Backoff(this.#clock)
    while (!signal.aborted) {
      const attempt = await this.#tryToHold(signal)
      if (attempt === 'held') {
        this.log.info({ lease: this.#options.name, identity: this.#options.identity }, 'now leading')
        return true
      }
      if (attempt === 'refused') this.#options.onWaiting?.()
      // A server that is only starting must not cost its candidates a whole period.
      if (attempt === 'refused') await this.#pause(signal)
      else await client.pauseAfter(attempt.unreachable, backoff, this.#clock, signal).catch(unlessAborted(signal))
    }
    return false
  }

  /** True when the Lease could not be renewed in time, false when the signal aborted. */
  async renewUntilLost(signal: AbortSignal): Promise<boolean> {
    let renewedAtMs = this.#clock.now()
    while (!signal.aborted) {
      await this.#pause(signal)
      if (signal.aborted) return false
      if ((await this.#tryToHold(signal)) === 'held') renewedAtMs = this.#clock.now()
      else if (this.#clock.now() - renewedAtMs >= this.#deadlineMs) {
        this.log.warn({ lease: this.#options.name, identity: this.#options.identity }, 'lost the lease')
        return true
      }
    }
    return false
  }

  /** Gives the Lease back, so that the next leader need not wait for it to expire. */
  async release(): Promise<void> {
    const { client, identity } = this.#options
    try {
      const lease = await client.get(Leases, this.#ref)
      if (lease.spec.holderIdentity !== identity) return
      await client.update(Leases, { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 } })
    } catch (error) {
      // It expires by itself, only later.
      this.log.info({ lease: this.#options.name, err: error }, 'the lease could not be released')
    }
  }

  get #ref(): { namespace: string; name: string } {
    return { namespace: this.#options.namespace ?? 'kube-system', name: this.#options.name }
  }

  /** One attempt to acquire or to renew. */
  async #tryToHold(signal: AbortSignal): Promise<Attempt> {
    const { client } = this.#options
    const own = this.#own
    this.#own = undefined
    try {
      const lease = own ?? (await client.get(Leases, this.#ref, {}, signal))
      if (!this.#isFree(lease)) return 'refused'
      return this.#wrote(await client.update(Leases, { ...lease, spec: this.#held(lease.spec) }, {}, signal))
    } catch (error) {
      // It was not as we left it.
      if (own && hasReason(error, 'Conflict')) return await this.#tryToHold(signal)
      if (hasReason(error, 'NotFound')) return await this.#create(signal)
      return this.#failed(error, signal)
    }
  }

  async #create(signal: AbortSignal): Promise<Attempt> {
    try {
      const draft = { metadata: this.#ref, spec: this.#held({}) }
      return this.#wrote(await this.#options.client.create(Leases, draft, {}, signal))
    } catch (error) {
      return this.#failed(error, signal)
    }
  }

  #wrote(lease: Lease): 'held' {
    this.#see(lease)
    this.#own = lease
    return 'held'
  }

  #isFree(lease: Lease): boolean {
    this.#see(lease)
    const { holderIdentity, leaseDurationSeconds } = lease.spec
    if (!holderIdentity || holderIdentity === this.#options.identity) return true
    const unchangedForMs = this.#clock.now() - (this.#seen?.atMs ?? 0)
    return unchangedForMs >= (leaseDurationSeconds ?? 0) * 1_000
  }

  #see({ metadata: { resourceVersion } }: Lease): void {
    if (this.#seen?.resourceVersion !== resourceVersion) this.#seen = { resourceVersion, atMs: this.#clock.now() }
  }

  #held(previous: Lease['spec']): Lease['spec'] {
    const now = microTime(this.#clock)
    const spec = { ...previous, leaseDurationSeconds: Math.ceil(this.#durationMs / 1_000), renewTime: now }
    if (previous.holderIdentity === this.#options.identity) return spec
    const leaseTransitions = previous.acquireTime ? (previous.leaseTransitions ?? 0) + 1 : 0
    return { ...spec, holderIdentity: this.#options.identity, acquireTime: now, leaseTransitions }
  }

  #failed(error: unknown, signal: AbortSignal): Attempt {
    if (!signal.aborted)
      this.log.debug({ lease: this.#options.name, err: error }, 'the lease could not be taken or renewed')
    return hasReason(error, 'ServiceUnavailable') ? { unreachable: error } : 'refused'
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.#periodMs, signal).catch(unlessAborted(signal))
  }
}

function unlessAborted(signal: AbortSignal) {
  return (error: unknown): void => {
    if (!signal.aborted) throw error
  }
}
