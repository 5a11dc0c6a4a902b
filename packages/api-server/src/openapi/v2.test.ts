import { expect, test } from 'vitest'
import { openApiV2 } from './v2.ts'

function inVersion2(schema: object) {
  const made = openApiV2([{ paths: {}, components: { schemas: { it: { ...schema } } } }], 'v1.33.0')
  return (made as { definitions: Record<string, object> }).definitions['it']
}

const a = { type: 'string' }
const open = { 'x-kubernetes-preserve-unknown-fields': true }

test.each([
  [
    'either of two types',
    { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
    { format: 'int-or-string', type: 'string' },
  ],
  [
    'a reference with a description',
    { description: 'd', allOf: [{ $ref: '#/components/schemas/other' }] },
    { description: 'd', $ref: '#/definitions/other' },
  ],
  [
    'one of two fields',
    { type: 'object', properties: { a }, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    { type: 'object', properties: { a } },
  ],
  [
    'what else a value must or must not be',
    { type: 'string', allOf: [{ maxLength: 1 }], anyOf: [{ minLength: 1 }], not: { enum: ['x'] } },
    { type: 'string' },
  ],
  [
    'null',
    { type: 'object', required: ['a', 'b'], properties: { a: { ...a, nullable: true }, b: a } },
    { type: 'object', required: ['b'], properties: { a: {}, b: a } },
  ],
  ['an object that may be null', { type: 'object', nullable: true, properties: { a } }, {}],
  [
    'a map of what may be null',
    { type: 'object', required: ['a'], additionalProperties: { ...a, nullable: true } },
    { type: 'object', additionalProperties: {} },
  ],
  ['an object with fields of its own', { ...open, type: 'object', properties: { a } }, open],
  ['a list with fields of its own', { ...open, type: 'array', items: a }, open],
])('%s', (_, schema, expected) => {
  expect(inVersion2(schema)).toEqual(expected)
})
