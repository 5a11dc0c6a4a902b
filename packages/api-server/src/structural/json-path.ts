/**
 * JSONPath as far as definitions of custom resources use it: printer columns, the paths of a Scale, selectable fields.
 *
 *   .spec.replicas   .metadata.labels['app']   .items[0].name   .items[-1:]   .items[*].name   ..name
 *   .status.conditions[?(@.type=="Ready")].status   .metadata.annotations.example\.com/owner
 *
 * Follows k8s.io/client-go/util/jsonpath with missing keys allowed: a path that leads nowhere finds nothing.
 */

import { isDeepStrictEqual } from 'node:util'
import { isObject } from '../shape/json.ts'

type Step =
  | { kind: 'member'; names: string[] }
  | { kind: 'all' }
  | { kind: 'deep'; name: string }
  | { kind: 'index'; indices: number[] }
  | { kind: 'slice'; start: number | undefined; end: number | undefined; step: number }
  | { kind: 'filter'; left: Operand; operator: string; right: Operand | undefined }

type Operand = { path: Step[] } | { literal: unknown }

export type JsonPath = Step[]

/** Throws SyntaxError. */
export function parseJsonPath(text: string): JsonPath {
  const steps: Step[] = []
  let rest = text
  while (rest !== '') {
    const { step, length } = readStep(rest)
    if (step) steps.push(step)
    rest = rest.slice(length)
  }
  return steps
}

/** All that the path finds, in order. */
export function findByPath(path: JsonPath, root: unknown): unknown[] {
  return path.reduce<unknown[]>((values, step) => values.flatMap((value) => follow(step, value)), [root])
}

function readStep(text: string): { step: Step | undefined; length: number } {
  const [deep, deepName = ''] = /^\.\.((?:\\.|[^.[\s\\])+)/.exec(text) ?? []
  if (deep) return { step: { kind: 'deep', name: unescaped(deepName) }, length: deep.length }
  const [member, name = ''] = /^\.?((?:\\.|[^.[\]\s\\])+)/.exec(text) ?? []
  if (member) {
    const step: Step = name === '*' ? { kind: 'all' } : { kind: 'member', names: [unescaped(name)] }
    return { step, length: member.length }
  }
  if (text.startsWith('[')) return readBracket(text)
  if (text.startsWith('.')) return { step: undefined, length: 1 }
  throw new SyntaxError(`unrecognized character in path: ${JSON.stringify(text)}`)
}

function unescaped(name: string): string {
  return name.replace(/\\(.)/g, '$1')
}

function readBracket(text: string): { step: Step; length: number } {
  const end = closingBracket(text)
  const inner = text.slice(1, end).trim()
  return { step: bracketStep(inner), length: end + 1 }
}

function closingBracket(text: string): number {
  let quote = ''
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    if (quote !== '') {
      if (char === '\\') i++
      else if (char === quote) quote = ''
    } else if (char === '"' || char === "'") quote = char
    else if (char === '[') depth++
    else if (char === ']' && --depth === 0) return i
  }
  throw new SyntaxError('unterminated array')
}

const quoted = /^(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")$/

function bracketStep(inner: string): Step {
  if (inner === '*') return { kind: 'all' }
  const [, condition] = /^\?\((.*)\)$/.exec(inner) ?? []
  if (condition !== undefined) return filterStep(condition)
  const [slice, start = '', end = '', step = ''] = /^(-?\d*):(-?\d*)(?::(-?\d*))?$/.exec(inner) ?? []
  if (slice !== undefined) {
    const number = (digits: string) => (digits === '' ? undefined : Number(digits))
    return { kind: 'slice', start: number(start), end: number(end), step: number(step) ?? 1 }
  }
  const parts = inner.split(/,(?=(?:[^'"]|'[^']*'|"[^"]*")*$)/).map((part) => part.trim())
  if (parts.every((part) => /^-?\d+$/.test(part))) return { kind: 'index', indices: parts.map(Number) }
  const names = parts.map((part) => {
    const [whole, single, double] = quoted.exec(part) ?? []
    if (whole === undefined) throw new SyntaxError(`invalid array index ${part}`)
    return unescaped(single ?? double ?? '')
  })
  return { kind: 'member', names }
}

function filterStep(condition: string): Step {
  const [, left = '', operator = '', right = ''] =
    /^((?:[^=!<>"']|"[^"]*"|'[^']*')+?)\s*(==|!=|>=|<=|>|<)\s*(.+)$/.exec(condition.trim()) ?? []
  if (operator === '') return { kind: 'filter', left: operand(condition.trim()), operator: 'exists', right: undefined }
  return { kind: 'filter', left: operand(left.trim()), operator, right: operand(right.trim()) }
}

function operand(text: string): Operand {
  if (text.startsWith('@')) return { path: parseJsonPath(text.slice(1)) }
  const [whole, single, double] = quoted.exec(text) ?? []
  if (whole !== undefined) return { literal: unescaped(single ?? double ?? '') }
  if (text === 'true' || text === 'false') return { literal: text === 'true' }
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return { literal: Number(text) }
  throw new SyntaxError(`unrecognized character in filter: ${text}`)
}

function follow(step: Step, value: unknown): unknown[] {
  switch (step.kind) {
    case 'member':
      return step.names.flatMap((name) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []))
    case 'all':
      return membersOf(value)
    case 'deep':
      return deepMembers(step.name, value)
    case 'index':
      return Array.isArray(value) ? step.indices.flatMap((i) => (value.at(i) === undefined ? [] : [value.at(i)])) : []
    case 'slice':
      if (!Array.isArray(value)) return []
      return value.slice(step.start, step.end).filter((_, i) => i % step.step === 0)
    default:
      return membersOf(value).filter((item) => holds(step, item))
  }
}

function membersOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  return isObject(value) ? Object.values(value) : []
}

function deepMembers(name: string, value: unknown): unknown[] {
  const here = isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []
  return [...here, ...membersOf(value).flatMap((item) => deepMembers(name, item))]
}

function holds({ left, operator, right }: Extract<Step, { kind: 'filter' }>, item: unknown): boolean {
  const [a, ...more] = valuesOf(left, item)
  if (operator === 'exists') return a !== undefined
  const [b] = right ? valuesOf(right, item) : []
  if (a === undefined || b === undefined || more.length > 0) return false
  if (operator === '==') return isDeepStrictEqual(a, b)
  if (operator === '!=') return !isDeepStrictEqual(a, b)
  if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) return false
  const order = a < (b as typeof a) ? -1 : Number(a > (b as typeof a))
  return { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[operator] ?? false
}

function valuesOf(operand: Operand, item: unknown): unknown[] {
  return 'path' in operand ? findByPath(operand.path, item) : [operand.literal]
}
