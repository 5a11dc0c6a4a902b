/**
 * Brings a custom resource into the form of its schema, as conform.ts does for the types of Go: unknown fields are
 * dropped and named, nulls that mean nothing are dropped, and metadata – its own and that of resources embedded in it –
 * gets the form of an ObjectMeta. Wrong types stay: they are for validate.ts to find.
 *
 * Callers may rely on: the input is not changed, and nothing of it is shared with what comes back except where unknown
 * fields are preserved. Follows apiextensions-apiserver's pkg/apiserver/schema/{pruning,objectmeta} and
 * defaulting/prunenulls.go.
 */

import { fieldErrorMessage, invalid } from '@dinghy/shared/api/field-errors'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import { conform, ShapeError, type Conformed } from '../shape/conform.ts'
import { isObject, setOwn, type JsonObject } from '../shape/json.ts'
import { isKnownMember, itemsOf, memberOf, metaFields, type ResourceSchema } from './resource-schema.ts'

interface Walk {
  /** Where ObjectMeta is found. */
  types: TypeSource
  unknownFields: string[]
}

export function conformResource(value: unknown, schema: ResourceSchema, types: TypeSource): Conformed {
  if (!isObject(value)) throw new ShapeError(`expected an object, found ${JSON.stringify(value)}`)
  const walk: Walk = { types, unknownFields: [] }
  const { metadata } = value
  const object = prunedObject(value, schema, '', walk, metaFields)
  if (metadata !== undefined && metadata !== null) object['metadata'] = conformMeta(metadata, 'metadata', walk)
  else delete object['metadata']
  return { object, unknownFields: walk.unknownFields.map((path) => `unknown field ${JSON.stringify(path)}`) }
}

/** The same for an object that the server itself has stored, whose metadata is as it should be. */
export function prunedResource(object: object, schema: ResourceSchema, types: TypeSource): object {
  return prunedObject(object as JsonObject, schema, '', { types, unknownFields: [] }, metaFields)
}

/** A value of a schema – a default – without what the schema does not know. */
export function pruned(value: unknown, schema: ResourceSchema, types: TypeSource): unknown {
  return prunedValue(value, schema, preserves(schema), '', { types, unknownFields: [] })
}

function preserves(schema: ResourceSchema | undefined): boolean {
  return schema?.['x-kubernetes-preserve-unknown-fields'] ?? false
}

/** `keeps`: unknown fields stay, because this schema or that of the list around it says so. */
function prunedValue(
  value: unknown,
  schema: ResourceSchema | undefined,
  keeps: boolean,
  at: string,
  walk: Walk,
): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    if (keeps && !items) return value
    return value.map((item, i) => prunedValue(item, items, keeps || preserves(items), `${at}[${i}]`, walk))
  }
  if (!isObject(value)) return value
  if (keeps && !schema) return value
  const effective = keeps ? { ...schema, 'x-kubernetes-preserve-unknown-fields': true } : schema
  return prunedObject(value, effective, at, walk)
}

function prunedObject(
  value: JsonObject,
  schema: ResourceSchema | undefined,
  at: string,
  walk: Walk,
  skipped?: ReadonlySet<string>,
): JsonObject {
  const isResource = schema?.['x-kubernetes-embedded-resource'] ?? false
  const result: JsonObject = {}
  for (const [key, item] of Object.entries(value)) {
    const here = at === '' ? key : `${at}.${key}`
    if (skipped?.has(key)) setOwn(result, key, item)
    else if (isResource && metaFields.has(key)) setOwn(result, key, conformEmbedded(key, item, here, walk))
    else if (isKnownMember(schema, key)) {
      const member = memberOf(schema, key)
      if (item === null && member && !member.nullable && member.default === undefined) continue
      setOwn(result, key, prunedValue(item, member, preserves(member), here, walk))
    } else if (preserves(schema)) setOwn(result, key, item)
    else walk.unknownFields.push(here)
  }
  return result
}

function conformEmbedded(key: string, value: unknown, at: string, walk: Walk): unknown {
  if (key === 'metadata') {
    if (value === null) return {}
    try {
      return conformMeta(value, at, walk)
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      throw new ShapeError(fieldErrorMessage(invalid(at, value, error.message)))
    }
  }
  if (typeof value === 'string') return value
  throw new ShapeError(fieldErrorMessage(invalid(at, value, 'must be a string')))
}

function conformMeta(value: unknown, at: string, { types, unknownFields }: Walk): JsonObject {
  const conformed = conform(value, 'meta.v1.ObjectMeta', types)
  for (const message of conformed.unknownFields) {
    const [, path = ''] = /^unknown field "(.*)"$/.exec(message) ?? []
    unknownFields.push(`${at}.${path}`)
  }
  return conformed.object
}

/** A copy of the schema whose defaults hold only what the schema knows, so that filling them in needs no pruning. */
export function withPrunedDefaults(schema: ResourceSchema, types: TypeSource): ResourceSchema {
  const copy: ResourceSchema = { ...schema }
  if (schema.default !== undefined) copy.default = pruned(schema.default, schema, types) as object
  const items = itemsOf(schema)
  if (items) copy.items = withPrunedDefaults(items, types)
  if (typeof schema.additionalProperties === 'object') {
    copy.additionalProperties = withPrunedDefaults(schema.additionalProperties, types)
  }
  if (schema.properties) {
    const properties = Object.entries(schema.properties)
    copy.properties = Object.fromEntries(properties.map(([name, one]) => [name, withPrunedDefaults(one, types)]))
  }
  return copy
}
