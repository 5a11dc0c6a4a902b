/**
 * The document of OpenAPI 2 in protobuf, which client-go asks for (`kubectl explain --output plaintext-openapiv2`, and
 * older clients before an apply). Message and field numbers are gnostic's OpenAPIv2.proto; whatever may be of any type
 * is its JSON as text.
 */

type Json = Record<string, unknown>

/** Writes the field; undefined values have been left out. */
type FieldWriter = (number: number, value: unknown) => Buffer

type Message = Record<string, readonly [number: number, write: FieldWriter]>

export function openApiV2Protobuf(document: object): Buffer {
  return message(documentFields, document as Json)
}

function message(fields: Message, object: Json): Buffer {
  const extensions = fields['x-']
  const parts = Object.entries(object).flatMap(([name, value]) => {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field) return [field[1](field[0], value)]
    return extensions && name.startsWith('x-') ? [extensions[1](extensions[0], [name, value])] : []
  })
  return Buffer.concat(parts)
}

// ---- fields

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.from([...bytes, rest])
}

function delimited(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content])
}

function text(number: number, value: unknown): Buffer {
  return delimited(number, Buffer.from(String(value)))
}

function flag(number: number, value: unknown): Buffer {
  return Buffer.concat([varint(number * 8), varint(value ? 1 : 0)])
}

function integer(number: number, value: unknown): Buffer {
  return Buffer.concat([varint(number * 8), varint(Number(value))])
}

function double(number: number, value: unknown): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(Number(value))
  return Buffer.concat([varint(number * 8 + 1), bytes])
}

/** Any{yaml = 2}: JSON is YAML. */
function any(number: number, value: unknown): Buffer {
  return delimited(number, text(2, JSON.stringify(value)))
}

function each(write: FieldWriter): FieldWriter {
  return (number, values) => Buffer.concat((values as unknown[]).map((value) => write(number, value)))
}

function of(fields: () => Message): FieldWriter {
  return (number, value) => delimited(number, message(fields(), value as Json))
}

/** A message that has but this one field. */
function inside(inner: number, write: FieldWriter): FieldWriter {
  return (number, value) => delimited(number, write(inner, value))
}

/** A map, as messages of a name and a value. */
function named(write: FieldWriter): FieldWriter {
  return (number, entries) => {
    const parts = Object.entries(entries as Json).map(([name, value]) => pair(number, name, write(2, value)))
    return Buffer.concat(parts)
  }
}

function pair(number: number, name: string, value: Buffer): Buffer {
  return delimited(number, Buffer.concat([text(1, name), value]))
}

function extension(number: number, entry: unknown): Buffer {
  const [name, value] = entry as [string, unknown]
  return pair(number, name, any(2, value))
}

/** Parameters differ by their place, and each kind has its own numbers: Parameter and NonBodyParameter are unions. */
function parameter(number: number, value: unknown): Buffer {
  const sent = value as Json
  const written =
    sent['in'] === 'body'
      ? of(() => bodyFields)(1, sent)
      : delimited(2, sent['in'] === 'path' ? of(() => pathFields)(4, sent) : of(() => queryFields)(3, sent))
  return delimited(number, delimited(1, written))
}

// ---- messages

const schemaFields: Message = {
  $ref: [1, text],
  format: [2, text],
  title: [3, text],
  description: [4, text],
  default: [5, any],
  multipleOf: [6, double],
  maximum: [7, double],
  exclusiveMaximum: [8, flag],
  minimum: [9, double],
  exclusiveMinimum: [10, flag],
  maxLength: [11, integer],
  minLength: [12, integer],
  pattern: [13, text],
  maxItems: [14, integer],
  minItems: [15, integer],
  uniqueItems: [16, flag],
  maxProperties: [17, integer],
  minProperties: [18, integer],
  required: [19, each(text)],
  enum: [20, each(any)],
  additionalProperties: [21, inside(1, schema)],
  type: [22, inside(1, text)],
  items: [23, inside(1, schema)],
  properties: [25, inside(1, named(schema))],
  example: [30, any],
  'x-': [31, extension],
}

/** Schemas hold schemas. */
function schema(number: number, value: unknown): Buffer {
  return delimited(number, message(schemaFields, value as Json))
}

const bodyFields: Message = {
  description: [1, text],
  name: [2, text],
  in: [3, text],
  required: [4, flag],
  schema: [5, schema],
}

const pathFields: Message = {
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [5, text],
  format: [6, text],
  uniqueItems: [19, flag],
}

const queryFields: Message = { ...pathFields, type: [6, text], format: [7, text], uniqueItems: [20, flag] }

const responseFields: Message = { description: [1, text], schema: [2, inside(1, schema)] }

const operationFields: Message = {
  tags: [1, each(text)],
  description: [3, text],
  operationId: [5, text],
  produces: [6, each(text)],
  consumes: [7, each(text)],
  parameters: [8, each(parameter)],
  responses: [
    9,
    inside(
      1,
      named(
        inside(
          1,
          of(() => responseFields),
        ),
      ),
    ),
  ],
  deprecated: [11, flag],
  'x-': [13, extension],
}

const operation = of(() => operationFields)

const pathItemFields: Message = {
  get: [2, operation],
  put: [3, operation],
  post: [4, operation],
  delete: [5, operation],
  patch: [8, operation],
  parameters: [9, each(parameter)],
}

const infoFields: Message = { title: [1, text], version: [2, text] }

const documentFields: Message = {
  swagger: [1, text],
  info: [2, of(() => infoFields)],
  paths: [8, inside(2, named(of(() => pathItemFields)))],
  definitions: [9, inside(1, named(schema))],
}
