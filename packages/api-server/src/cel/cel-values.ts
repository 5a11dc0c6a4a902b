/**
 * Values on their way into expressions and out of them. In: whole numbers of JSON are `int` (a BigInt), others
 * `double`; objects become Maps, since a key such as "__proto__" is only a key there. Out: the other way round, for
 * whoever wants JSON. Equality is CEL's: numbers by what they amount to, maps whatever the order of their keys.
 */

import { spend } from './cost-budget.ts'
import { type CelType, escapeFieldName } from './cel-type.ts'

/** A value that expressions can compare, made by one of our libraries. */
export interface Comparable {
  equals(other: unknown): boolean
}

export type FromDurationText = (text: string) => unknown

/** `type` says what text stands for a time, and which names have to be escaped; without one, JSON is taken as it is. */
export function toCelValue(value: unknown, type: CelType | undefined, toDuration: FromDurationText): unknown {
  if (typeof value === 'number') return type?.kind === 'double' || !Number.isInteger(value) ? value : BigInt(value)
  if (typeof value === 'string') return textToCel(value, type, toDuration)
  if (value === null || typeof value !== 'object') return value ?? null
  if (Array.isArray(value)) {
    const of = type?.kind === 'list' ? type.of : undefined
    return value.map((element) => toCelValue(element, of, toDuration))
  }
  const map = new Map<string, unknown>()
  if (type?.kind === 'object') {
    for (const [name, fieldType] of Object.entries(type.fields)) {
      const escaped = escapeFieldName(name)
      if (escaped === undefined || !Object.hasOwn(value, name)) continue
      map.set(escaped, toCelValue((value as Record<string, unknown>)[name], fieldType, toDuration))
    }
    return map
  }
  const of = type?.kind === 'map' ? type.of : undefined
  for (const [key, entry] of Object.entries(value)) {
    if (entry !== undefined) map.set(key, toCelValue(entry, of, toDuration))
  }
  return map
}

function textToCel(value: string, type: CelType | undefined, toDuration: FromDurationText): unknown {
  switch (type?.kind) {
    case 'timestamp': {
      // Upstream leaves a date that is none to the validation of formats, and so does this.
      const date = new Date(value)
      return Number.isNaN(date.getTime()) ? value : date
    }
    case 'duration':
      return toDuration(value)
    case 'bytes':
      return new Uint8Array(Buffer.from(value, 'base64'))
    default:
      return value
  }
}

/** As JSON has it; a value that only CEL knows becomes its text. */
export function fromCelValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(fromCelValue)
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, entry]) => [String(key), fromCelValue(entry)]))
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Date) return value.toISOString()
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fromCelValue(entry)]))
  }
  return String(value)
}

/** Spends for each pair that it looks at. */
export function celEquals(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (isNumber(a) && isNumber(b)) return a == b // oxlint-disable-line eqeqeq -- 1 and 1n are equal in CEL
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    spend(a.length / 10)
    return a.every((element, i) => celEquals(element, b[i]))
  }
  if (isMapLike(a)) {
    if (!isMapLike(b)) return false
    const entries = entriesOf(a)
    if (entries.length !== entriesOf(b).length) return false
    spend(entries.length / 10)
    return entries.every(([key, value]) => {
      const other = lookUp(b, key)
      return other !== undefined && celEquals(value, other)
    })
  }
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if ('equals' in a && typeof a.equals === 'function') return (a as Comparable).equals(b)
  // Times, durations and unsigned numbers of the library.
  if (a.constructor !== b.constructor) return numberOf(a) !== undefined && numberOf(a) === numberOf(b)
  if ('hasValue' in a) return optionalsEqual(a as OptionalValue, b as OptionalValue)
  return a.valueOf() === b.valueOf()
}

interface OptionalValue {
  hasValue(): boolean
  value(): unknown
}

function optionalsEqual(a: OptionalValue, b: OptionalValue): boolean {
  return a.hasValue() === b.hasValue() && (!a.hasValue() || celEquals(a.value(), b.value()))
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint' || numberOf(value) !== undefined
}

/** An unsigned number is an object of the library's. */
function numberOf(value: unknown): bigint | undefined {
  const plain: unknown = typeof value === 'object' && value !== null ? value.valueOf() : undefined
  return typeof plain === 'bigint' ? plain : undefined
}

/** Maps come from JSON, plain objects from literals in expressions. */
export function isMapLike(value: unknown): value is Map<unknown, unknown> | Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof Map) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

export function entriesOf(map: Map<unknown, unknown> | Record<string, unknown>): [unknown, unknown][] {
  return map instanceof Map ? [...map] : Object.entries(map)
}

function lookUp(map: Map<unknown, unknown> | Record<string, unknown>, key: unknown): unknown {
  if (map instanceof Map) return map.get(key)
  return Object.hasOwn(map, String(key)) ? map[String(key)] : undefined
}
