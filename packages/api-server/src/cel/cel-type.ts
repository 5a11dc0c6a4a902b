/**
 * What is known of a variable before it has a value, so that an expression about it can be checked when it is
 * written: the field it misspells, the number it compares with a word. `dyn` is "anything", and is checked when it is
 * evaluated.
 *
 * Field names are those of JSON; CEL has no names such as "my-field" or "namespace", so expressions write them as
 * `escapeFieldName` gives them (`my__dash__field`, `__namespace__`). Follows
 * k8s.io/apiserver/pkg/cel/{types,escaping}.go.
 */

export type ScalarKind = 'dyn' | 'bool' | 'int' | 'double' | 'string' | 'bytes' | 'timestamp' | 'duration' | 'null'

/** Types of Kubernetes' own libraries; only a value made by them has one. */
export type LibraryKind = 'kubernetes.authorization.Authorizer' | 'kubernetes.authorization.ResourceCheck'

export type CelType = { kind: ScalarKind | LibraryKind; maxSize?: number } | ListType | MapType | ObjectType

export interface ListType {
  kind: 'list'
  of: CelType
  /** The most elements (of a map: entries; of text: characters) it can have, for the estimate of what a rule costs. */
  maxSize?: number
}

export interface MapType {
  kind: 'map'
  of: CelType
  maxSize?: number
}

export interface ObjectType {
  kind: 'object'
  fields: Record<string, CelType>
}

export const dyn: CelType = { kind: 'dyn' }
export const text: CelType = { kind: 'string' }

export function listOf(of: CelType, maxSize?: number): CelType {
  return { kind: 'list', of, ...(maxSize !== undefined ? { maxSize } : {}) }
}

export function mapOf(of: CelType, maxSize?: number): CelType {
  return { kind: 'map', of, ...(maxSize !== undefined ? { maxSize } : {}) }
}

export function objectOf(fields: Record<string, CelType>): CelType {
  return { kind: 'object', fields }
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
)
const escapes: Record<string, string> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' }

/** The field's name in expressions, or undefined if they cannot name it at all. */
export function escapeFieldName(name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(name)) return undefined
  const escaped = name.replace(/__|[./-]/g, (found) => escapes[found] ?? found)
  // A name that begins with an escaped sign is one still, as upstream has it ("-x" → "__dash__x").
  return escaped
}
