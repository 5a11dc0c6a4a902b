/**
 * Bounded work: every step of an expression costs, and who has spent what there is, is stopped. Upstream's units and
 * limits (k8s.io/apiserver/pkg/apis/cel/config.go): one for a variable, a field or a call, a tenth for each character
 * or element that a call has to look at, 10 for a list, 30 for a map. Steps are counted, not clocked, so the same
 * expression on the same object always ends the same way.
 *
 * Evaluation never waits, so one meter at a time runs; expressions that evaluate others (policy variables) share it.
 */

import { CelError } from './cel-error.ts'

/** What one evaluation may cost. */
const perCallLimit = 1_000_000
/** What all expressions of one request to one policy, or of one custom resource, may cost together. */
export const perRequestBudget = 10_000_000
/** What one authorization check costs: an expression may make two. */
export const authorizationCheckCost = 350_000

const perUnit = 0.1

export class CostBudget {
  #remaining: number

  constructor(limit = perRequestBudget) {
    this.#remaining = limit
  }

  get remaining(): number {
    return this.#remaining
  }

  spend(cost: number): void {
    this.#remaining -= cost
  }
}

let left = 0
let isRunning = false

/**
 * Runs `evaluate` with at most `perCallLimit`, and takes what it used from the budget. Within another evaluation it
 * spends what is that one's. Throws CelError 'cost'.
 */
export function metered<T>(budget: CostBudget, evaluate: () => T): T {
  if (isRunning) return evaluate()
  const limit = Math.min(perCallLimit, budget.remaining)
  left = limit
  isRunning = true
  try {
    const result = evaluate()
    // `&&` and `exists` swallow errors, also this one; but once nothing is left, every further step throws again.
    if (left < 0) throw exceeded()
    return result
  } catch (error) {
    if (left < 0) throw exceeded()
    throw error
  } finally {
    isRunning = false
    budget.spend(limit - Math.max(left, 0))
  }
}

export function spend(cost: number): void {
  left -= cost
  if (left < 0) throw exceeded()
}

function exceeded(): CelError {
  return new CelError('operation cancelled: actual cost limit exceeded', 'cost')
}

/** For looking at every character or element of these once. */
export function spendOn(...values: unknown[]): void {
  let size = 0
  for (const value of values) size += sizeOf(value)
  if (size > 0) spend(size * perUnit)
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length
  return value instanceof Map ? value.size : 0
}
