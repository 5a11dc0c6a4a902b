/**
 * Decodes Kubernetes' protobuf bodies into the JSON they stand for. kubectl ≥ 1.32 sends most of its `create …` bodies
 * so.
 *
 * A body is "k8s\0" followed by runtime.Unknown{typeMeta{apiVersion=1, kind=2}=1, raw=2}; raw is the message itself,
 * whose field numbers are in the schema. The result is what a JSON body would parse to, before conform() makes it
 * canonical: zeros are kept here and dropped there. We never send protobuf; every client that can is content with JSON.
 */

import type { FieldShape, Scalar, TypeRef, TypeSource } from '@dinghy/shared/schema/type-shape'
import { ShapeError } from '../shape/conform.ts'
import type { JsonObject } from '../shape/json.ts'

const magicBytes = Buffer.from('k8s\0')

export interface ProtobufEnvelope {
  apiVersion: string
  kind: string
  raw: Buffer
}

export function decodeEnvelope(body: Buffer): ProtobufEnvelope {
  if (!body.subarray(0, 4).equals(magicBytes)) {
    throw new ShapeError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  }
  const envelope: ProtobufEnvelope = { apiVersion: '', kind: '', raw: Buffer.alloc(0) }
  for (const { number, value } of readFields(body.subarray(4))) {
    if (number === 1) {
      for (const meta of readFields(asBytes(value))) {
        if (meta.number === 1) envelope.apiVersion = asBytes(meta.value).toString()
        if (meta.number === 2) envelope.kind = asBytes(meta.value).toString()
      }
    } else if (number === 2) envelope.raw = asBytes(value)
  }
  return envelope
}

/** Nesting no real object has; a hostile one must not overflow the stack. */
const maxDepth = 64

export function decodeMessage(raw: Buffer, typeName: string, types: TypeSource, depth = 0): JsonObject {
  if (depth > maxDepth) throw new ShapeError('protobuf message is nested too deeply')
  const fields = [...(types.type(typeName)?.fields.values() ?? [])].filter((field) => field.protobufPath.length > 0)
  const object: JsonObject = {}
  readInto(object, raw, fieldTree(fields), types, depth)
  return object
}

/** Fields by number; a message that JSON inlines is a subtree of its parent's fields. */
type FieldTree = Map<number, FieldShape | FieldTree>

function fieldTree(fields: FieldShape[]): FieldTree {
  const root: FieldTree = new Map()
  for (const field of fields) {
    let tree = root
    for (const number of field.protobufPath.slice(0, -1)) {
      const next = tree.get(number)
      const subtree: FieldTree = next instanceof Map ? next : new Map()
      tree.set(number, subtree)
      tree = subtree
    }
    tree.set(field.protobufPath.at(-1) ?? 0, field)
  }
  return root
}

function readInto(object: JsonObject, raw: Buffer, tree: FieldTree, types: TypeSource, depth: number): void {
  for (const { number, value } of readFields(raw)) {
    const field = tree.get(number)
    if (!field) continue // a newer client's field: upstream skips it, too
    if (field instanceof Map) readInto(object, asBytes(value), field, types, depth)
    else readField(object, field, value, types, depth)
  }
}

function readField(object: JsonObject, field: FieldShape, value: WireValue, types: TypeSource, depth: number): void {
  const { type, name } = field
  if (type.kind === 'list') {
    const list = (object[name] ??= []) as unknown[]
    list.push(...readRepeated(type.of, value, types, depth))
  } else if (type.kind === 'map') {
    const map = (object[name] ??= {}) as JsonObject
    const [key, item] = readMapEntry(asBytes(value), type.of, types, depth)
    Object.defineProperty(map, key, { value: item, enumerable: true, configurable: true, writable: true })
  } else {
    const decoded = readValue(type, value, types, depth)
    if (decoded !== undefined) object[name] = decoded
  }
}

/** Numbers may arrive packed: many in one length-delimited value. */
function readRepeated(type: TypeRef, value: WireValue, types: TypeSource, depth: number): unknown[] {
  if (Buffer.isBuffer(value) && type.kind === 'scalar' && ['int32', 'int64', 'bool'].includes(type.scalar)) {
    const reader = { bytes: value, at: 0 }
    const items: unknown[] = []
    while (reader.at < value.length) items.push(readValue(type, readVarint(reader), types, depth))
    return items
  }
  return [readValue(type, value, types, depth)]
}

function readMapEntry(entry: Buffer, type: TypeRef, types: TypeSource, depth: number): [string, unknown] {
  let key = ''
  let item: unknown
  for (const { number, value } of readFields(entry)) {
    if (number === 1) key = asBytes(value).toString()
    // Protobuf has no map of lists; Kubernetes wraps the list in a message with the single field 1 (ExtraValue).
    if (number === 2 && type.kind === 'list') {
      item = [...readFields(asBytes(value))].map((element) => readValue(type.of, element.value, types, depth))
    } else if (number === 2) item = readValue(type, value, types, depth)
  }
  return [key, item ?? null]
}

function readValue(type: TypeRef, value: WireValue, types: TypeSource, depth: number): unknown {
  if (type.kind === 'object') return decodeMessage(asBytes(value), type.type, types, depth + 1)
  if (type.kind === 'scalar') return readScalar(type.scalar, value)
  throw new ShapeError('protobuf has no nested lists')
}

function readScalar(scalar: Scalar, value: WireValue): unknown {
  switch (scalar) {
    case 'string':
      return asBytes(value).toString()
    case 'bytes':
      return asBytes(value).toString('base64')
    case 'bool':
      return asVarint(value) !== 0n
    case 'int32':
    case 'int64':
      return Number(BigInt.asIntN(64, asVarint(value)))
    case 'double':
      return asBytes(value).readDoubleLE(0)
    case 'quantity':
      return firstField(asBytes(value))?.toString() ?? '0'
    case 'intOrString':
      return readIntOrString(asBytes(value))
    case 'time':
    case 'microTime':
      return readTime(asBytes(value))
    default: {
      // An object of no fixed shape travels as JSON inside the protobuf.
      const json = firstField(asBytes(value))
      return json === undefined || json.length === 0 ? undefined : (JSON.parse(json.toString()) as unknown)
    }
  }
}

function firstField(message: Buffer): Buffer | undefined {
  for (const { number, value } of readFields(message)) if (number === 1) return asBytes(value)
  return undefined
}

/** IntOrString{type=1 (0 int, 1 string), intVal=2, strVal=3} */
function readIntOrString(message: Buffer): string | number {
  let isString = false
  let int = 0
  let text = ''
  for (const { number, value } of readFields(message)) {
    if (number === 1) isString = asVarint(value) === 1n
    if (number === 2) int = Number(BigInt.asIntN(32, asVarint(value)))
    if (number === 3) text = asBytes(value).toString()
  }
  return isString ? text : int
}

/** Time{seconds=1, nanos=2}; the zero time is no time. */
function readTime(message: Buffer): string | undefined {
  let seconds = 0
  let nanos = 0
  for (const { number, value } of readFields(message)) {
    if (number === 1) seconds = Number(BigInt.asIntN(64, asVarint(value)))
    if (number === 2) nanos = Number(BigInt.asIntN(32, asVarint(value)))
  }
  // Go's zero time is the year 1, the message's the epoch; both mean "not set".
  if (seconds === 0 || seconds <= -62135596800) return undefined
  const micros = String(Math.floor(nanos / 1000)).padStart(6, '0')
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${micros}Z`
}

// ---- wire format: a field is a varint tag (number << 3 | wire type) and its value

type WireValue = bigint | Buffer

interface Reader {
  bytes: Buffer
  at: number
}

function* readFields(bytes: Buffer): Generator<{ number: number; value: WireValue }> {
  const reader: Reader = { bytes, at: 0 }
  while (reader.at < bytes.length) {
    const tag = Number(readVarint(reader))
    yield { number: tag >>> 3, value: readWireValue(reader, tag & 7) }
  }
}

function readWireValue(reader: Reader, wireType: number): WireValue {
  switch (wireType) {
    case 0:
      return readVarint(reader)
    case 1:
      return take(reader, 8)
    case 2:
      return take(reader, Number(readVarint(reader)))
    case 5:
      return take(reader, 4)
    default:
      throw new ShapeError(`proto: illegal wireType ${wireType}`)
  }
}

function readVarint(reader: Reader): bigint {
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.bytes[reader.at++]
    if (byte === undefined) throw new ShapeError('unexpected EOF')
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asUintN(64, value)
  }
  throw new ShapeError('proto: integer overflow')
}

function take(reader: Reader, length: number): Buffer {
  const end = reader.at + length
  if (end > reader.bytes.length) throw new ShapeError('unexpected EOF')
  const bytes = reader.bytes.subarray(reader.at, end)
  reader.at = end
  return bytes
}

function asBytes(value: WireValue): Buffer {
  if (typeof value === 'bigint') throw new ShapeError('proto: wrong wireType = 0, expected 2')
  return value
}

function asVarint(value: WireValue): bigint {
  if (typeof value !== 'bigint') throw new ShapeError('proto: wrong wireType = 2, expected 0')
  return value
}
