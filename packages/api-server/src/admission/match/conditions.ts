/**
 * matchConditions: expressions that must all be true for a webhook or policy to be asked. Follows
 * k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions.
 */

import { CelError } from '../../cel/cel-error.ts'
import type { CostBudget } from '../../cel/cost-budget.ts'
import type { Compiled } from '../../registry/kinds/admission-expressions.ts'

/** What all conditions of one webhook may cost for one request. */
export const matchConditionsBudget = 2_500_000

/** One false decides, whatever failed; a failure decides by the policy: 'Ignore' is no match. */
export function matchesConditions(
  conditions: readonly Compiled[],
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
      errors.push(describeFailure(condition, error))
      if (error.failure === 'cost') break
    }
  }
  if (errors.length === 0) return true
  if (failurePolicy === 'Ignore') return false
  return { error: errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]` }
}

export function describeFailure(program: Compiled, error: CelError): string {
  if (program instanceof CelError) return `compilation error: ${program.message}`
  return `expression '${program.source}' resulted in error: ${error.message}`
}
