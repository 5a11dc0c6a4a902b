/**
 * Reading values out of a parsed YAML document: each reader checks the shape, and names the place when it is wrong.
 * Pure.
 */

import { ComposeError } from '../compose-error.ts'

export type Tree = Record<string, unknown>

/** Stands where a value was tagged `!override` or `!reset`: it takes the place of what it would be merged into. */
export class Replacement {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Replacement)
}

export function treeOf(value: unknown, at: string): Tree {
  if (value === undefined || value === null) return {}
  if (!isTree(value)) throw new ComposeError(`${at} must be a mapping`)
  return value
}

export function listOf(value: unknown, at: string): unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new ComposeError(`${at} must be a list`)
  return value
}

export function textOf(value: unknown, at: string): string {
  if (typeof value === 'object') throw new ComposeError(`${at} must be a string, number, boolean or null`)
  return String(value)
}

export function numberOf(value: unknown, at: string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || Number.isNaN(number)) throw new ComposeError(`${at} must be a number`)
  return number
}

/** An interpolated variable is text, so `"true"` counts as well. */
export function booleanOf(value: unknown, at: string): boolean {
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw new ComposeError(`${at} must be a boolean`)
}

export function textsOf(value: unknown, at: string): string[] {
  return listOf(value, at).map((item) => textOf(item, at))
}

/** A list, or one value that stands for a list of it. */
export function oneOrMore(value: unknown, at: string): string[] {
  return value === undefined || value === null || Array.isArray(value) ? textsOf(value, at) : [textOf(value, at)]
}

/** `NAME=value` items or a mapping; a name alone, and null, are null. */
export function mappingOf(value: unknown, at: string): Record<string, string | null> {
  const entries = Object.entries(Array.isArray(value) ? listToMapping(value) : treeOf(value, at))
  return Object.fromEntries(entries.map(([key, item]) => [key, item === null ? null : textOf(item, `${at}.${key}`)]))
}

/** The same where a name alone is an empty value, as in labels. */
export function textMappingOf(value: unknown, at: string): Record<string, string> {
  return Object.fromEntries(Object.entries(mappingOf(value, at)).map(([key, text]) => [key, text ?? '']))
}

/** `["A=1", "B"]` → `{ A: "1", B: null }`. */
export function listToMapping(list: unknown[]): Record<string, string | null> {
  return Object.fromEntries(
    list.map((item) => {
      const text = String(item)
      const equals = text.indexOf('=')
      return equals < 0 ? [text, null] : [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}

/** `{ [key]: convert(value) }`, or nothing when there is no value: an absent field stays absent. */
export function optional<K extends string, V, R>(
  key: K,
  value: V,
  convert: (value: NonNullable<V>) => R,
): { [P in K]?: R } {
  return value === undefined || value === null ? {} : ({ [key]: convert(value) } as { [P in K]?: R })
}

/** Throws at the first field that `known` does not name; `x-` fields are everybody's own. */
export function checkFields(tree: Tree, known: readonly string[], at: string): void {
  for (const field of Object.keys(tree)) {
    if (!known.includes(field) && !field.startsWith('x-'))
      throw new ComposeError(`validating ${at}: additional properties '${field}' not allowed`)
  }
}

/** Throws at the first of the fields that are known, and not supported: leaving one out would change what is made. */
export function refuseFields(tree: Tree, fields: readonly string[], at: string): void {
  const lost = fields.find((field) => tree[field] !== undefined)
  if (lost !== undefined) throw new ComposeError(`${at}.${lost} is not supported by this compose`)
}

/** "a b c" → ["a", "b", "c"]. */
export function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
