/**
 * Label selectors ("app=web,tier in (a,b),!canary") and field selectors ("status.phase!=Failed"), parsed once and then
 * matched many times. A parsed label selector is a list of requirements that must all hold; the two odd cases are
 * upstream's: an *empty* selector matches everything, an *absent* one (undefined) matches nothing.
 *
 * Parsers throw StatusError BadRequest, because the text always comes from a request or a flag.
 */
import { badRequest } from './errors.ts'
import { isLabelValue, isQualifiedName } from './names.ts'
import type { LabelSelector } from './types.ts'

export type Operator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt'

export interface Requirement {
  readonly key: string
  readonly operator: Operator
  readonly values: readonly string[]
}

export interface Selector {
  readonly requirements: readonly Requirement[]
  /** Set on the selector that no object satisfies. */
  readonly matchesNothing?: true
}

export type Labels = Readonly<Record<string, string>>

export const everything: Selector = { requirements: [] }
export const nothing: Selector = { requirements: [], matchesNothing: true }

export function matchesLabels(selector: Selector, labels: Labels | undefined): boolean {
  return selector.matchesNothing !== true && selector.requirements.every((one) => matchesRequirement(one, labels ?? {}))
}

export function matchesRequirement({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value)
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    default:
      return value !== undefined && compares(value, operator, values[0])
  }
}

/** Both sides must be whole numbers, or the requirement does not hold. */
function compares(value: string, operator: 'gt' | 'lt', bound: string | undefined): boolean {
  const whole = /^[+-]?\d+$/
  if (bound === undefined || !whole.test(value) || !whole.test(bound)) return false
  return operator === 'gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound)
}

/** From the structured form inside objects (spec.selector). Its operators have been validated by the API server. */
export function labelSelectorFrom(selector: LabelSelector | undefined): Selector {
  if (selector === undefined) return nothing
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => requirement(key, '=', [value]))
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }) =>
    requirement(key, operatorNames[operator] ?? unknownOperator(operator), values ?? []),
  )
  return sorted([...equal, ...expressions])
}

/** From a plain map, as in a Service's spec.selector. Callers must treat an absent map themselves. */
export function labelSelectorFromMap(labels: Labels): Selector {
  return sorted(Object.entries(labels).map(([key, value]) => requirement(key, '=', [value])))
}

const operatorNames: Record<string, Operator> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' }

function unknownOperator(operator: string): never {
  throw badRequest(`${JSON.stringify(operator)} is not a valid label selector operator`)
}

/** The textual form, which parses back to the same selector; requirements come sorted by key. */
export function selectorToString(selector: Selector): string {
  return selector.requirements.map(requirementToString).join(',')
}

function requirementToString({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'exists':
      return key
    case '!':
      return `!${key}`
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`
    case 'gt':
      return `${key}>${values[0]}`
    case 'lt':
      return `${key}<${values[0]}`
    default:
      return `${key}${operator}${values[0]}`
  }
}

/**
 * The grammar: requirements joined by commas, each `key`, `!key`, `key OP value` with OP of = == != > <, or
 * `key in|notin (value, …)`. A value may be empty.
 */
export function parseLabelSelector(text: string): Selector {
  const tokens = tokenize(text)
  let position = 0
  const peek = () => tokens[position]?.text
  const take = () => tokens[position++]?.text
  const fail = (expected: string): never => {
    throw badRequest(`unable to parse requirement: found '${peek() ?? ''}', expected: ${expected}`)
  }
  const isWord = (token: string | undefined) => token !== undefined && !symbols.has(token)

  const parseKey = () => {
    if (!isWord(peek())) fail('identifier')
    const key = take() ?? ''
    const problems = isQualifiedName(key)
    if (problems.length > 0)
      throw badRequest(
        `unable to parse requirement: key: Invalid value: ${JSON.stringify(key)}: ${problems.join('; ')}`,
      )
    return key
  }
  const parseValue = () => (isWord(peek()) ? (take() ?? '') : '')
  const parseValues = () => {
    if (take() !== '(') fail("'('")
    const values = [parseValue()]
    while (peek() === ',') {
      position++
      values.push(parseValue())
    }
    if (take() !== ')') fail("',' or ')'")
    return values
  }
  const parseRequirement = (): Requirement => {
    if (peek() === '!') {
      position++
      return requirement(parseKey(), '!', [])
    }
    const key = parseKey()
    const next = peek()
    if (next === undefined || next === ',') return requirement(key, 'exists', [])
    position++
    switch (next) {
      case '=':
      case '==':
      case '!=':
        return checked(requirement(key, next, [parseValue()]))
      case '>':
      case '<':
        return checked(requirement(key, next === '>' ? 'gt' : 'lt', [parseValue()]))
      case 'in':
      case 'notin':
        return checked(requirement(key, next, parseValues()))
      default:
        position--
        return fail('in, notin, =, ==, !=, gt, lt')
    }
  }

  if (tokens.length === 0) return everything
  const requirements = [parseRequirement()]
  while (peek() === ',') {
    position++
    if (peek() === undefined) fail("identifier after ','")
    requirements.push(parseRequirement())
  }
  if (peek() !== undefined) fail("',' or 'end of string'")
  return sorted(requirements)
}

const symbols = new Set(['=', '==', '!=', '>', '<', '(', ')', ',', '!'])

function tokenize(text: string): { text: string }[] {
  return Array.from(text.matchAll(/==|!=|[=!<>(),]|[^\s=!<>(),]+/g), ([token]) => ({ text: token }))
}

function checked(one: Requirement): Requirement {
  for (const value of one.values) {
    const problems = one.operator === 'gt' || one.operator === 'lt' ? isWhole(value) : isLabelValue(value)
    if (problems.length > 0) {
      throw badRequest(
        `unable to parse requirement: values[0][${one.key}]: Invalid value: ${JSON.stringify(value)}: ${problems.join('; ')}`,
      )
    }
  }
  return one
}

function isWhole(value: string): string[] {
  return /^[+-]?\d+$/.test(value) ? [] : ["for 'Gt', 'Lt' operators, the value must be an integer"]
}

function requirement(key: string, operator: Operator, values: readonly string[]): Requirement {
  return { key, operator, values }
}

function sorted(requirements: Requirement[]): Selector {
  return { requirements: requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)) }
}

/** One term of a field selector: the field must (or must not) have this value. */
export interface FieldRequirement {
  readonly field: string
  readonly operator: '=' | '!='
  readonly value: string
}

/**
 * Terms joined by commas: `field=value`, `field==value`, `field!=value`; `\` escapes a comma, an equals sign or itself.
 */
export function parseFieldSelector(text: string): FieldRequirement[] {
  return splitTerms(text).map((term) => {
    const match = /^((?:\\.|[^\\=!])*)(!=|==|=)(.*)$/s.exec(term)
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`)
    const [, field = '', operator, value = ''] = match
    return { field, operator: operator === '!=' ? '!=' : '=', value: unescapeValue(value, text) }
  })
}

export function matchesFields(
  requirements: readonly FieldRequirement[],
  valueOf: (field: string) => string | undefined,
): boolean {
  return requirements.every(({ field, operator, value }) => ((valueOf(field) ?? '') === value) === (operator === '='))
}

function splitTerms(text: string): string[] {
  return (text.match(/(?:\\.|[^\\,]|\\$)+/gs) ?? []).filter((term) => term !== '')
}

function unescapeValue(value: string, selector: string): string {
  if (/(?:^|[^\\])(?:\\\\)*\\(?:[^\\,=]|$)/s.test(value) || /^=|(?:^|[^\\])(?:\\\\)*=/.test(value)) {
    throw badRequest(`invalid selector: '${selector}'; can't understand value '${value}'`)
  }
  return value.replace(/\\([\\,=])/g, '$1')
}
