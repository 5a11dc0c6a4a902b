/**
 * Lists that are sets or maps: no member twice. Follows apiextensions-apiserver's
 * pkg/apiserver/schema/listtype/validation.go.
 */

import { duplicate, invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import { isObject } from '../shape/json.ts'
import { itemsOf, memberOf, type ResourceSchema } from './resource-schema.ts'

export function validateListTypes(value: unknown, schema: ResourceSchema | undefined, path = ''): FieldError[] {
  if (!schema) return []
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    return [
      ...validateList(value, schema, path),
      ...value.flatMap((item, i) => validateListTypes(item, items, `${path}[${i}]`)),
    ]
  }
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, item]) => {
    const at = Object.hasOwn(schema.properties ?? {}, name) ? child(path, name) : `${path}[${name}]`
    return validateListTypes(item, memberOf(schema, name), at)
  })
}

function child(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function validateList(list: unknown[], schema: ResourceSchema, path: string): FieldError[] {
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return repeated(list).map((i) => duplicate(`${path}[${i}]`, list[i]))
    case 'map':
      return validateMap(list, schema['x-kubernetes-list-map-keys'] ?? [], path)
    default:
      return []
  }
}

function validateMap(list: unknown[], names: string[], path: string): FieldError[] {
  const stranger = list.findIndex((item) => item !== null && !isObject(item))
  if (stranger !== -1) {
    return [invalid(`${path}[${stranger}]`, list[stranger], 'must be an object for an array of list-type map')]
  }
  const keys = list.map((item) => keyOf(item, names))
  return repeated(keys).map((i) => duplicate(`${path}[${i}]`, keys[i]))
}

function keyOf(item: unknown, names: string[]): object {
  if (!isObject(item)) return {}
  return Object.fromEntries(names.filter((name) => Object.hasOwn(item, name)).map((name) => [name, item[name]]))
}

/** The places at which a value is met for the second time. */
function repeated(values: unknown[]): number[] {
  const times = new Map<string, number>()
  return values.flatMap((value, i) => {
    const text = canonical(value)
    const seen = (times.get(text) ?? 0) + 1
    times.set(text, seen)
    return seen === 2 ? [i] : []
  })
}

/** The same text for values that differ only in the order of their members. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    isObject(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  )
}
