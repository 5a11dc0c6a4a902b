/**
 * Strings: what cel-go's extension (version 2) has beyond the CEL library's own split, join, substring, trim …, and
 * Kubernetes' regex library. Follows cel-go/ext/strings.go and k8s.io/apiserver/pkg/cel/library/regex.go.
 */

import { CelError } from '../cel-error.ts'
import { fromCelValue } from '../cel-values.ts'
import { spend } from '../cost-budget.ts'
import { linearRegex, matchesRegex } from '../linear-regex.ts'
import { type Library, registerFunctions, registerNamespace } from './library.ts'

export function registerStrings(library: Library): void {
  registerFunctions(library, {
    'string.charAt(int): string': (value: string, index: bigint) => {
      if (index < 0n || index > BigInt(value.length)) throw new CelError(`index out of range: ${index}`)
      return value.charAt(Number(index))
    },
    'string.replace(string, string): string': (value: string, old: string, by: string) => replaced(value, old, by, -1),
    'string.replace(string, string, int): string': (value: string, old: string, by: string, limit: bigint) =>
      replaced(value, old, by, Number(limit)),
    'string.format(list): string': (format: string, values: unknown[]) => formatted(format, values),
    'string.find(string): string': (value: string, regex: string) => linearRegex(regex).exec(value)?.[0] ?? '',
    'string.findAll(string): list<string>': (value: string, regex: string) => found(value, regex, -1),
    'string.findAll(string, int): list<string>': (value: string, regex: string, limit: bigint) =>
      found(value, regex, Number(limit)),
    'matches(string, string): bool': (value: string, regex: string) => matchesRegex(value, regex),
  })
  registerNamespace(library, 'strings', { 'quote(string): string': (value: string) => JSON.stringify(value) })
}

function found(value: string, regex: string, limit: number): string[] {
  const all = value.match(linearRegex(regex)) ?? []
  return limit < 0 ? [...all] : all.slice(0, limit)
}

function replaced(value: string, old: string, by: string, limit: number): string {
  const parts = value.split(old)
  const count = limit < 0 ? parts.length + 1 : limit
  // An empty text is found before every character, so the result can be far longer than what went in.
  spend((Math.min(count, parts.length + 1) * by.length) / 5)
  if (old === '') {
    const chars = Array.from(value)
    return [...chars.map((char, i) => (i < count ? by + char : char)), chars.length < count ? by : ''].join('')
  }
  if (parts.length - 1 <= count) return parts.join(by)
  return [parts.slice(0, count + 1).join(by), ...parts.slice(count + 1)].join(old)
}

const maxPrecision = 100

function formatted(format: string, values: unknown[]): string {
  let next = 0
  return format.replace(/%(?:\.(\d+))?(.)?/g, (_, precision: string | undefined, verb: string | undefined) => {
    if (verb === '%') return '%'
    if (verb === undefined) throw new CelError('unexpected end of format string')
    if (next >= values.length) throw new CelError(`index ${next} out of range`)
    const digits = Math.min(Number(precision ?? 6), maxPrecision)
    return formatOne(verb, values[next++], digits)
  })
}

function formatOne(verb: string, value: unknown, digits: number): string {
  const isWhole = typeof value === 'bigint' || typeof value === 'object'
  switch (verb) {
    case 's':
      return textOf(value)
    case 'd':
      return String(value)
    case 'f':
      return Number(value).toFixed(digits)
    case 'e':
      return Number(value)
        .toExponential(digits)
        .replace(/e([+-])(\d)$/, 'e$10$2')
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : BigInt(String(value)).toString(2)
    case 'o':
      return BigInt(String(value)).toString(8)
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'string' || value instanceof Uint8Array
          ? Buffer.from(value).toString('hex')
          : isWhole
            ? BigInt(String(value)).toString(16)
            : ''
      return verb === 'X' ? hex.toUpperCase() : hex
    }
    default:
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`)
  }
}

/** As `%s` shows values: lists and maps in CEL's own notation. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || typeof value !== 'object') return String(value)
  if (value instanceof Date) return timestampText(value)
  if (Array.isArray(value)) return `[${value.map(textOf).join(', ')}]`
  const plain = fromCelValue(value)
  if (typeof plain !== 'object' || plain === null) return String(plain)
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value)
  return `{${entries
    .map(([key, entry]) => `${textOf(key)}: ${textOf(entry)}`)
    .sort()
    .join(', ')}}`
}

/** RFC 3339 without zeros at the end of a second. */
export function timestampText(date: Date): string {
  return date.toISOString().replace(/\.?0*Z$/, 'Z')
}
