/**
 * The OpenAPI schema of a custom resource, as far as upstream allows it: which keywords, and what the x-kubernetes-…
 * ones ask of the schema that they stand in. That it is structural is structural-schema.ts's business; patterns,
 * defaults and rules are tried in custom-resource-deep.ts.
 */

import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { oneOf } from './checks.ts'
import { resolveFieldPath } from '../../structural/schema-path.ts'
import type { ResourceSchema } from '../../structural/resource-schema.ts'
import { validateStructure } from './structural-schema.ts'

export function validateResourceSchema(schema: ResourceSchema, path: string, hasStatus: boolean): FieldError[] {
  const errors = hasStatus ? validateRootBesideStatus(schema, path) : []
  if (schema.nullable) errors.push(forbidden(`${path}.nullable`, 'nullable cannot be true at the root'))
  errors.push(...validateStructure(schema, path))
  return [...errors, ...validateKeywords(schema, path, { isRoot: true, insideMeta: false })]
}

const allowedBesideStatus = new Set(
  `description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems
  minItems uniqueItems multipleOf required items properties externalDocs example x-kubernetes-preserve-unknown-fields
  x-kubernetes-validations`.split(/\s+/),
)
const allowedInGo =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations'

/** /status has the schema of `properties.status`, so the root may not say anything about it in another way. */
function validateRootBesideStatus(schema: ResourceSchema, path: string): FieldError[] {
  const besides = 'at the root of the schema if the status subresource is enabled'
  if (schema.type && schema.type !== 'object') {
    return [invalid(`${path}.type`, schema.type, `only "object" is allowed as the type ${besides}`)]
  }
  if (Object.keys(schema).every((keyword) => allowedBesideStatus.has(keyword))) return []
  return [invalid(path, schema, `only [${allowedInGo}] fields are allowed ${besides}`)]
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies'] as const
const metaFields = new Set(['metadata', 'kind', 'apiVersion'])

interface Place {
  isRoot: boolean
  /** Below apiVersion, kind or metadata of the resource or of one embedded in it. */
  insideMeta: boolean
  /** Why there can be no default here. */
  noDefault?: string
}

function validateKeywords(schema: ResourceSchema, path: string, place: Place): FieldError[] {
  const { type, items, properties = {}, additionalProperties } = schema
  const errors = type === 'null' ? [] : oneOf(`${path}.type`, type || undefined, types)
  if (type === 'null') {
    errors.push(notSupported(`${path}.type`, type, types))
    errors.push(forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'))
  }
  if (schema.default !== undefined && place.noDefault) {
    errors.push(forbidden(`${path}.default`, `must not be set ${place.noDefault}`))
  }
  for (const keyword of unsupported) {
    if (schema[keyword]) errors.push(forbidden(`${path}.${keyword}`, `${keyword} is not supported`))
  }
  if (Array.isArray(items)) {
    errors.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'))
  }
  if (place.insideMeta && schema['x-kubernetes-embedded-resource']) {
    const detail = 'must not be used inside of resource meta'
    errors.push(forbidden(`${path}.x-kubernetes-embedded-resource`, detail))
  }
  if (schema.uniqueItems) {
    const detail = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'
    errors.push(forbidden(`${path}.uniqueItems`, detail))
  }
  if (Object.keys(properties).length > 0 && additionalProperties !== undefined && additionalProperties !== true) {
    const detail = 'additionalProperties and properties are mutual exclusive'
    errors.push(forbidden(`${path}.additionalProperties`, detail))
  }
  errors.push(...validateExtensions(schema, path), ...validateListType(schema, path), ...validateRules(schema, path))
  for (const [child, at, there] of children(schema, path, place)) errors.push(...validateKeywords(child, at, there))
  return errors
}

/** The schemas that this one is made of. */
function* children(schema: ResourceSchema, path: string, place: Place): Generator<[ResourceSchema, string, Place]> {
  const { items, properties = {}, additionalProperties, not } = schema
  const below = { ...place, isRoot: false }
  if (typeof additionalProperties === 'object') {
    const noDefault = 'inside additionalProperties applying to object metadata'
    yield [additionalProperties, `${path}.additionalProperties`, place.insideMeta ? { ...below, noDefault } : below]
  }
  for (const [name, property] of Object.entries(properties)) {
    const isMeta = (place.isRoot || schema['x-kubernetes-embedded-resource']) && metaFields.has(name)
    const there = isMeta ? { ...below, insideMeta: true } : below
    const noDefault = `in top-level ${name}`
    yield [property, `${path}.properties[${name}]`, isMeta && place.isRoot ? { ...there, noDefault } : there]
  }
  if (not) yield [not, `${path}.not`, below]
  for (const junctor of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [i, child] of (schema[junctor] ?? []).entries()) yield [child, `${path}.${junctor}[${i}]`, below]
  }
  if (items && !Array.isArray(items)) yield [items, `${path}.items`, below]
}

function validateExtensions(schema: ResourceSchema, path: string): FieldError[] {
  const { type } = schema
  const mapType = schema['x-kubernetes-map-type']
  const errors: FieldError[] = []
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'))
  }
  if (mapType !== undefined && type !== 'object') {
    errors.push(wrongType(`${path}.type`, type, 'must be object if x-kubernetes-map-type is specified'))
  }
  return [...errors, ...oneOf(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular'])]
}

function wrongType(path: string, type: string | undefined, detail: string): FieldError {
  return type ? invalid(path, type, detail) : required(path, detail)
}

function validateListType(schema: ResourceSchema, path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type']
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const items = Array.isArray(schema.items) ? undefined : schema.items
  const at = `${path}.x-kubernetes-list-type`
  const errors: FieldError[] = []
  if (listType !== undefined && schema.type !== 'array') {
    errors.push(wrongType(`${path}.type`, schema.type, 'must be array if x-kubernetes-list-type is specified'))
  } else if (listType === 'set' && items) errors.push(...validateSetItems(items, `${path}.items`))
  errors.push(...oneOf(at, listType, ['atomic', 'set', 'map']))
  if (keys.length > 0 && listType !== 'map') {
    errors.push(wrongType(at, listType, 'must be map if x-kubernetes-list-map-keys is non-empty'))
  }
  if (listType === 'map') errors.push(...validateMapItems(schema, items, keys, path))
  if ((listType === 'set' || listType === 'map') && items?.nullable) {
    errors.push(forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`))
  }
  return errors
}

/** Members of a set are compared as a whole. */
function validateSetItems(items: ResourceSchema, path: string): FieldError[] {
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const listType = items['x-kubernetes-list-type']
  const mapType = items['x-kubernetes-map-type']
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic') {
    return [invalid(`${path}.x-kubernetes-list-type`, listType, detail)]
  }
  if (items.type === 'object' && mapType !== 'atomic') {
    return [invalid(`${path}.x-kubernetes-map-type`, listType, detail)]
  }
  return []
}

function validateMapItems(
  schema: ResourceSchema,
  items: ResourceSchema | undefined,
  keys: string[],
  path: string,
): FieldError[] {
  const keysPath = `${path}.x-kubernetes-list-map-keys`
  const errors: FieldError[] = []
  if (keys.length === 0) errors.push(required(keysPath, 'must not be empty if x-kubernetes-list-type is map'))
  if (!schema.items) {
    errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'))
  } else if (!items) {
    const detail = 'must only have a single schema if x-kubernetes-list-type is map'
    errors.push(invalid(`${path}.items`, schema.items, detail))
  } else if (items.type !== 'object') {
    const detail = "must be object if parent array's x-kubernetes-list-type is map"
    errors.push(invalid(`${path}.items.type`, items.type ?? '', detail))
  }
  if (items?.type !== 'object') return errors
  const properties = new Map(Object.entries(items.properties ?? {}))
  for (const [i, key] of keys.entries()) {
    const property = properties.get(key)
    if (!property) errors.push(invalid(keysPath, keys, 'entries must all be names of item properties'))
    if (keys.indexOf(key) < i) errors.push(invalid(keysPath, keys, 'must not contain duplicate entries'))
    if (property) errors.push(...validateKey(property, items, key, `${path}.items.properties[${key}]`))
  }
  return errors
}

/** A key must always be there, and be comparable. */
function validateKey(property: ResourceSchema, items: ResourceSchema, key: string, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (property.type === 'array' || property.type === 'object') {
    const detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
    errors.push(invalid(`${path}.type`, items.type, detail))
  }
  if (!items.required?.includes(key) && property.default === undefined) {
    const detail = 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'
    errors.push(required(`${path}.default`, detail))
  }
  if (property.nullable) {
    const detail = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'
    errors.push(forbidden(`${path}.nullable`, detail))
  }
  return errors
}

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']

function validateRules(schema: ResourceSchema, path: string): FieldError[] {
  return (schema['x-kubernetes-validations'] ?? []).flatMap(({ rule = '', message = '', ...more }, i) => {
    const at = `${path}.x-kubernetes-validations[${i}]`
    const errors: FieldError[] = []
    const text = message.trim()
    if (rule.trim() === '') errors.push(required(`${at}.rule`, 'rule is not specified'))
    else if (message !== '' && text === '') {
      errors.push(invalid(`${at}.message`, message, 'message must be non-empty if specified'))
    } else if (/[\n\r]/.test(text)) {
      errors.push(invalid(`${at}.message`, message, 'message must not contain line breaks'))
    } else if (/[\n\r]/.test(rule.trim()) && text === '') {
      errors.push(required(`${at}.message`, 'message must be specified if rule contains line breaks'))
    }
    if (more.messageExpression && more.messageExpression.trim() === '') {
      errors.push(required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'))
    }
    return [...errors, ...oneOf(`${at}.reason`, more.reason, reasons), ...validateFieldPath(more.fieldPath, schema, at)]
  })
}

function validateFieldPath(fieldPath: string | undefined, schema: ResourceSchema, path: string): FieldError[] {
  if (!fieldPath) return []
  const at = `${path}.fieldPath`
  const refuse = (detail: string) => invalid(at, fieldPath, detail)
  return [
    ...(fieldPath.trim() === '' ? [refuse('fieldPath must be non-empty if specified')] : []),
    ...(/[\n\r]/.test(fieldPath) ? [refuse('fieldPath must not contain line breaks')] : []),
    ...(typeof resolveFieldPath(fieldPath, schema) === 'string' ? [refuse('fieldPath must be a valid path')] : []),
  ]
}
