/**
 * The rules of custom resources, made of the schema of one version: the Strategy that a kind of Kubernetes' own has in
 * registry/kinds/. Follows apiextensions-apiserver's pkg/registry/customresource.
 */

import { invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import { isQualifiedName } from '@dinghy/shared/api/names'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import { nestedField } from '../registry/nested-field.ts'
import { validateObjectMeta } from '../registry/kinds/object-meta.ts'
import type { ScalePaths, Strategy } from '../registry/resource-definition.ts'
import { conform } from '../shape/conform.ts'
import { validateEmbedded } from '../structural/embedded.ts'
import { fillDefaults } from '../structural/fill-defaults.ts'
import { validateListTypes } from '../structural/list-types.ts'
import type { ResourceSchema } from '../structural/resource-schema.ts'
import { validateValue, type Previous } from '../structural/validate.ts'
import type { JsonObject } from '../shape/json.ts'

/** Judges by the rules in CEL of a schema; `previous` is undefined for what is new. */
export type ValidateRules = (object: object, previous: object | undefined) => FieldError[]

export interface ResourceRules {
  schema: ResourceSchema
  hasStatus: boolean
  scale: ScalePaths | undefined
  types: TypeSource
  validateRules: ValidateRules | undefined
}

export function strategyOf(rules: ResourceRules): Strategy {
  const { schema, hasStatus } = rules
  return {
    defaults: (object) => fillDefaults(object, schema),
    generationOf: (object) => wishOf(object, hasStatus),
    validateCreate: (object) => validate(object, undefined, rules),
    validateUpdate: (next, previous) => validate(next, previous, rules),
    validateStatusUpdate: (next, previous) => validateStatus(next, previous, rules),
    selectStatus,
    warnings: (object, previous) => finalizerWarnings(object, previous),
    requiresResourceVersion: true,
  }
}

/** Whatever is not metadata is a wish, the status too unless it is written separately. */
function wishOf(object: KubernetesObject, hasStatus: boolean): object {
  const { metadata: _metadata, ...wish } = object as KubernetesObject & { status?: unknown }
  if (hasStatus) delete wish.status
  return wish
}

function selectStatus(next: KubernetesObject, previous: KubernetesObject): KubernetesObject {
  const { managedFields } = next.metadata
  const result = structuredClone(previous) as KubernetesObject & { status?: unknown }
  if (managedFields) result.metadata.managedFields = managedFields
  if ('status' in next) result.status = next.status
  else delete result.status
  return result
}

function validate(next: KubernetesObject, previous: KubernetesObject | undefined, rules: ResourceRules): FieldError[] {
  const { schema, scale, types } = rules
  const errors = validateValue(next, schema, '', previous && { value: previous })
  if (scale) errors.push(...validateReplicas(next, scale.specReplicas), ...validateScaleStatus(next, scale))
  errors.push(...validateEmbedded(next, schema, (metadata, path) => validateEmbeddedMeta(metadata, path, types)))
  errors.push(...ratchetedListTypes(next, previous, schema))
  return [...errors, ...validateByRules(errors, next, previous, rules)]
}

function validateStatus(next: KubernetesObject, previous: KubernetesObject, rules: ResourceRules): FieldError[] {
  const { schema, scale } = rules
  const errors: FieldError[] = []
  const statusSchema = schema.properties?.['status']
  if (statusSchema && 'status' in next) {
    const before: Previous | undefined = 'status' in previous ? { value: previous.status } : undefined
    // The status is judged as a value of its own, so the messages name what is in it without "status".
    for (const error of validateValue(next.status, statusSchema, '', before)) {
      const isWhole = error.field === '' || error.field === '<nil>'
      errors.push({ ...error, field: isWhole ? 'status' : `status.${error.field}` })
    }
  }
  if (scale) errors.push(...validateScaleStatus(next, scale))
  errors.push(...ratchetedListTypes(next, previous, schema))
  return [...errors, ...validateByRules(errors, next, previous, rules)]
}

/** An object that already broke the rule may go on breaking it. */
function ratchetedListTypes(next: object, previous: object | undefined, schema: ResourceSchema): FieldError[] {
  const errors = validateListTypes(next, schema)
  return errors.length > 0 && previous && validateListTypes(previous, schema).length > 0 ? [] : errors
}

const blocking: ReadonlySet<FieldError['type']> = new Set<FieldError['type']>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])

/** Rules rely on the schema having been kept: on an object of another form they would only fail in strange ways. */
function validateByRules(
  errors: FieldError[],
  next: object,
  previous: object | undefined,
  { validateRules }: ResourceRules,
): FieldError[] {
  if (!validateRules) return []
  if (!errors.some(({ type }) => blocking.has(type))) return validateRules(next, previous)
  const detail =
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'
  return [invalid('<nil>', null, detail)]
}

// ---- scale

const maxInt32 = 2 ** 31 - 1

function validateReplicas(object: KubernetesObject, path: string[]): FieldError[] {
  const value = nestedField(object, path)
  const at = `.${path.join('.')}`
  if (value === undefined) return []
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    const detail = `${at} accessor error: ${JSON.stringify(value)} is of the type ${typeof value}, expected int64`
    return [invalid(at, 0, detail)]
  }
  if (value < 0) return [invalid(at, value, 'should be a non-negative integer')]
  return value > maxInt32 ? [invalid(at, value, `should be less than or equal to ${maxInt32}`)] : []
}

function validateScaleStatus(object: KubernetesObject, { statusReplicas, selector }: ScalePaths): FieldError[] {
  const errors = validateReplicas(object, statusReplicas)
  const text = selector && nestedField(object, selector)
  if (text === undefined || typeof text === 'string') return errors
  const at = `.${(selector ?? []).join('.')}`
  const detail = `${at} accessor error: ${JSON.stringify(text)} is of the type ${typeof text}, expected string`
  return [...errors, invalid(at, '', detail)]
}

// ---- metadata

/** That of a resource inside: any name that could stand in a path will do, and a namespace may be there. */
function validateEmbeddedMeta(metadata: JsonObject, path: string, types: TypeSource): FieldError[] {
  const { object } = conform(metadata, 'meta.v1.ObjectMeta', types)
  const meta = { name: 'fakename', ...object } as unknown as KubernetesObject['metadata']
  const resource = { apiVersion: '', kind: '', metadata: meta }
  const definition = { namespaced: Boolean(meta.namespace), strategy: { validateName: pathSegmentProblems } }
  return validateObjectMeta(definition, resource).map((error) => ({
    ...error,
    field: error.field.replace(/^metadata/, path),
  }))
}

function pathSegmentProblems(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  return ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`)
}

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

function finalizerWarnings({ metadata }: KubernetesObject, previous: KubernetesObject | undefined): string[] {
  const added = (metadata.finalizers ?? []).filter((name) => !previous?.metadata.finalizers?.includes(name))
  return added.toSorted().flatMap((name) => {
    const warn = (message: string) => `metadata.finalizers: ${JSON.stringify(name)}: ${message}`
    const problems = isQualifiedName(name).map(warn)
    if (name.includes('/') || standardFinalizers.has(name)) return problems
    const advice = 'prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers'
    return [...problems, warn(advice)]
  })
}
