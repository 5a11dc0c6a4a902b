/**
 * Resources inside a custom resource (x-kubernetes-embedded-resource): each must say what it is, and its metadata must
 * be such as any object may have. Follows apiextensions-apiserver's pkg/apiserver/schema/objectmeta/validation.go.
 */

import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1035Label } from '@dinghy/shared/api/names'
import { isObject, type JsonObject } from '../shape/json.ts'
import { itemsOf, memberOf, type ResourceSchema } from './resource-schema.ts'

/** Judges the metadata of an embedded resource, in the words of the server that embeds it. */
export type ValidateMeta = (metadata: JsonObject, path: string) => FieldError[]

export function validateEmbedded(
  value: unknown,
  schema: ResourceSchema | undefined,
  validateMeta: ValidateMeta,
  path = '',
): FieldError[] {
  if (!schema) return []
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    return value.flatMap((item, i) => validateEmbedded(item, items, validateMeta, `${path}[${i}]`))
  }
  if (!isObject(value)) return []
  const errors = schema['x-kubernetes-embedded-resource'] ? validateResource(value, validateMeta, path) : []
  for (const [name, item] of Object.entries(value)) {
    const isProperty = Object.hasOwn(schema.properties ?? {}, name)
    const at = path === '' ? name : isProperty ? `${path}.${name}` : `${path}[${name}]`
    errors.push(...validateEmbedded(item, memberOf(schema, name), validateMeta, at))
  }
  return errors
}

function validateResource(value: JsonObject, validateMeta: ValidateMeta, path: string): FieldError[] {
  const { apiVersion, kind, metadata } = value
  const errors = [...validateText(apiVersion, `${path}.apiVersion`), ...validateText(kind, `${path}.kind`)]
  if (typeof apiVersion === 'string' && apiVersion.split('/').length > 2) {
    errors.push(invalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  }
  if (typeof kind === 'string' && kind !== '') {
    const problems = isDns1035Label(kind.toLowerCase())
    const detail = `may have mixed case, but should otherwise match: ${problems.join(',')}`
    if (problems.length > 0) errors.push(invalid(`${path}.kind`, kind, detail))
  }
  return isObject(metadata) ? [...errors, ...validateMeta(metadata, `${path}.metadata`)] : errors
}

function validateText(value: unknown, path: string): FieldError[] {
  if (value === undefined || value === '') return [required(path)]
  return typeof value === 'string' ? [] : [invalid(path, value, 'must be a string')]
}
