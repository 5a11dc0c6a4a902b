/**
 * Fills in what Kubernetes writes even when nobody set it: objects that are no pointers in Go (`status: {}`,
 * `resources: {}`), and fields without `omitempty` (`attached: false`, `replicas: 0`). Which these are is told by the
 * data file. Clients with strict types, Python's for one, refuse an object that lacks them.
 *
 * Callers may rely on: what was there stays as it was; afterwards every object on the way down has all of its
 * alwaysWritten fields. It runs after a kind's own defaults, because a zero that is filled in is no wish of anybody.
 *
 * Where it differs: a list that nobody set is `null` in Go's JSON and `[]` here, because our own readers and Python's
 * need no second case; a time that nobody set is left out where Go writes `null`.
 */

import { isObject, setOwn, type JsonObject } from './json.ts'
import type { TypeRef, TypeSource } from '@dinghy/shared/schema/type-shape'

/** Changes the object. */
export function fillAlwaysWritten(object: object, typeName: string, types: TypeSource): void {
  fillObject(object as JsonObject, typeName, types)
}

function fillObject(object: JsonObject, typeName: string, types: TypeSource): void {
  for (const field of types.type(typeName)?.fields.values() ?? []) {
    if (field.alwaysWritten && object[field.name] === undefined) {
      const empty = emptyOf(field.type)
      if (empty !== undefined) setOwn(object, field.name, empty)
    }
    if (Object.hasOwn(object, field.name)) fillValue(object[field.name], field.type, types)
  }
}

function fillValue(value: unknown, type: TypeRef, types: TypeSource): void {
  if (type.kind === 'object') {
    if (isObject(value)) fillObject(value, type.type, types)
  } else if (type.kind === 'list') {
    if (Array.isArray(value)) for (const item of value) fillValue(item, type.of, types)
  } else if (type.kind === 'map') {
    if (isObject(value)) for (const item of Object.values(value)) fillValue(item, type.of, types)
  }
}

/** Undefined where Go would write null. */
function emptyOf(type: TypeRef): unknown {
  if (type.kind === 'list') return []
  if (type.kind !== 'scalar') return {}
  switch (type.scalar) {
    case 'string':
      return ''
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0
    case 'bool':
      return false
    case 'quantity':
      return '0'
    default:
      return undefined
  }
}
