/**
 * Asks the rules of a schema about a value: each node of the rules meets the values at its place. All of them together
 * may cost so much (cel/cost-budget.ts); when that is spent, no further rule is asked and the value is refused. As by
 * schemas, a fault that an update leaves alone is tolerated, except by transition rules.
 *
 * Follows apiextensions-apiserver's pkg/apiserver/schema/cel/validation.go, in its words.
 */

import { isDeepStrictEqual } from 'node:util'
import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { CelError } from '../cel/cel-error.ts'
import type { Cel } from '../cel/cel.ts'
import { dyn } from '../cel/cel-type.ts'
import { CostBudget } from '../cel/cost-budget.ts'
import { isObject } from '../shape/json.ts'
import type { ValidationRule } from './resource-schema.ts'
import type { CompiledRule, RuleNode } from './rules.ts'
import { previousItems, type Previous } from './validate.ts'

/** `previous` is undefined for a new object. */
export function evaluateRules(cel: Cel, root: RuleNode, next: object, previous: object | undefined): FieldError[] {
  const run: Run = { cel, budget: new CostBudget(), errors: [] }
  const before = previous && { value: previous }
  try {
    visit(root, { value: next, path: '', old: before, ratchet: { previous: before, isUnchangedAbove: false } }, run)
  } catch (error) {
    if (!(error instanceof Overspent)) throw error
  }
  return run.errors
}

interface Run {
  cel: Cel
  budget: CostBudget
  errors: FieldError[]
}

/** Ends everything; the error that says so is among the others. */
class Overspent extends Error {}

interface Place {
  value: unknown
  path: string
  /** What oldSelf is here: of lists, only maps tell which item was which. */
  old: Previous | undefined
  ratchet: Ratchet
}

/** What the value was, as far as that can be told; else, whether the nearest place where it can is unchanged. */
interface Ratchet {
  previous: Previous | undefined
  isUnchangedAbove: boolean
}

function visit(node: RuleNode, place: Place, run: Run): void {
  const { value, path, old } = place
  if (value === null || value === undefined) return
  askRules(node, place, run)
  if (Array.isArray(value)) {
    const { items, schema } = node
    if (!items) return
    const before = previousItems(value, schema, old)
    const beforeByPlace = previousItems(value, schema, place.ratchet.previous)
    const isMap = schema['x-kubernetes-list-type'] === 'map'
    for (const [i, item] of value.entries()) {
      const ratchet = below(place, beforeByPlace(i))
      visit(items, { value: item, path: `${path}[${i}]`, old: isMap ? before(i) : undefined, ratchet }, run)
    }
  } else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      const property = node.properties.get(name)
      const child = property ?? (Object.hasOwn(node.schema.properties ?? {}, name) ? undefined : node.others)
      if (!child) continue
      const at = property ? (path === '' ? name : `${path}.${name}`) : `${path}[${name}]`
      const ratchet = below(place, memberOf(place.ratchet.previous, name))
      visit(child, { value: member, path: at, old: memberOf(old, name), ratchet }, run)
    }
  }
}

function memberOf(previous: Previous | undefined, name: string): Previous | undefined {
  const object = previous?.value
  return isObject(object) && Object.hasOwn(object, name) ? { value: object[name] } : undefined
}

function below({ value, ratchet }: Place, previous: Previous | undefined): Ratchet {
  if (!ratchet.previous) return ratchet
  return { previous, isUnchangedAbove: isDeepStrictEqual(ratchet.previous.value, value) }
}

function isUnchanged({ value, ratchet }: Place): boolean {
  return ratchet.previous ? isDeepStrictEqual(ratchet.previous.value, value) : ratchet.isUnchangedAbove
}

const outOfBudget = 'validation failed due to running out of cost budget, no further validation rules will be run'

function askRules(node: RuleNode, place: Place, run: Run): void {
  if (node.rules.length === 0) return
  const at = place.path === '' ? '<nil>' : place.path
  const shown = node.schema.type ?? ''
  const fail = (detail: string) => run.errors.push(invalid(at, shown, detail))
  const self = run.cel.toCelValue(place.value, node.type)
  const oldSelf = place.old && place.old.value !== null ? run.cel.toCelValue(place.old.value, node.type) : undefined
  for (const compiled of node.rules) {
    const { rule, program, usesOldSelf } = compiled
    if (compiled.error !== undefined) {
      fail(`rule compile error: ${compiled.error}`)
      continue
    }
    if (!program || (usesOldSelf && oldSelf === undefined && !rule.optionalOldSelf)) continue
    if (run.budget.remaining <= 0) {
      fail(outOfBudget)
      throw new Overspent()
    }
    const variables = {
      self,
      ...(usesOldSelf ? { oldSelf: rule.optionalOldSelf ? optional(run.cel, oldSelf) : oldSelf } : {}),
    }
    try {
      if (program.evaluate(variables, run.budget) === true) continue
    } catch (error) {
      fail(evaluationWords(error, rule, run))
      if (isCost(error)) throw new Overspent()
      continue
    }
    const error = brokenRule(compiled, place, shown, messageOf(compiled, variables, run))
    if (usesOldSelf || !isUnchanged(place)) run.errors.push(error)
  }
}

function isCost(error: unknown): boolean {
  return error instanceof CelError && error.failure === 'cost'
}

function evaluationWords(error: unknown, rule: ValidationRule, { budget }: Run): string {
  if (!(error instanceof CelError)) throw error
  const { message } = error
  if (error.failure === 'cost') {
    if (budget.remaining <= 0) return outOfBudget
    return `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${nameOf(rule)}`
  }
  if (message.startsWith('no such overload')) {
    return `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${nameOf(rule)}`
  }
  return `${message} evaluating rule: ${nameOf(rule)}`
}

function nameOf({ rule = '', message = '' }: ValidationRule): string {
  return message === '' ? rule.trim() : message.trim()
}

const maxMessageBytes = 5 * 1024

/** What the rule itself says, as far as it says something that can be shown; else its message, or its text. */
function messageOf({ rule, messageProgram }: CompiledRule, variables: Record<string, unknown>, run: Run): string {
  const standard = rule.message ? rule.message.trim() : `failed rule: ${nameOf(rule)}`
  if (!messageProgram) return standard
  try {
    const text = String(messageProgram.evaluate(variables, run.budget)).trim()
    const isShowable = text !== '' && !text.includes('\n') && Buffer.byteLength(text) <= maxMessageBytes
    return isShowable ? text : standard
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    return standard
  }
}

function brokenRule({ rule, fieldPath }: CompiledRule, { path }: Place, shown: string, detail: string): FieldError {
  const joined =
    path === '' || fieldPath === '' || fieldPath.startsWith('[') ? path + fieldPath : `${path}.${fieldPath}`
  const at = joined === '' ? '<nil>' : joined
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbidden(at, detail)
    case 'FieldValueRequired':
      return required(at, detail)
    case 'FieldValueDuplicate':
      return duplicate(at, shown)
    default:
      return invalid(at, shown, detail)
  }
}

/** The library's own optional values are made by its own functions. */
function optional(cel: Cel, value: unknown): unknown {
  const programs = optionals.get(cel) ?? {
    of: cel.environment({ value: dyn }).compile('optional.of(value)'),
    none: cel.environment({}).compile('optional.none()'),
  }
  optionals.set(cel, programs)
  return value === undefined ? programs.none.evaluate({}) : programs.of.evaluate({ value })
}

const optionals = new WeakMap<Cel, Record<'of' | 'none', ReturnType<ReturnType<Cel['environment']>['compile']>>>()
