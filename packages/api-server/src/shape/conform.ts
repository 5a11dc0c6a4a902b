/**
 * Brings a parsed JSON value into the form its type has when Kubernetes stores it.
 *
 * Callers may rely on: what comes back has only known fields of the right types; nulls are gone, as are zeros that Go's
 * `omitempty` would not write; quantities and times are canonical ("1000m" → "1"); the input is not changed. Unknown
 * fields are dropped and named; a wrong type throws a ShapeError with the words of Go's JSON decoder, because that is
 * what people see – and search for – on a real cluster.
 *
 * Where it differs: Go names the declared type of an enumeration (v1.Protocol), we know it as string.
 */

import { canonicalQuantity, isQuantity } from '@dinghy/shared/api/quantity'
import { isObject, setOwn, type JsonObject } from './json.ts'
import type { FieldShape, Scalar, TypeRef, TypeShape, TypeSource } from '@dinghy/shared/schema/type-shape'

export class ShapeError extends Error {
  override readonly name = 'ShapeError'
}

export interface Conformed {
  object: JsonObject
  /** `unknown field "spec.foo"`, in the order met. */
  unknownFields: string[]
}

export function conform(value: unknown, typeName: string, types: TypeSource): Conformed {
  const walk: Walk = { types, unknownFields: [] }
  const root: Position = { path: '', goPath: '', struct: '' }
  return { object: conformObject(value, typeName, root, walk) as JsonObject, unknownFields: walk.unknownFields }
}

interface Walk {
  types: TypeSource
  unknownFields: string[]
}

/**
 * Where we are: as strict decoding names it (spec.containers[0].name), and as Go's decoder does (no indices, no map
 * keys).
 */
interface Position {
  path: string
  goPath: string
  struct: string
}

function conformValue(value: unknown, type: TypeRef, at: Position, walk: Walk): unknown {
  switch (type.kind) {
    case 'object':
      return conformObject(value, type.type, at, walk)
    case 'list':
      if (!Array.isArray(value)) throw mismatch(value, type, at)
      return value.map((item, i) =>
        conformValue(item ?? zeroOf(type.of), type.of, { ...at, path: `${at.path}[${i}]` }, walk),
      )
    case 'map': {
      if (!isObject(value)) throw mismatch(value, type, at)
      const result: JsonObject = {}
      for (const [key, item] of Object.entries(value)) {
        const here = { ...at, path: `${at.path}.${key}` }
        setOwn(result, key, conformValue(item ?? zeroOf(type.of), type.of, here, walk))
      }
      return result
    }
    default:
      return conformScalar(value, type.scalar, at)
  }
}

function conformObject(value: unknown, typeName: string, at: Position, walk: Walk): unknown {
  const shape = walk.types.type(typeName)
  if (!shape) throw new Error(`no type ${typeName} in the schema`)
  if (!isObject(value)) throw mismatch(value, { kind: 'object', type: typeName }, at)
  const result: JsonObject = {}
  for (const [key, item] of Object.entries(value)) {
    const here = step(at, shape, key)
    const field = shape.fields.get(key)
    if (!field) {
      if (shape.preservesUnknownFields) setOwn(result, key, item)
      else walk.unknownFields.push(`unknown field ${JSON.stringify(here.path)}`)
      continue
    }
    if (item === null || item === undefined) continue
    const conformed = conformValue(item, field.type, here, walk)
    if (!isOmitted(conformed, field)) setOwn(result, key, conformed)
  }
  return result
}

function step(at: Position, shape: TypeShape, key: string): Position {
  const join = (prefix: string) => (prefix === '' ? key : `${prefix}.${key}`)
  return { path: join(at.path), goPath: join(at.goPath), struct: shape.name }
}

/** What Go's `omitempty` leaves out. Structs are never empty to Go; times and quantities are structs. */
function isOmitted(value: unknown, field: FieldShape): boolean {
  if (field.keepsZero) return false
  if (Array.isArray(value)) return value.length === 0
  if (isObject(value)) return field.type.kind === 'map' && Object.keys(value).length === 0
  if (field.type.kind === 'scalar' && field.type.scalar === 'intOrString') return false
  return value === '' || value === 0 || value === false
}

function conformScalar(value: unknown, scalar: Scalar, at: Position): unknown {
  switch (scalar) {
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, { kind: 'scalar', scalar }, at)
      return value
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(value, { kind: 'scalar', scalar }, at)
      return value
    case 'int32':
    case 'int64':
    case 'double':
      if (typeof value !== 'number') throw mismatch(value, { kind: 'scalar', scalar }, at)
      if (!fits(value, scalar)) throw mismatch(value, { kind: 'scalar', scalar }, at, ` ${value}`)
      return value
    case 'bytes':
      if (typeof value !== 'string') throw mismatch(value, { kind: 'scalar', scalar }, at)
      return canonicalBase64(value)
    case 'quantity':
      return conformQuantity(value)
    case 'intOrString':
      return conformIntOrString(value)
    case 'time':
    case 'microTime':
      return conformTime(value, scalar)
    case 'object':
      if (!isObject(value)) throw mismatch(value, { kind: 'map', of: { kind: 'scalar', scalar: 'any' } }, at)
      return value
    default:
      return value
  }
}

function fits(value: number, scalar: 'int32' | 'int64' | 'double'): boolean {
  if (scalar === 'double') return true
  if (!Number.isInteger(value)) return false
  return scalar === 'int32' ? value === (value | 0) : Math.abs(value) <= 2 ** 63
}

/** Go's decoder skips line breaks and counts the byte at which it gives up. */
function canonicalBase64(text: string): string {
  const compact = text.replace(/[\r\n]/g, '')
  const body = /^[A-Za-z0-9+/]*/.exec(compact)?.[0] ?? ''
  const padding = (4 - (body.length % 4)) % 4
  if (padding === 3 || compact.slice(body.length) !== '='.repeat(padding)) {
    throw new ShapeError(`illegal base64 data at input byte ${Math.min(body.length, compact.length)}`)
  }
  return compact
}

function conformQuantity(value: unknown): string {
  if ((typeof value === 'string' || typeof value === 'number') && isQuantity(value)) return canonicalQuantity(value)
  if (value === '') return '0'
  throw new ShapeError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
}

function conformIntOrString(value: unknown): string | number {
  if (typeof value === 'string') return value
  if (typeof value !== 'number')
    throw new ShapeError(`json: cannot unmarshal ${jsonKind(value)} into Go value of type int32`)
  if (!fits(value, 'int32')) {
    throw new ShapeError(`json: cannot unmarshal number ${value} into Go value of type int32`)
  }
  return value
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/

function conformTime(value: unknown, scalar: 'time' | 'microTime'): string {
  if (typeof value !== 'string') {
    throw new ShapeError(`json: cannot unmarshal ${jsonKind(value)} into Go value of type string`)
  }
  const fraction = rfc3339.exec(value)?.[1]
  const ms = Date.parse(value)
  if (!rfc3339.test(value) || Number.isNaN(ms)) {
    const layout = scalar === 'time' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00'
    const quoted = JSON.stringify(value)
    throw new ShapeError(`parsing time ${quoted} as ${JSON.stringify(layout)}: cannot parse ${quoted} as "2006"`)
  }
  const seconds = new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)
  if (scalar === 'time') return `${seconds}Z`
  return `${seconds}.${(fraction ?? '.').slice(1, 7).padEnd(6, '0')}Z` // a JavaScript Date would lose the microseconds
}

/** A null in a list or map is the zero value in Go. */
function zeroOf(type: TypeRef): unknown {
  if (type.kind === 'list') return []
  if (type.kind === 'map' || type.kind === 'object') return {}
  switch (type.scalar) {
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0
    case 'bool':
      return false
    case 'quantity':
      return '0'
    case 'object':
      return {}
    case 'any':
      return null
    default:
      return ''
  }
}

function mismatch(value: unknown, type: TypeRef, at: Position, detail = ''): ShapeError {
  const struct = at.struct.split('.').pop() ?? ''
  const target = struct === '' ? 'Go value' : `Go struct field ${struct}.${at.goPath}`
  return new ShapeError(`json: cannot unmarshal ${jsonKind(value)}${detail} into ${target} of type ${goType(type)}`)
}

function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

function goType(type: TypeRef): string {
  switch (type.kind) {
    case 'list':
      return `[]${goType(type.of)}`
    case 'map':
      return `map[string]${goType(type.of)}`
    case 'object':
      return goTypeName(type.type)
    default:
      return goScalars[type.scalar] ?? type.scalar
  }
}

const goScalars: Partial<Record<Scalar, string>> = {
  double: 'float64',
  bytes: '[]uint8',
  quantity: 'resource.Quantity',
  intOrString: 'intstr.IntOrString',
  time: 'v1.Time',
  microTime: 'v1.MicroTime',
  any: 'interface {}',
}

/** "core.v1.PodSpec" → "v1.PodSpec" */
function goTypeName(name: string): string {
  return name.split('.').slice(-2).join('.')
}
