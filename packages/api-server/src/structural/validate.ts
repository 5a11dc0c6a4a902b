/**
 * Judges a value by its schema: types, enumerations, bounds, patterns, formats, required members, and the branches of
 * anyOf, oneOf, allOf and not. Errors have the words of upstream's validator (kube-openapi's pkg/validation) and the
 * form that apiextensions-apiserver's pkg/apiserver/validation gives them.
 *
 * Given the value as it was, an update is *ratcheted*: what is wrong with a part that has not changed is tolerated, so
 * that a schema may become stricter without making the objects that are there unwritable.
 */

import { isDeepStrictEqual } from 'node:util'
import {
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
  type FieldError,
} from '@dinghy/shared/api/field-errors'
import { matchesRegex } from '../cel/linear-regex.ts'
import { isObject } from '../shape/json.ts'
import { hasFormat } from './formats.ts'
import { itemsOf, memberOf, type ResourceSchema } from './resource-schema.ts'

/** The value before an update; undefined where it had none that corresponds. */
export interface Previous {
  value: unknown
}

/** `path` is "" at the root of an object. */
export function validateValue(value: unknown, schema: ResourceSchema, path = '', previous?: Previous): FieldError[] {
  return judge(value, schema, path, previous).errors
}

interface Result {
  errors: FieldError[]
  /** How many checks were made: of several branches that fail, the one that came furthest speaks. */
  checks: number
}

function judge(value: unknown, schema: ResourceSchema, path: string, previous: Previous | undefined): Result {
  const result = judgeStrictly(value, schema, path, previous)
  const isUnchanged = result.errors.length > 0 && previous !== undefined && isDeepStrictEqual(previous.value, value)
  return isUnchanged ? { ...result, errors: [] } : result
}

function judgeStrictly(value: unknown, schema: ResourceSchema, path: string, previous: Previous | undefined): Result {
  if (value === null)
    return { errors: [...checkType(value, schema, path), ...checkEnum(value, schema, path)], checks: 2 }
  const parts: Result[] = []
  const add = (errors: FieldError[], checks = 1) => parts.push({ errors, checks })
  const errorsOfType = checkType(value, schema, path)
  add(errorsOfType, errorsOfType.length > 0 ? 1 : 2)
  parts.push(judgeBranches(value, schema, path, previous))
  if (typeof value === 'string') add([...checkString(value, schema, path), ...checkFormat(value, schema, path)], 2)
  if (typeof value === 'number') add(checkNumber(value, schema, path), 2)
  if (Array.isArray(value)) parts.push(judgeList(value, schema, path, previous))
  add(checkEnum(value, schema, path))
  if (isObject(value)) parts.push(judgeMembers(value, schema, path, previous))
  return {
    errors: parts.flatMap(({ errors }) => errors),
    checks: parts.reduce((sum, { checks }) => sum + checks, 1),
  }
}

/** `spec.replicas in body`: how the messages name a value. */
function inBody(path: string): string {
  return `${path} in body`
}

// ---- types

function checkType(value: unknown, schema: ResourceSchema, path: string): FieldError[] {
  const types = schema['x-kubernetes-int-or-string'] ? ['integer', 'string'] : schema.type ? [schema.type] : []
  if (types.length === 0 || (value === null && schema.nullable)) return []
  const actual = typeOf(value)
  const fits = types.some((type) => type === actual || (type === 'number' && actual === 'integer'))
  if (fits) return []
  return [typeInvalid(path, actual, `${inBody(path)} must be of type ${types.join(',')}: ${JSON.stringify(actual)}`)]
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function checkEnum(value: unknown, schema: ResourceSchema, path: string): FieldError[] {
  const allowed = schema.enum as unknown[] | undefined
  if (!allowed?.length || allowed.some((one) => one !== null && isDeepStrictEqual(one, value))) return []
  const texts = allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
  return [notSupported(path, value, texts)]
}

// ---- scalars

function checkString(value: string, schema: ResourceSchema, path: string): FieldError[] {
  const { maxLength, minLength, pattern } = schema
  if (maxLength !== undefined || minLength !== undefined) {
    // As Go counts: characters, not UTF-16 units.
    const length = Array.from(value).length
    if (maxLength !== undefined && length > maxLength) return [tooLong(path, maxLength)]
    if (minLength !== undefined && length < minLength) {
      return [invalid(path, value, `${inBody(path)} should be at least ${minLength} chars long`)]
    }
  }
  if (!pattern || matchesRegex(value, pattern)) return []
  return [invalid(path, value, `${inBody(path)} should match '${pattern}'`)]
}

function checkFormat(value: string, { format, type }: ResourceSchema, path: string): FieldError[] {
  if (!format || (type && type !== 'string') || hasFormat(value, format) !== false) return []
  return [typeInvalid(path, value, `${inBody(path)} must be of type ${format}: ${JSON.stringify(value)}`)]
}

function checkNumber(value: number, schema: ResourceSchema, path: string): FieldError[] {
  const { multipleOf, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema
  const should = (what: string) => invalid(path, value, `${inBody(path)} should be ${what}`)
  const errors: FieldError[] = []
  if (multipleOf !== undefined && !isWhole(multipleOf < 1 ? (1 / multipleOf) * value : value / multipleOf)) {
    errors.push(should(`a multiple of ${multipleOf}`))
  }
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    errors.push(should(`greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`))
  }
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    errors.push(should(`less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`))
  }
  return errors
}

/** Nearly whole is whole: 0.3 / 0.1 is not 3. */
function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < 1e-9
}

// ---- lists and objects

function judgeList(list: unknown[], schema: ResourceSchema, path: string, previous: Previous | undefined): Result {
  const { minItems, maxItems } = schema
  const items = itemsOf(schema)
  const before = previousItems(list, schema, previous)
  const results = items ? list.map((item, i) => judge(item, items, `${path}[${i}]`, before(i))) : []
  const errors = results.flatMap((result) => result.errors)
  if (minItems !== undefined && list.length < minItems) {
    errors.push(invalid(path, list.length, `${inBody(path)} should have at least ${minItems} items`))
  }
  if (maxItems !== undefined && list.length > maxItems) errors.push(tooMany(path, list.length, maxItems))
  return { errors, checks: results.reduce((sum, { checks }) => sum + checks, 2) }
}

/** Which item an item was: by its keys in a map, by its place in an ordinary list; a set has only itself. */
export function previousItems(
  list: unknown[],
  schema: ResourceSchema,
  previous: Previous | undefined,
): (index: number) => Previous | undefined {
  const old = previous?.value
  if (!Array.isArray(old)) return () => undefined
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  switch (schema['x-kubernetes-list-type']) {
    case 'map':
      return (index) => {
        const item = list[index]
        const found = old.find(
          (one) => isObject(one) && isObject(item) && keys.every((key) => isDeepStrictEqual(one[key], item[key])),
        ) as unknown
        return found === undefined ? undefined : { value: found }
      }
    case 'set':
    case 'atomic':
      return () => undefined
    default:
      return (index) => (index < old.length ? { value: old[index] as unknown } : undefined)
  }
}

function judgeMembers(
  object: Record<string, unknown>,
  schema: ResourceSchema,
  path: string,
  previous: Previous | undefined,
): Result {
  const names = Object.keys(object)
  const { minProperties, maxProperties } = schema
  if (minProperties !== undefined && names.length < minProperties) {
    const detail = `${inBody(path)} should have at least ${minProperties} properties`
    return { errors: [invalid(path, names.length, detail)], checks: 1 }
  }
  if (maxProperties !== undefined && names.length > maxProperties) {
    return { errors: [tooMany(path, names.length, maxProperties)], checks: 1 }
  }
  const old = previous?.value
  const results = names.flatMap((name) => {
    const member = memberOf(schema, name)
    if (!member) return []
    const before = isObject(old) && Object.hasOwn(old, name) ? { value: old[name] } : undefined
    return [judge(object[name], member, child(path, name), before)]
  })
  const errors = results.flatMap((result) => result.errors)
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(object, name)) errors.push(required(child(path, name)))
  }
  return { errors, checks: results.reduce((sum, { checks }) => sum + checks, 1) }
}

function child(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

// ---- branches

function judgeBranches(value: unknown, schema: ResourceSchema, path: string, previous: Previous | undefined): Result {
  const { anyOf = [], oneOf = [], allOf = [], not } = schema
  const against = (branch: ResourceSchema) => judgeStrictly(value, branch, path, previous)
  // Upstream's errors of this kind name no field.
  const must = (what: string) => invalid('<nil>', '', `${JSON.stringify(path)} must ${what}`)
  const errors: FieldError[] = []
  let checks = 2
  const merge = (result: Result | undefined) => {
    if (!result) return
    errors.push(...result.errors)
    checks += result.checks
  }
  if (anyOf.length > 0) {
    const results = anyOf.map(against)
    const valid = results.find(isValid)
    if (!valid) errors.push(must('validate at least one schema (anyOf)'))
    merge(valid ?? bestOf(results))
  }
  if (oneOf.length > 0) {
    const results = oneOf.map(against)
    const valid = results.filter(isValid)
    if (valid.length !== 1) {
      const found = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`
      errors.push(must(`validate one and only one schema (oneOf). ${found}`))
    }
    merge(valid[0] ?? bestOf(results))
  }
  if (allOf.length > 0) {
    const results = allOf.map(against)
    const valid = results.filter(isValid)
    for (const result of results) merge(result)
    if (valid.length < results.length) {
      errors.push(must(`validate all the schemas (allOf)${valid.length === 0 ? '. None validated' : ''}`))
    }
  }
  if (not && isValid(against(not))) errors.push(must('not validate the schema (not)'))
  return { errors, checks }
}

function isValid({ errors }: Result): boolean {
  return errors.length === 0
}

function bestOf(results: Result[]): Result | undefined {
  return results.reduce<Result | undefined>((best, one) => (!best || one.checks > best.checks ? one : best), undefined)
}
