/**
 * Structural schemas: every field has one type, said in one place, so that unknown fields can be dropped and defaults
 * filled in without asking which branch of an anyOf applies. Follows apiextensions-apiserver's
 * pkg/apiserver/schema/{validation,complete}.go; errors come sorted, as there.
 */

import { isDeepStrictEqual } from 'node:util'
import { fieldErrorMessage, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { itemsOf, type ResourceSchema } from '../../structural/resource-schema.ts'
import { without } from './checks.ts'

type Level = 'root' | 'item' | 'field'

export function validateStructure(schema: ResourceSchema, path: string): FieldError[] {
  const errors = [...validateInvariants(schema, 'root', path), ...validateCompleteness(schema, schema, path, path)]
  const keyed = errors.map((error) => ({ error, message: fieldErrorMessage(error) }))
  keyed.sort((a, b) => (a.message < b.message ? -1 : Number(a.message > b.message)))
  return keyed.map(({ error }) => error)
}

const missingType: Record<Level, string> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

function validateInvariants(schema: ResourceSchema, level: Level, path: string): FieldError[] {
  const { type, properties = {}, additionalProperties } = schema
  const items = itemsOf(schema)
  const errors: FieldError[] = []
  if (type === 'array' && !schema.items) errors.push(required(`${path}.items`, 'must be specified'))
  if (items) errors.push(...validateInvariants(items, 'item', `${path}.items`))
  for (const [name, property] of Object.entries(properties)) {
    errors.push(...validateInvariants(property, 'field', `${path}.properties[${name}]`))
  }
  if (additionalProperties !== undefined && level === 'root') {
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used at the root'))
  }
  if (typeof additionalProperties === 'object') {
    errors.push(...validateInvariants(additionalProperties, 'field', `${path}.additionalProperties`))
  }
  errors.push(...validateType(schema, level, path))
  errors.push(...validateJunctors(schema, path, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf)))
  return [...errors, ...validateMeta(schema, level, path)]
}

function validateType(schema: ResourceSchema, level: Level, path: string): FieldError[] {
  const { type } = schema
  const isEmbedded = schema['x-kubernetes-embedded-resource'] ?? false
  const isPreserving = schema['x-kubernetes-preserve-unknown-fields'] ?? false
  const isNumberOrText = schema['x-kubernetes-int-or-string'] ?? false
  const errors: FieldError[] = []
  const contradiction = 'must be false if x-kubernetes-int-or-string is true'
  if (isNumberOrText && isPreserving) {
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, contradiction))
  }
  if (isNumberOrText && isEmbedded) {
    errors.push(invalid(`${path}.x-kubernetes-embedded-resource`, true, contradiction))
  }
  if (isEmbedded && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true'
    errors.push(type ? invalid(`${path}.type`, type, detail) : required(`${path}.type`, detail))
  } else if (!type && !isNumberOrText && !isPreserving) errors.push(required(`${path}.type`, missingType[level]))
  if (isEmbedded && schema.additionalProperties !== undefined) {
    const detail = 'must not be used if x-kubernetes-embedded-resource is set'
    errors.push(forbidden(`${path}.additionalProperties`, detail))
  }
  if (level === 'root' && type && type !== 'object') {
    errors.push(invalid(`${path}.type`, type, 'must be object at the root'))
  }
  return errors
}

/** apiVersion, kind and metadata are what they are everywhere; a schema may only say more of names. */
function validateMeta(schema: ResourceSchema, level: Level, path: string): FieldError[] {
  const properties = new Map(Object.entries(schema.properties ?? {}))
  const isEmbedded = schema['x-kubernetes-embedded-resource'] ?? false
  const isResource = level === 'root' || isEmbedded
  const errors: FieldError[] = []
  for (const name of isResource ? ['kind', 'apiVersion'] : []) {
    const property = properties.get(name)
    if (!property || property.type === 'string') continue
    errors.push(invalid(`${path}.properties[${name}].type`, property.type ?? '', 'must be string'))
  }
  const metadata = properties.get('metadata')
  const at = `${path}.properties[metadata]`
  if (metadata && isResource && metadata.type !== 'object') {
    errors.push(invalid(`${at}.type`, metadata.type ?? '', 'must be object'))
  }
  if (metadata && level === 'root') {
    const names = Object.keys(metadata.properties ?? {})
    const onlyNames = names.every((name) => name === 'name' || name === 'generateName')
    if (!onlyNames || Object.keys(without(metadata, 'type', 'properties', 'default')).length > 0) {
      const detail = 'must not specify anything other than name and generateName, but metadata is implicitly specified'
      errors.push(forbidden(at, detail))
    }
  }
  if (isEmbedded && !schema['x-kubernetes-preserve-unknown-fields'] && properties.size === 0) {
    const detail =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields'
    errors.push(required(`${path}.properties`, detail))
  }
  return errors
}

/** The one way in which an anyOf may name types. */
function isIntOrString(branches: ResourceSchema[] | undefined): boolean {
  return isDeepStrictEqual(branches, [{ type: 'integer' }, { type: 'string' }])
}

function validateJunctors(
  schema: ResourceSchema,
  path: string,
  skipAnyOf = false,
  skipAnyOfOfFirst = false,
): FieldError[] {
  const { anyOf = [], allOf = [], oneOf = [], not } = schema
  return [
    ...(skipAnyOf ? [] : anyOf.flatMap((branch, i) => validateNested(branch, `${path}.anyOf[${i}]`))),
    ...allOf.flatMap((branch, i) => validateNested(branch, `${path}.allOf[${i}]`, skipAnyOfOfFirst && i === 0)),
    ...oneOf.flatMap((branch, i) => validateNested(branch, `${path}.oneOf[${i}]`)),
    ...(not ? validateNested(not, `${path}.not`) : []),
  ]
}

/** What a branch may not say, since it belongs into the one place outside, and upstream's words for that. */
const forbiddenInside: [keyof ResourceSchema, string][] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['externalDocs', 'must be undefined to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

function validateNested(schema: ResourceSchema, path: string, skipAnyOf = false): FieldError[] {
  const items = itemsOf(schema)
  const errors = validateJunctors(schema, path, skipAnyOf)
  if (items) errors.push(...validateNested(items, `${path}.items`))
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    errors.push(...validateNested(property, `${path}.properties[${name}]`))
  }
  for (const [keyword, detail] of forbiddenInside) {
    const value = schema[keyword]
    const isSaid = keyword === 'default' || keyword === 'additionalProperties' ? value !== undefined : Boolean(value)
    if (isSaid) errors.push(forbidden(`${path}.${keyword}`, detail))
  }
  if (Object.hasOwn(schema.properties ?? {}, 'metadata')) {
    errors.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'))
  }
  return errors
}

/** Whatever a branch speaks of must exist outside, too: `inner` is the branch, `outer` the place that it speaks of. */
function validateCompleteness(
  inner: ResourceSchema,
  outer: ResourceSchema,
  outerPath: string,
  innerPath: string,
): FieldError[] {
  const { not } = inner
  const branches: [ResourceSchema, string][] = not ? [[not, `${innerPath}.not`]] : []
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [i, branch] of (inner[junctor] ?? []).entries()) branches.push([branch, `${innerPath}.${junctor}[${i}]`])
  }
  return branches.flatMap(([branch, path]) => validateBranch(branch, outer, outerPath, path))
}

function validateBranch(branch: ResourceSchema, outer: ResourceSchema, outerPath: string, path: string): FieldError[] {
  const errors = validateCompleteness(branch, outer, outerPath, path)
  const parts: [ResourceSchema, ResourceSchema | undefined, string][] = []
  const items = itemsOf(branch)
  if (items) parts.push([items, itemsOf(outer), 'items'])
  const known = new Map(Object.entries(outer.properties ?? {}))
  for (const [name, property] of Object.entries(branch.properties ?? {})) {
    parts.push([property, known.get(name), `properties[${name}]`])
  }
  for (const [inside, outside, step] of parts) {
    if (outside) errors.push(...validateBranch(inside, outside, `${outerPath}.${step}`, `${path}.${step}`))
    else errors.push(required(`${outerPath}.${step}`, `because it is defined in ${path}.${step}`))
  }
  return errors
}
