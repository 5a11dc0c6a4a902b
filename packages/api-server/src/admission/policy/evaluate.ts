/**
 * What a policy says of one request with one parameter: each validation admits or denies, each audit annotation has a
 * value or none. Pure. Follows k8s.io/apiserver/pkg/admission/plugin/policy/validating/validator.go.
 */

import { CelError } from '../../cel/cel-error.ts'
import { CostBudget, perRequestBudget } from '../../cel/cost-budget.ts'
import type { Compiled, CompiledPolicy } from '../../registry/kinds/admission-expressions.ts'
import { describeFailure, matchConditionsBudget, matchesConditions } from '../match/conditions.ts'

export interface Denial {
  /** The validation's place in the policy; -1 if it is not one that failed. */
  index: number
  message: string
  /** As the validation says; undefined if it could not be evaluated. */
  reason: string | undefined
}

export interface Outcome {
  denials: Denial[]
  auditAnnotations: { key: string; value: string }[]
}

const nothing: Outcome = { denials: [], auditAnnotations: [] }
const maxMessageBytes = 5 * 1024
const outOfBudget = 'validation failed due to running out of cost budget, no further validation rules will be run'

/** `values` are CEL values, `params` among them where the policy has a kind of parameters. */
export function evaluatePolicy(
  policy: CompiledPolicy,
  failurePolicy: string | undefined,
  values: Record<string, unknown>,
): Outcome {
  const failed = (index: number, message: string): Denial[] =>
    failurePolicy === 'Ignore' ? [] : [{ index, message, reason: undefined }]
  const matches = matchesConditions(policy.conditions, values, new CostBudget(matchConditionsBudget), failurePolicy)
  if (matches === false) return nothing
  if (matches !== true) return { ...nothing, denials: failed(-1, matches.error) }

  const budget = new CostBudget(perRequestBudget)
  const variables = lazyVariables(policy, values, budget)
  const all = { ...values, variables }
  const denials: Denial[] = []
  for (const [index, { validation, program, message }] of policy.validations.entries()) {
    if (budget.remaining <= 0) {
      denials.push(...failed(index, outOfBudget))
      break
    }
    const result = evaluate(program, all, budget)
    if (result instanceof Failure) denials.push(...failed(index, result.message))
    else if (result !== true) {
      const said = messageOf(message, all, budget) || validation.message?.trim()
      const text = said || `failed expression: ${validation.expression.trim()}`
      denials.push({ index, message: text, reason: validation.reason ?? 'Invalid' })
    }
  }
  const auditAnnotations: Outcome['auditAnnotations'] = []
  for (const { annotation, program } of policy.auditAnnotations) {
    const result = evaluate(program, all, budget)
    if (result instanceof Failure) denials.push(...failed(-1, result.message))
    else if (typeof result === 'string' && result.trim() !== '') {
      auditAnnotations.push({ key: annotation.key, value: result.trim() })
    }
  }
  return { denials, auditAnnotations }
}

class Failure {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

function evaluate(program: Compiled, values: Record<string, unknown>, budget: CostBudget): unknown {
  try {
    if (program instanceof CelError) throw program
    return program.evaluate(values, budget)
  } catch (error) {
    if (error instanceof CelError) return new Failure(describeFailure(program, error))
    throw error
  }
}

/** One line, not too long; otherwise the validation's own message has to do. */
function messageOf(program: Compiled | undefined, values: Record<string, unknown>, budget: CostBudget): string {
  const result = program && evaluate(program, values, budget)
  if (typeof result !== 'string') return ''
  const message = result.trim()
  return Buffer.byteLength(message) > maxMessageBytes || message.includes('\n') ? '' : message
}

/**
 * The variables of a policy: each is evaluated when an expression first asks for it, and once. An error in one is an
 * error of whoever asked.
 */
function lazyVariables(policy: CompiledPolicy, values: Record<string, unknown>, budget: CostBudget): object {
  const variables = Object.create(null) as Record<string, unknown>
  for (const { name, program } of policy.variables) {
    let outcome: { value: unknown } | { error: unknown } | undefined
    Object.defineProperty(variables, name, {
      enumerable: true,
      get() {
        outcome ??= attempt(() => {
          if (program instanceof CelError) throw program
          return program.evaluate({ ...values, variables }, budget)
        })
        if ('error' in outcome) throw outcome.error
        return outcome.value
      },
    })
  }
  return variables
}

function attempt(evaluateNow: () => unknown): { value: unknown } | { error: unknown } {
  try {
    return { value: evaluateNow() }
  } catch (error) {
    return { error }
  }
}
