/**
 * matchConditions: expressions that must all be true for a webhook or policy to be asked. Follows
 * k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions.
 */

import type { MatchCondition } from 'kubernetes-types/admissionregistration/v1.js'
import type { CelEnvironment, CelProgram } from '../../cel/cel.ts'
import { CelError } from '../../cel/cel-error.ts'
import type { CostBudget } from '../../cel/cost-budget.ts'

/** What all conditions of one webhook may cost for one request. */
export const matchConditionsBudget = 2_500_000

/** A condition that does not compile fails each time, as one that fails when it is evaluated. */
export type CompiledCondition = CelProgram | CelError

export function compileConditions(
  environment: CelEnvironment,
  conditions: readonly MatchCondition[] | undefined,
): CompiledCondition[] {
  return (conditions ?? []).map(({ expression }) => {
    try {
      return environment.compile(expression, { returns: ['bool'] })
    } catch (error) {
      if (error instanceof CelError) return error
      throw error
    }
  })
}

/** One false decides, whatever failed; a failure decides by the policy: 'Ignore' is no match. */
export function matchesConditions(
  conditions: readonly CompiledCondition[],
  variables: Record<string, unknown>,
  budget: CostBudget,
  failurePolicy: string | undefined,
): boolean | { error: string } {
  const errors: string[] = []
  for (const condition of conditions) {
    try {
      if (condition instanceof CelError) throw condition
      if (condition.evaluate(variables, budget) === false) return false
    } catch (error) {
      if (!(error instanceof CelError)) throw error
      errors.push(
        `expression '${condition instanceof CelError ? '' : condition.source}' resulted in error: ${error.message}`,
      )
      if (error.failure === 'cost') break
    }
  }
  if (errors.length === 0) return true
  if (failurePolicy === 'Ignore') return false
  return { error: errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]` }
}
