/**
 * Variable interpolation in compose files, as the Compose specification has it. Pure.
 *
 *   $VAR ${VAR}      the value, or nothing (with a warning) when it is not set
 *   ${VAR-x} ${VAR:-x}   x when not set / when not set or empty; x is interpolated itself
 *   ${VAR?m} ${VAR:?m}   an error with message m in the same cases
 *   ${VAR+x} ${VAR:+x}   x when set / when set and not empty, else nothing
 *   $$               a dollar
 */

import { Replacement } from './tree.ts'

export type Environment = Record<string, string | undefined>

export class InterpolationError extends Error {}

interface Interpolation {
  env: Environment
  /** Called once for each variable that is used but not set. */
  warn: (message: string) => void
}

/** Interpolates every string of a parsed document, leaving its keys alone. `path` names the place in errors. */
export function interpolateTree(value: unknown, context: Interpolation, path: string[] = []): unknown {
  if (typeof value === 'string') {
    try {
      return interpolate(value, context)
    } catch (error) {
      if (!(error instanceof InterpolationError) || path.length === 0) throw error
      throw new InterpolationError(`error while interpolating ${path.join('.')}: ${error.message}`, { cause: error })
    }
  }
  if (Array.isArray(value)) return value.map((item, i) => interpolateTree(item, context, [...path, `[${i}]`]))
  if (value instanceof Replacement) return new Replacement(interpolateTree(value.value, context, path))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, interpolateTree(child, context, [...path, key])]),
  )
}

export function interpolate(text: string, context: Interpolation): string {
  let result = ''
  for (let i = 0; i < text.length;) {
    if (text[i] !== '$') {
      result += text[i++]
      continue
    }
    if (text[i + 1] === '$') {
      result += '$'
      i += 2
    } else if (text[i + 1] === '{') {
      const end = closingBrace(text, i + 1)
      if (end < 0) throw invalid(text)
      result += braced(text.slice(i + 2, end), text, context)
      i = end + 1
    } else {
      const name = /^[A-Za-z_]\w*/.exec(text.slice(i + 1))?.[0]
      if (!name) throw invalid(text)
      result += valueOf(name, context)
      i += 1 + name.length
    }
  }
  return result
}

function braced(inner: string, whole: string, context: Interpolation): string {
  const [, name, operator, operand = ''] = /^([A-Za-z_]\w*)(?:(:?[-?+])([\s\S]*))?$/.exec(inner) ?? []
  if (name === undefined) throw invalid(whole)
  const value = context.env[name]
  const counts = operator?.startsWith(':') ? value !== undefined && value !== '' : value !== undefined
  switch (operator?.at(-1)) {
    case '-':
      return counts ? (value ?? '') : interpolate(operand, context)
    case '+':
      return counts ? interpolate(operand, context) : ''
    case '?':
      if (counts) return value ?? ''
      throw new InterpolationError(
        `required variable ${name} is missing a value${operand ? `: ${interpolate(operand, context)}` : ''}`,
      )
    default:
      return valueOf(name, context)
  }
}

function valueOf(name: string, { env, warn }: Interpolation): string {
  const value = env[name]
  if (value === undefined) warn(`The "${name}" variable is not set. Defaulting to a blank string.`)
  return value ?? ''
}

/** The index of the brace that closes the one at `open`; nested ${…} count. -1 when there is none. */
function closingBrace(text: string, open: number): number {
  let depth = 0
  for (let i = open; i < text.length; i++) {
    if (text[i] === '{' && text[i - 1] === '$') depth++
    else if (text[i] === '}' && --depth === 0) return i
  }
  return -1
}

function invalid(text: string): InterpolationError {
  return new InterpolationError(`invalid interpolation format: "${text}"; you may need to escape any $ with another $`)
}
