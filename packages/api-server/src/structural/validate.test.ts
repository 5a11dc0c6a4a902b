import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'
import { describe, expect, test } from 'vitest'
import type { ResourceSchema } from './resource-schema.ts'
import { validateValue } from './validate.ts'

const integer: ResourceSchema = { type: 'integer' }

/** What is wrong with `spec` of an object. */
function problems(spec: unknown, schema: ResourceSchema, previous?: unknown): string[] {
  const root: ResourceSchema = { type: 'object', properties: { spec: schema } }
  const before = previous === undefined ? undefined : { value: { spec: previous } }
  return validateValue({ spec }, root, '', before).map(fieldErrorMessage)
}

describe('what a schema refuses, in upstream’s words', () => {
  test.each<[unknown, ResourceSchema, string[]]>([
    ['x', integer, ['spec: Invalid value: "string": spec in body must be of type integer: "string"']],
    [1.5, integer, ['spec: Invalid value: "number": spec in body must be of type integer: "number"']],
    [null, integer, ['spec: Invalid value: "null": spec in body must be of type integer: "null"']],
    [[1], { type: 'object' }, ['spec: Invalid value: "array": spec in body must be of type object: "array"']],
    [
      true,
      { 'x-kubernetes-int-or-string': true },
      ['spec: Invalid value: "boolean": spec in body must be of type integer,string: "boolean"'],
    ],
    ['c', { type: 'string', enum: ['a', 'b'] as never }, ['spec: Unsupported value: "c": supported values: "a", "b"']],
    [3, { type: 'integer', enum: [1, 2] as never }, ['spec: Unsupported value: 3: supported values: "1", "2"']],
    ['abc', { type: 'string', maxLength: 2 }, ['spec: Too long: may not be more than 2 bytes']],
    ['', { type: 'string', minLength: 1 }, ['spec: Invalid value: "": spec in body should be at least 1 chars long']],
    ['x', { type: 'string', pattern: '^a$' }, [`spec: Invalid value: "x": spec in body should match '^a$'`]],
    [
      'x',
      { type: 'string', format: 'date-time' },
      ['spec: Invalid value: "x": spec in body must be of type date-time: "x"'],
    ],
    [0, { type: 'integer', minimum: 1 }, ['spec: Invalid value: 0: spec in body should be greater than or equal to 1']],
    [
      1,
      { type: 'number', minimum: 1, exclusiveMinimum: true },
      ['spec: Invalid value: 1: spec in body should be greater than 1'],
    ],
    [9, { type: 'integer', maximum: 8 }, ['spec: Invalid value: 9: spec in body should be less than or equal to 8']],
    [
      8,
      { type: 'integer', maximum: 8, exclusiveMaximum: true },
      ['spec: Invalid value: 8: spec in body should be less than 8'],
    ],
    [5, { type: 'integer', multipleOf: 2 }, ['spec: Invalid value: 5: spec in body should be a multiple of 2']],
    [
      [],
      { type: 'array', items: integer, minItems: 1 },
      ['spec: Invalid value: 0: spec in body should have at least 1 items'],
    ],
    [[1, 2], { type: 'array', items: integer, maxItems: 1 }, ['spec: Too many: 2: must have at most 1 item']],
    [
      [1, 'x'],
      { type: 'array', items: integer },
      ['spec[1]: Invalid value: "string": spec[1] in body must be of type integer: "string"'],
    ],
    [{}, { type: 'object', required: ['a'] }, ['spec.a: Required value']],
    [
      {},
      { type: 'object', minProperties: 1 },
      ['spec: Invalid value: 0: spec in body should have at least 1 properties'],
    ],
    [{ a: 1 }, { type: 'object', maxProperties: 0 }, ['spec: Too many: 1: must have at most 0 items']],
    [
      { a: { b: 'x' } },
      { type: 'object', additionalProperties: { type: 'object', additionalProperties: integer } },
      ['spec.a.b: Invalid value: "string": spec.a.b in body must be of type integer: "string"'],
    ],
    [
      {},
      { type: 'object', oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      [
        '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid',
        'spec.a: Required value',
      ],
    ],
    [
      { a: 1, b: 2 },
      { type: 'object', oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      ['<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ],
    [
      5,
      { type: 'integer', anyOf: [{ maximum: 3 }, { minimum: 7 }] },
      [
        '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
        'spec: Invalid value: 5: spec in body should be less than or equal to 3',
      ],
    ],
    [
      5,
      { type: 'integer', allOf: [{ maximum: 3 }, { minimum: 1 }] },
      [
        'spec: Invalid value: 5: spec in body should be less than or equal to 3',
        '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf)',
      ],
    ],
    [
      5,
      { type: 'integer', not: { minimum: 3 } },
      ['<nil>: Invalid value: "": "spec" must not validate the schema (not)'],
    ],
  ])('%j of %j', (spec, schema, messages) => {
    expect(problems(spec, schema)).toEqual(messages)
  })
})

test.each<[unknown, ResourceSchema]>([
  [1, { type: 'number' }],
  [1.0, integer],
  [null, { type: 'integer', nullable: true }],
  ['25%', { 'x-kubernetes-int-or-string': true }],
  ['😀', { type: 'string', maxLength: 1 }],
  ['x', { type: 'string', format: 'unheard-of' }],
  [{ a: 1 }, { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }],
  [{ a: 1 }, { type: 'object', oneOf: [{ required: ['a'] }, { required: ['b'] }] }],
  [0.3, { type: 'number', multipleOf: 0.1 }],
])('%j is a %j', (spec, schema) => {
  expect(problems(spec, schema)).toEqual([])
})

describe('an update that leaves a fault alone is tolerated', () => {
  const short: ResourceSchema = { type: 'string', maxLength: 1 }
  const pair: ResourceSchema = { type: 'object', properties: { a: short, b: short } }
  const named: ResourceSchema = { type: 'object', properties: { name: { type: 'string' }, value: short } }

  test.each<[string, unknown, unknown, ResourceSchema, string[]]>([
    ['of a member', { a: 'long', b: 'x' }, { a: 'long', b: 'y' }, pair, []],
    [
      'but not a new one',
      { a: 'long' },
      { a: 'long', b: 'long' },
      pair,
      ['spec.b: Too long: may not be more than 1 byte'],
    ],
    ['nor a worse one', { a: 'long' }, { a: 'longer' }, pair, ['spec.a: Too long: may not be more than 1 byte']],
    ['by its place in a list', ['long', 'x'], ['long', 'y'], { type: 'array', items: short }, []],
    [
      'by its key in a map',
      [{ name: 'a', value: 'long' }],
      [
        { name: 'b', value: 'x' },
        { name: 'a', value: 'long' },
      ],
      { type: 'array', items: named, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
      [],
    ],
    [
      'never in a set that changed',
      ['long'],
      ['long', 'x'],
      { type: 'array', items: short, 'x-kubernetes-list-type': 'set' },
      ['spec[0]: Too long: may not be more than 1 byte'],
    ],
  ])('%s', (_, before, after, schema, messages) => {
    expect(problems(after, schema, before)).toEqual(messages)
  })
})
