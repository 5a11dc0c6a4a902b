/**
 * Paths that name a field of a schema: `.spec.replicas`, `.metadata['a.b']`. They say which field breaks a rule, and
 * which can be selected by. Follows ValidFieldPath of apiextensions-apiserver's pkg/apiserver/schema/cel.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import type { ResourceSchema } from './resource-schema.ts'

export interface FieldPath {
  /** As errors name it: "spec.replicas", "spec.map[key]". */
  path: string
  schema: ResourceSchema
}

/** What the path leads to, or, as text, why it leads nowhere. */
export function resolveFieldPath(text: string, schema: ResourceSchema, allowBrackets = true): FieldPath | string {
  let here: ResourceSchema | undefined = schema
  let path = ''
  const tokens = text.match(/'(?:\\.|[^'\\])*'|[.[\]]|[^.[\]']+/g) ?? []
  for (let i = 0; i < tokens.length;) {
    const token = tokens[i++] ?? ''
    let name: string | undefined
    if (token === '.') name = tokens[i++]
    else if (token !== '[') return `expected [ or . but got: ${token}`
    else if (!allowBrackets) return 'array notation is not allowed'
    else {
      const quoted = tokens[i++]
      if (quoted !== undefined && !/^'.*'$/s.test(quoted)) return `expected single quoted string but got ${quoted}`
      name = quoted === undefined ? undefined : unescapeQuoted(quoted.slice(1, -1))
      const closing = tokens[i++]
      if (name !== undefined && closing !== ']') {
        return closing === undefined ? 'unexpected end of JSON path' : `expected ] but got ${closing}`
      }
    }
    if (name === undefined) return 'unexpected end of JSON path'
    const isProperty: boolean = here?.properties !== undefined
    here = isProperty ? ownValue(here?.properties, name) : othersOf(here)
    if (!here) return 'does not refer to a valid field'
    path += isProperty ? (path === '' ? name : `.${name}`) : `[${name}]`
  }
  return { path, schema: here }
}

function othersOf(schema: ResourceSchema | undefined): ResourceSchema | undefined {
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined
}

const escapes: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

function unescapeQuoted(text: string): string {
  return text.replace(/\\(.)/gs, (_, char: string) => escapes[char] ?? char)
}
