/**
 * Defaulting of custom resources: what is missing, or null without leave to be so, becomes the schema's default.
 * Follows apiextensions-apiserver's pkg/apiserver/schema/defaulting/algorithm.go.
 */

import { isObject, setOwn } from '../shape/json.ts'
import { itemsOf, memberOf, type ResourceSchema } from './resource-schema.ts'

/** Changes the value, in which members without a default that must not be null are none (prune.ts). */
export function fillDefaults(value: unknown, schema: ResourceSchema | undefined): void {
  if (!schema) return
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    for (const [i, item] of value.entries()) {
      if (isLacking(item, items)) value[i] = defaultOf(items)
      fillDefaults(value[i], items)
    }
    return
  }
  if (!isObject(value)) return
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined) continue
    if (!Object.hasOwn(value, name) || isLacking(value[name], property)) setOwn(value, name, defaultOf(property))
  }
  for (const name of Object.keys(value)) {
    const member = memberOf(schema, name)
    if (isLacking(value[name], member)) setOwn(value, name, defaultOf(member))
    fillDefaults(value[name], member)
  }
}

function isLacking(value: unknown, schema: ResourceSchema | undefined): boolean {
  return value === null && schema !== undefined && !schema.nullable
}

function defaultOf(schema: ResourceSchema | undefined): unknown {
  return structuredClone(schema?.default ?? null)
}
