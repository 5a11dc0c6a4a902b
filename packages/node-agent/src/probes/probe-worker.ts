/**
 * One probe of one running container: asks when it is time, and keeps the verdict.
 *
 * It lives exactly as long as the container (a restarted container is another one, with workers of its own), so there
 * is nothing to reset. An attempt that could not be made counts as nothing, as upstream has it.
 */

import type { Clock, Timer } from '@dinghy/shared/api/clock'
import type { Probe } from '@dinghy/shared/api/types'
import type { CheckResult } from './http-check.ts'
import { afterOutcome, initialState, nextAttempt, type ProbeState, type ProbeType } from './probe-state.ts'

export interface ProbeWorkerOptions {
  type: ProbeType
  probe: Probe
  startedAt: number
  /** What was said of this very container before the agent was restarted. */
  wasGood: boolean
  clock: Clock
  check: (signal: AbortSignal) => Promise<CheckResult>
  /** A failed attempt that counts, for the "Unhealthy" event. */
  onFailure: (message: string) => void
  onVerdict: () => void
}

export class ProbeWorker {
  readonly #options: ProbeWorkerOptions
  readonly #stopped = new AbortController()
  #state: ProbeState
  #timer: Timer | undefined
  #lastRegularAt = 0
  #eagerAttempts = 0

  constructor(options: ProbeWorkerOptions) {
    this.#options = options
    this.#state = initialState(options.type, options.wasGood)
  }

  get verdict(): ProbeState['verdict'] {
    return this.#state.verdict
  }

  start(): void {
    const { probe, startedAt, clock } = this.#options
    const dueAt = startedAt + (probe.initialDelaySeconds ?? 0) * 1000
    this.#schedule(Math.max(0, dueAt - clock.now()), false)
  }

  stop(): void {
    this.#options.clock.clear(this.#timer)
    this.#stopped.abort()
  }

  #schedule(delayMs: number, eager: boolean): void {
    if (this.#stopped.signal.aborted || this.#state.held) return
    this.#timer = this.#options.clock.setTimeout(() => void this.#attempt(eager), delayMs)
  }

  async #attempt(eager: boolean): Promise<void> {
    const { type, probe, clock, check, onFailure, onVerdict } = this.#options
    if (eager) this.#eagerAttempts += 1
    else this.#lastRegularAt = clock.now()
    const before = this.#state.verdict
    try {
      const { outcome, output } = await check(this.#stopped.signal)
      if (this.#stopped.signal.aborted) return
      // Between times only good news counts: see nextAttempt.
      if (outcome === 'success' || !eager) this.#state = afterOutcome(this.#state, outcome, type, probe)
      if (outcome === 'failure' && !eager) onFailure(`${titles[type]} probe failed: ${output}`)
    } catch (error) {
      if (this.#stopped.signal.aborted) return
      const message = error instanceof Error ? error.message : String(error)
      if (!eager) onFailure(`${titles[type]} probe errored and resulted in unknown state: ${message}`)
    }
    if (this.#state.verdict !== before) onVerdict()
    const periodMs = (probe.periodSeconds ?? 10) * 1000
    const sinceRegularMs = clock.now() - this.#lastRegularAt
    const next = nextAttempt(this.#state, type, { periodMs, sinceRegularMs, eagerAttempts: this.#eagerAttempts })
    this.#schedule(next.delayMs, next.eager)
  }
}

const titles: Record<ProbeType, string> = { liveness: 'Liveness', readiness: 'Readiness', startup: 'Startup' }
