import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { fillDefaults } from './fill-defaults.ts'
import { validateListTypes } from './list-types.ts'
import { conformResource, withPrunedDefaults } from './prune.ts'
import type { ResourceSchema } from './resource-schema.ts'

const types = loadSchema()
const text: ResourceSchema = { type: 'string' }
const open: ResourceSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

function conformed(spec: unknown, schema: ResourceSchema): [unknown, string[]] {
  const root: ResourceSchema = { type: 'object', properties: { spec: schema } }
  const sent = { apiVersion: 'example.com/v1', kind: 'Widget', spec }
  const { object, unknownFields } = conformResource(sent, root, types)
  expect(object).toMatchObject({ apiVersion: 'example.com/v1', kind: 'Widget' })
  return [object['spec'], unknownFields]
}

describe('what the schema does not know is dropped and named', () => {
  test.each<[string, unknown, ResourceSchema, unknown, string[]]>([
    ['a field', { a: 'x', b: 1 }, { type: 'object', properties: { a: text } }, { a: 'x' }, ['spec.b']],
    [
      'inside a list',
      [{ a: 'x', b: 1 }],
      { type: 'array', items: { type: 'object', properties: { a: text } } },
      [{ a: 'x' }],
      ['spec[0].b'],
    ],
    [
      'inside a map',
      { k: { a: 'x', b: 1 } },
      { type: 'object', additionalProperties: { type: 'object', properties: { a: text } } },
      { k: { a: 'x' } },
      ['spec.k.b'],
    ],
    ['everything of an object without properties', { a: { b: 1 } }, { type: 'object' }, {}, ['spec.a']],
    ['nothing where unknown fields are preserved', { a: { b: [null] } }, open, { a: { b: [null] } }, []],
    [
      'though known ones are pruned there',
      { a: { b: 1 }, c: { d: 1 } },
      { ...open, properties: { a: { type: 'object' } } },
      { a: {}, c: { d: 1 } },
      ['spec.a.b'],
    ],
    [
      'nothing inside a list that preserves',
      [{ a: 1 }],
      { type: 'array', items: { type: 'object' }, 'x-kubernetes-preserve-unknown-fields': true },
      [{ a: 1 }],
      [],
    ],
    ['not a value of the wrong type', 'x', { type: 'object', properties: { a: text } }, 'x', []],
  ])('%s', (_, spec, schema, kept, unknown) => {
    expect(conformed(spec, schema)).toEqual([kept, unknown.map((path) => `unknown field "${path}"`)])
  })
})

test('a null that must not be is dropped, unless a default will take its place', () => {
  const properties = {
    gone: text,
    stays: { ...text, nullable: true },
    replaced: { ...text, default: 'x' as never },
  }
  const [spec] = conformed({ gone: null, stays: null, replaced: null }, { type: 'object', properties })
  expect(spec).toEqual({ stays: null, replaced: null })
})

describe('metadata', () => {
  const embedded: ResourceSchema = { ...open, 'x-kubernetes-embedded-resource': true }

  test('of the object and of one inside gets the form of an ObjectMeta', () => {
    const metadata = { name: 'a', labels: { a: 'b' }, nonsense: 1 }
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { any: 'thing' } }
    const root: ResourceSchema = { type: 'object', properties: { template: embedded } }
    const { object, unknownFields } = conformResource({ metadata, template: pod }, root, types)
    expect(object).toEqual({
      metadata: { name: 'a', labels: { a: 'b' } },
      template: { ...pod, metadata: { name: 'a', labels: { a: 'b' } } },
    })
    expect(unknownFields).toEqual(['unknown field "template.metadata.nonsense"', 'unknown field "metadata.nonsense"'])
  })

  test.each([
    [
      { metadata: { labels: { a: 1 } } },
      'json: cannot unmarshal number into Go struct field ObjectMeta.labels of type',
    ],
    [{ spec: { kind: 1 } }, 'spec.kind: Invalid value: 1: must be a string'],
    [{ spec: { metadata: 'x' } }, 'spec.metadata: Invalid value: "x": json: cannot unmarshal string'],
    ['x', 'expected an object'],
  ])('of the wrong form is refused: %j', (sent, message) => {
    const root: ResourceSchema = { type: 'object', properties: { spec: embedded } }
    expect(() => conformResource(sent, root, types)).toThrow(message)
  })
})

describe('defaults', () => {
  const one = { type: 'integer', default: 1 as never } as ResourceSchema

  test.each<[string, unknown, ResourceSchema, unknown]>([
    ['what is missing', {}, { type: 'object', properties: { a: one } }, { a: 1 }],
    ['not what is there', { a: 0 }, { type: 'object', properties: { a: one } }, { a: 0 }],
    ['a null that must not be', { a: null }, { type: 'object', properties: { a: one } }, { a: 1 }],
    ['not one that may', { a: null }, { type: 'object', properties: { a: { ...one, nullable: true } } }, { a: null }],
    ['nothing in an object that is not there', {}, { properties: { a: { properties: { b: one } } } }, {}],
    ['step by step', {}, { properties: { a: { default: {}, properties: { b: one } } } }, { a: { b: 1 } }],
    ['in lists', [{}, null], { items: { default: { b: 2 }, properties: { a: one } } }, [{ a: 1 }, { a: 1, b: 2 }]],
    ['in maps', { k: {} }, { additionalProperties: { properties: { a: one } } }, { k: { a: 1 } }],
  ])('%s', (_, value, schema, filled) => {
    fillDefaults(value, schema)
    expect(value).toEqual(filled)
  })

  test('each gets a copy of its own', () => {
    const schema: ResourceSchema = { properties: { a: { type: 'object', default: { list: [] } } } }
    const [first, second] = [{}, {}] as { a?: object }[]
    fillDefaults(first, schema)
    fillDefaults(second, schema)
    expect(first?.a).not.toBe(second?.a)
  })

  test('hold only what the schema knows', () => {
    const schema = withPrunedDefaults(
      { properties: { a: { type: 'object', properties: { b: one }, default: { b: 2, c: 3 } } } },
      types,
    )
    expect(schema.properties?.['a']?.default).toEqual({ b: 2 })
  })
})

test.each<[unknown[], string, string[], [string, unknown][]]>([
  [['a', 'b', 'a', 'a'], 'set', [], [['spec[2]', 'a']]],
  [
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    'set',
    [],
    [['spec[1]', { b: 2, a: 1 }]],
  ],
  [[{ name: 'a' }, { name: 'b' }], 'map', ['name'], []],
  [[{ name: 'a' }, { name: 'a', more: 1 }], 'map', ['name'], [['spec[1]', { name: 'a' }]]],
  [
    [
      { a: 1, b: 1 },
      { a: 1, b: 2 },
      { a: 1, b: 1 },
    ],
    'map',
    ['a', 'b'],
    [['spec[2]', { a: 1, b: 1 }]],
  ],
  [['x'], 'map', ['name'], [['spec[0]', 'x']]],
  [['a', 'a'], 'atomic', [], []],
])('%j as a %s by %j', (list, type, keys, found) => {
  const schema: ResourceSchema = {
    properties: {
      spec: { type: 'array', items: {}, 'x-kubernetes-list-type': type, 'x-kubernetes-list-map-keys': keys },
    },
  }
  expect(validateListTypes({ spec: list }, schema).map(({ field, value }) => [field, value])).toEqual(found)
})
