/**
 * One probe's verdict, from the outcomes of its attempts. Pure. Follows upstream's prober worker.
 *
 *   an outcome counts only after failureThreshold (successThreshold) equal ones in a row
 *   readiness begins as failure, liveness as success, startup as unknown
 *   a liveness or startup probe that has failed says nothing more: its container is about to be killed
 */

import type { Probe } from '@dinghy/shared/api/types'

export type ProbeType = 'liveness' | 'readiness' | 'startup'
export type Verdict = 'success' | 'failure' | 'unknown'

export interface ProbeState {
  verdict: Verdict
  /** The last outcome, and how often it came in a row. */
  last: Verdict | undefined
  run: number
  /** Nothing more will be asked of this container. */
  held: boolean
}

const beginning: Record<ProbeType, Verdict> = { liveness: 'success', readiness: 'failure', startup: 'unknown' }

/** `wasGood`: an agent before this one has seen this very container succeed. */
export function initialState(type: ProbeType, wasGood = false): ProbeState {
  const verdict = wasGood ? 'success' : beginning[type]
  return { verdict, last: undefined, run: 0, held: type === 'startup' && wasGood }
}

export function afterOutcome(
  state: ProbeState,
  outcome: 'success' | 'failure',
  type: ProbeType,
  { successThreshold = 1, failureThreshold = 3 }: Pick<Probe, 'successThreshold' | 'failureThreshold'>,
): ProbeState {
  if (state.held) return state
  const run = state.last === outcome ? state.run + 1 : 1
  const threshold = outcome === 'success' ? successThreshold : failureThreshold
  if (run < threshold) return { ...state, last: outcome, run }
  const held = outcome === 'failure' ? type !== 'readiness' : type === 'startup'
  return { verdict: outcome, last: outcome, run, held }
}

/** The first attempt must not wait for a whole period, nor a pod that listens after 40 ms for ten seconds. */
const eagerFirstMs = 25

/**
 * How long to wait for the next attempt, and whether it is one between the regular ones. Only a readiness probe that
 * has not succeeded yet is asked between times ("to make the Pod ready faster", as the documentation of Kubernetes
 * allows), at doubling distances, so that within the first period there are some nine attempts; they count only if
 * they succeed.
 */
export function nextAttempt(
  state: ProbeState,
  type: ProbeType,
  { periodMs, sinceRegularMs, eagerAttempts }: { periodMs: number; sinceRegularMs: number; eagerAttempts: number },
): { delayMs: number; eager: boolean } {
  const regularMs = Math.max(0, periodMs - sinceRegularMs)
  const eagerMs = eagerFirstMs * 2 ** eagerAttempts
  const isEager = type === 'readiness' && state.verdict !== 'success' && eagerMs < regularMs && eagerMs < periodMs
  return isEager ? { delayMs: eagerMs, eager: true } : { delayMs: regularMs, eager: false }
}
