/**
 * What the schema of a custom resource is worth, found by trying: its patterns compile, its defaults are values of it,
 * its rules in CEL compile and cannot cost too much. Loaded with the first CustomResourceDefinition that is written,
 * and asked only of schemas that are otherwise as they should be. Follows apiextensions-apiserver's
 * pkg/apiserver/schema/{validation,defaulting/validation}.go and pkg/apis/apiextensions/validation.
 */

import { isDeepStrictEqual } from 'node:util'
import { forbidden, invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { CelError } from '../../cel/cel-error.ts'
import type { CelProgram } from '../../cel/cel.ts'
import { linearRegex } from '../../cel/linear-regex.ts'
import { loadedCel } from '../../cel/load-cel.ts'
import { staticCostLimit, staticCostLimitOfDefinition } from '../../cel/static-cost.ts'
import { ShapeError } from '../../shape/conform.ts'
import type { JsonObject } from '../../shape/json.ts'
import { validateEmbedded } from '../../structural/embedded.ts'
import { conformResource, pruned } from '../../structural/prune.ts'
import { itemsOf, metaFields, type ResourceSchema } from '../../structural/resource-schema.ts'
import { compileRules, hasRules, type CompiledRule, type RuleNode } from '../../structural/rules.ts'
import { validateValue } from '../../structural/validate.ts'
import { validateObjectMeta } from './object-meta.ts'

export function validateDeeply(schema: ResourceSchema, path: string): FieldError[] {
  const errors = validatePatterns(schema, path)
  if (errors.length > 0) return errors
  errors.push(...validateDefaults(schema, path, { isRoot: true, around: undefined }))
  return errors.length > 0 ? errors : validatePrograms(schema, path)
}

// ---- patterns

function validatePatterns(schema: ResourceSchema, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (schema.pattern) {
    try {
      linearRegex(schema.pattern)
    } catch (error) {
      if (!(error instanceof CelError)) throw error
      const detail = `must be a valid regular expression, but isn't: ${error.message}`
      errors.push(invalid(`${path}.pattern`, schema.pattern, detail))
    }
  }
  for (const [part, at] of partsOf(schema, path)) errors.push(...validatePatterns(part, at))
  return errors
}

function* partsOf(schema: ResourceSchema, path: string): Generator<[ResourceSchema, string]> {
  for (const [part, at] of valueParts(schema, path)) yield [part, at]
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [i, branch] of (schema[junctor] ?? []).entries()) yield [branch, `${path}.${junctor}[${i}]`]
  }
  if (schema.not) yield [schema.not, `${path}.not`]
}

/** The schemas of what is in a value: items, entries, members. */
function* valueParts(schema: ResourceSchema, path: string): Generator<[ResourceSchema, string, name?: string]> {
  const items = itemsOf(schema)
  if (items) yield [items, `${path}.items`]
  if (typeof schema.additionalProperties === 'object') {
    yield [schema.additionalProperties, `${path}.additionalProperties`]
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    yield [property, `${path}.properties[${name}]`, name]
  }
}

// ---- defaults

interface DefaultPlace {
  isRoot: boolean
  /** Puts a value of metadata into the resource that it is the metadata of; undefined outside of metadata. */
  around: ((value: unknown) => JsonObject) | undefined
}

const typeMeta = { apiVersion: 'validation/v1', kind: 'Validation' }

function validateDefaults(schema: ResourceSchema, path: string, { isRoot, around }: DefaultPlace): FieldError[] {
  const isResource = isRoot || (schema['x-kubernetes-embedded-resource'] ?? false)
  const errors = schema.default === undefined ? [] : validateDefault(schema, `${path}.default`, around)
  // Defaults inside additionalProperties apply to values that are there, so they are judged like any other.
  for (const [part, at, name] of valueParts(schema, path)) {
    const surrounding =
      isResource && name !== undefined && metaFields.has(name)
        ? (value: unknown) => ({ ...typeMeta, [name]: value })
        : !isResource && around
          ? (value: unknown) => around(name === undefined ? [value] : { [name]: value })
          : undefined
    errors.push(...validateDefaults(part, at, { isRoot: false, around: surrounding }))
  }
  return errors
}

function validateDefault(
  schema: ResourceSchema,
  path: string,
  around: ((value: unknown) => JsonObject) | undefined,
): FieldError[] {
  const value: unknown = schema.default
  const types = loadSchema()
  if (around) {
    try {
      conformResource(around(value), { type: 'object' }, types)
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      return [invalid(path, value, `must result in valid metadata: ${error.message}`)]
    }
  } else {
    try {
      if (!isDeepStrictEqual(pruned(value, schema, types), value)) {
        return [invalid(path, value, 'must not have unknown fields')]
      }
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      return [invalid(path, value, error.message)]
    }
    const embedded = validateEmbedded(value, schema, embeddedMetaProblems)
    if (embedded.length > 0) return embedded.map((error) => inside(path, error))
  }
  return validateValue(value, schema).map((error) => inside(path, error))
}

/** Where a value is judged by itself, its faults are named from there. */
function inside(path: string, error: FieldError): FieldError {
  const isWhole = error.field === '' || error.field === '<nil>'
  return { ...error, field: isWhole ? path : `${path}.${error.field}` }
}

function embeddedMetaProblems(metadata: JsonObject, path: string): FieldError[] {
  const object = { apiVersion: '', kind: '', metadata: { name: 'fakename', ...metadata } } as unknown
  const definition = { namespaced: 'namespace' in metadata, strategy: { validateName: () => [] } }
  return validateObjectMeta(definition, object as KubernetesObject).map((error) => ({
    ...error,
    field: error.field.replace(/^metadata/, path),
  }))
}

// ---- rules

interface Costs {
  total: number
  dear: { path: string; cost: number }[]
}

function validatePrograms(schema: ResourceSchema, path: string): FieldError[] {
  if (!hasRules(schema)) return []
  const node = compileRules(loadedCel(), schema)
  if (!node) return []
  const costs: Costs = { total: 0, dear: [] }
  const errors = validateNode(node, path, { cardinality: 1, uncorrelated: undefined }, costs)
  if (costs.total <= staticCostLimitOfDefinition) return errors
  const dearest = costs.dear.sort((a, b) => b.cost - a.cost).slice(0, 4)
  const contributed = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema'
  const name = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema'
  return [
    ...errors,
    ...dearest.map((one) => forbidden(one.path, contributed)),
    forbidden(path, tooDear(name, costs.total, staticCostLimitOfDefinition)),
  ]
}

interface NodePlace {
  /** How many values there can be at this place; undefined where nobody limits that. */
  cardinality: number | undefined
  /** The list whose items cannot be told apart between two states of the object. */
  uncorrelated: string | undefined
}

function validateNode(node: RuleNode, path: string, place: NodePlace, costs: Costs): FieldError[] {
  const errors = node.rules.flatMap((compiled, i) => {
    return validateRule(compiled, node.schema, `${path}.x-kubernetes-validations[${i}]`, place, costs)
  })
  const times = (limit: number | undefined) =>
    limit === undefined || place.cardinality === undefined ? undefined : limit * place.cardinality
  const { items, others, properties, schema } = node
  if (items) {
    const isMap = schema['x-kubernetes-list-type'] === 'map'
    const uncorrelated = place.uncorrelated ?? (isMap ? undefined : path)
    const there = { cardinality: times(schema.maxItems), uncorrelated }
    errors.push(...validateNode(items, `${path}.items`, there, costs))
  }
  if (others) {
    const there = { ...place, cardinality: times(schema.maxProperties) }
    errors.push(...validateNode(others, `${path}.additionalProperties`, there, costs))
  }
  for (const [name, property] of properties) {
    errors.push(...validateNode(property, `${path}.properties[${name}]`, place, costs))
  }
  return errors
}

function validateRule(
  compiled: CompiledRule,
  schema: ResourceSchema,
  path: string,
  { cardinality, uncorrelated }: NodePlace,
  costs: Costs,
): FieldError[] {
  const { rule, error, messageError, usesOldSelf } = compiled
  const errors: FieldError[] = []
  const check = (program: CelProgram | undefined, field: string, name: string) => {
    if (!program) return
    const cost = program.estimateCost() * (cardinality ?? largestCardinality(schema))
    const at = `${path}.${field}`
    if (cost > staticCostLimit) errors.push(forbidden(at, tooDear(name, cost, staticCostLimit)))
    costs.total += cost
    costs.dear.push({ path: at, cost })
  }
  check(compiled.program, 'rule', 'estimated rule cost')
  if (error !== undefined) errors.push(invalid(`${path}.rule`, rule, error))
  if (messageError !== undefined) errors.push(invalid(`${path}.messageExpression`, rule, messageError))
  check(compiled.messageProgram, 'messageExpression', 'estimated messageExpression cost')
  if (usesOldSelf && uncorrelated !== undefined) {
    const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`
    errors.push(invalid(`${path}.rule`, rule.rule, detail))
  } else if (!usesOldSelf && error === undefined && rule.optionalOldSelf !== undefined) {
    const detail = 'may not be set if oldSelf is not used in rule'
    errors.push(invalid(`${path}.optionalOldSelf`, rule.optionalOldSelf, detail))
  }
  return errors
}

const maxRequestBytes = 3 * 1024 * 1024

/** As many values as a request has room for. */
function largestCardinality(schema: ResourceSchema): number {
  return Math.floor(maxRequestBytes / (smallestJson(schema) + 1))
}

/** The fewest bytes that a value takes. */
function smallestJson(schema: ResourceSchema): number {
  switch (schema.type) {
    case 'boolean':
      return 4
    case 'object': {
      const required = (schema.required ?? []).flatMap((name) => {
        const property = schema.properties?.[name]
        return property && property.default === undefined ? [name.length + smallestJson(property) + 4] : []
      })
      return required.reduce((sum, bytes) => sum + bytes, 2)
    }
    case 'integer':
    case 'number':
      return 1
    default:
      return schema['x-kubernetes-int-or-string'] ? 1 : 2
  }
}

function tooDear(name: string, cost: number, limit: number): string {
  const exceeds = cost / limit
  const factor = exceeds > 100 ? 'more than 100x' : `${exceeds < 1.5 ? exceeds.toFixed(6) : exceeds.toFixed(1)}x`
  return `${name} exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`
}
