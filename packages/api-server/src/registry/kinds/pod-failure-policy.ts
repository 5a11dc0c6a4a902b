/**
 * What a Job makes of how its pods end: podFailurePolicy, successPolicy, and the limits of indexed jobs. Follows
 * pkg/apis/batch/validation.
 */

import { duplicate, invalid, required, tooLong, tooMany, type FieldError } from '@dinghy/shared/api/field-errors'
import { isQualifiedName } from '@dinghy/shared/api/names'
import type { JobSpec } from '@dinghy/shared/api/types'
import type {
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
} from 'kubernetes-types/batch/v1.js'
import { named, nonNegative, oneOf } from './checks.ts'
import { countIndexes } from './job-indexes.ts'

const maxRules = 20
const maxPatterns = 20
const maxExitCodes = 255
const maxIndexes = 100_000
/** What a Job with more completions than `maxIndexes` may have at the most, if it counts failures of each index. */
const maxOfMany = 10_000
const maxSucceededIndexesBytes = 64 * 1024

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']
const operators = ['In', 'NotIn']
const statuses = ['False', 'True', 'Unknown']

/** A value that must be given; Go prints the list of valid ones in brackets. */
function requiredFrom(path: string, value: string | undefined, valid: string[]): FieldError[] {
  if (value) return oneOf(path, value, valid)
  return [required(path, `valid values: [${valid.map((each) => JSON.stringify(each)).join(' ')}]`)]
}

export function validateFailurePolicy(spec: JobSpec, path: string): FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? []
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {}
  const names = new Set([...containers, ...initContainers].map(({ name }) => name))
  return [
    ...(rules.length > maxRules ? [tooMany(`${path}.rules`, rules.length, maxRules)] : []),
    ...rules.flatMap((rule, i) => validateRule(rule, names, spec, `${path}.rules[${i}]`)),
  ]
}

function validateRule(rule: PodFailurePolicyRule, names: Set<string>, spec: JobSpec, path: string): FieldError[] {
  const { action, onExitCodes, onPodConditions = [] } = rule
  const errors = requiredFrom(`${path}.action`, action, actions)
  if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
    errors.push(invalid(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set'))
  }
  if (onExitCodes) errors.push(...validateExitCodes(onExitCodes, names, `${path}.onExitCodes`))
  errors.push(...validatePatterns(onPodConditions, `${path}.onPodConditions`))
  const whole = (detail: string): FieldError => ({ type: 'FieldValueInvalid', field: path, detail })
  if (onExitCodes && onPodConditions.length > 0) {
    errors.push(whole('specifying both OnExitCodes and OnPodConditions is not supported'))
  }
  if (!onExitCodes && onPodConditions.length === 0) {
    errors.push(whole('specifying one of OnExitCodes and OnPodConditions is required'))
  }
  return errors
}

function validatePatterns(patterns: PodFailurePolicyOnPodConditionsPattern[], path: string): FieldError[] {
  const errors = patterns.length > maxPatterns ? [tooMany(path, patterns.length, maxPatterns)] : []
  for (const [i, { type, status }] of patterns.entries()) {
    errors.push(...named(`${path}[${i}].type`, type, isQualifiedName(type)))
    errors.push(...requiredFrom(`${path}[${i}].status`, status, statuses))
  }
  return errors
}

function validateExitCodes(
  { operator, containerName, values }: PodFailurePolicyOnExitCodesRequirement,
  names: Set<string>,
  path: string,
): FieldError[] {
  const errors = requiredFrom(`${path}.operator`, operator, operators)
  if (containerName !== undefined && !names.has(containerName)) {
    const detail = 'must be one of the container or initContainer names in the pod template'
    errors.push(invalid(`${path}.containerName`, containerName, detail))
  }
  const at = `${path}.values`
  if (values.length === 0) errors.push(invalid(at, values, 'at least one value is required'))
  else if (values.length > maxExitCodes) errors.push(tooMany(at, values.length, maxExitCodes))
  for (const [i, code] of values.entries()) {
    if (operator === 'In' && code === 0) errors.push(invalid(`${at}[${i}]`, code, 'must not be 0 for the In operator'))
    if (values.indexOf(code) < i) errors.push(duplicate(`${at}[${i}]`, code))
  }
  const isOrdered = values.every((code, i) => i === 0 || (values[i - 1] ?? code) <= code)
  return isOrdered ? errors : [...errors, invalid(at, values, 'must be ordered')]
}

export function validateSuccessPolicy(spec: JobSpec, path: string): FieldError[] {
  if (spec.completionMode !== 'Indexed') return [invalid(path, spec.successPolicy, 'requires indexed completion mode')]
  const rules = spec.successPolicy?.rules ?? []
  const at = `${path}.rules`
  if (rules.length === 0) {
    return [required(at, 'at least one rules must be specified when the successPolicy is specified')]
  }
  const errors = rules.length > maxRules ? [tooMany(at, rules.length, maxRules)] : []
  for (const [i, { succeededCount: count, succeededIndexes }] of rules.entries()) {
    if (count === undefined && succeededIndexes === undefined) {
      errors.push(required(`${at}[${i}]`, 'at least one of succeededCount or succeededIndexes must be specified'))
    }
    const total = countIndexes(succeededIndexes ?? '', spec.completions ?? 0)
    if (Buffer.byteLength(succeededIndexes ?? '') > maxSucceededIndexesBytes) {
      errors.push(tooLong(`${at}[${i}].succeededIndexes`, maxSucceededIndexesBytes))
    }
    if (typeof total === 'string') {
      errors.push(invalid(`${at}[${i}].succeededIndexes`, succeededIndexes, `error parsing succeededIndexes: ${total}`))
    }
    errors.push(...nonNegative(`${at}[${i}].succeededCount`, count))
    const atMost = (limit: number, what: string): void => {
      if (count === undefined || count <= limit) return
      errors.push(invalid(`${at}[${i}].succeededCount`, count, `must be less than or equal to ${limit} (${what})`))
    }
    if (spec.completions !== undefined) atMost(spec.completions, 'the number of specified completions')
    if (succeededIndexes !== undefined) {
      const indexes = typeof total === 'number' ? total : 0
      atMost(indexes, 'the number of indexes in the specified succeededIndexes field')
    }
  }
  return errors
}

/** Jobs whose pods have numbers. */
export function validateIndexes(spec: JobSpec, path: string): FieldError[] {
  const { completions, completionMode, parallelism = 0, backoffLimitPerIndex, maxFailedIndexes } = spec
  const errors: FieldError[] = []
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined) {
    errors.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'))
  }
  if (completionMode !== 'Indexed') {
    for (const [field, value] of Object.entries({ backoffLimitPerIndex, maxFailedIndexes })) {
      if (value !== undefined) errors.push(invalid(`${path}.${field}`, value, 'requires indexed completion mode'))
    }
    return errors
  }
  if (completions === undefined) errors.push(required(`${path}.completions`, 'when completion mode is Indexed'))
  if (parallelism > maxIndexes) {
    const detail = `must be less than or equal to ${maxIndexes} when completion mode is Indexed`
    errors.push(invalid(`${path}.parallelism`, parallelism, detail))
  }
  if (maxFailedIndexes !== undefined && completions !== undefined && maxFailedIndexes > completions) {
    errors.push(invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions'))
  }
  if (maxFailedIndexes !== undefined && maxFailedIndexes > maxIndexes) {
    const detail = `must be less than or equal to ${maxIndexes}`
    errors.push(invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, detail))
  }
  if ((completions ?? 0) > maxIndexes && backoffLimitPerIndex !== undefined) {
    if (maxFailedIndexes === undefined) {
      errors.push(required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${maxIndexes}`))
    }
    for (const [field, value] of Object.entries({ parallelism, maxFailedIndexes })) {
      const detail = `must be less than or equal to ${maxOfMany} when completions are above ${maxIndexes} and used with backoff limit per index`
      if (value !== undefined && value > maxOfMany) errors.push(invalid(`${path}.${field}`, value, detail))
    }
  }
  return errors
}
