import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Cel } from '../cel/cel.ts'
import { loadCel } from '../cel/load-cel.ts'
import { evaluateRules } from './evaluate-rules.ts'
import type { ResourceSchema, ValidationRule } from './resource-schema.ts'
import { compileRules } from './rules.ts'

let cel: Cel
beforeAll(async () => {
  cel = await loadCel()
})

const text: ResourceSchema = { type: 'string' }
const integer: ResourceSchema = { type: 'integer' }
const named: ResourceSchema = { type: 'object', properties: { name: text, n: integer } }
const parts: ResourceSchema = {
  type: 'object',
  properties: {
    n: integer,
    max: integer,
    'my-field': text,
    port: { 'x-kubernetes-int-or-string': true },
    since: { type: 'string', format: 'date-time' },
    map: { type: 'object', additionalProperties: integer },
    list: { type: 'array', items: named },
    keyed: { type: 'array', items: named, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
  },
}

/** What is wrong with `spec`, of which the rules are. */
function problems(rules: ValidationRule[], spec: object, old?: object, schema = parts): string[] {
  const withRules: ResourceSchema = { ...schema, 'x-kubernetes-validations': rules }
  return problemsIn({ type: 'object', properties: { spec: withRules } }, { spec }, old && { spec: old })
}

function problemsIn(schema: ResourceSchema, next: object, previous?: object): string[] {
  const node = compileRules(cel, schema)
  return node ? evaluateRules(cel, node, next, previous).map(fieldErrorMessage) : ['there is no rule']
}

describe('what a rule says when it is broken', () => {
  const broken = 'self.n <= self.max'
  const spec = { n: 3, max: 2 }

  test.each<[ValidationRule, string]>([
    [{ rule: broken }, `spec: Invalid value: "object": failed rule: ${broken}`],
    [{ rule: broken, message: 'too many' }, 'spec: Invalid value: "object": too many'],
    [
      { rule: broken, messageExpression: '"%d is more than %d".format([self.n, self.max])' },
      'spec: Invalid value: "object": 3 is more than 2',
    ],
    [
      { rule: broken, message: 'too many', messageExpression: 'self.list[0].name' },
      'spec: Invalid value: "object": too many',
    ],
    [{ rule: broken, message: 'too many', fieldPath: '.n' }, 'spec.n: Invalid value: "object": too many'],
    [{ rule: broken, message: 'x', reason: 'FieldValueForbidden' }, 'spec: Forbidden: x'],
    [{ rule: broken, message: 'x', reason: 'FieldValueRequired', fieldPath: '.max' }, 'spec.max: Required value: x'],
    [{ rule: broken, message: 'x', reason: 'FieldValueDuplicate' }, 'spec: Duplicate value: "object"'],
    [
      { rule: 'self.list[5].n == 1' },
      'spec: Invalid value: "object": no such key: list evaluating rule: self.list[5].n == 1',
    ],
  ])('%j', (rule, message) => {
    expect(problems([rule], spec)).toEqual([message])
  })
})

test.each<[string, object]>([
  ['self.n <= self.max', { n: 1, max: 2 }],
  ['!has(self.n) || self.n > 0', {}],
  ['self.my__dash__field == "x"', { 'my-field': 'x' }],
  ['type(self.port) == int ? self.port < 10 : self.port.endsWith("%")', { port: '5%' }],
  ['self.since < timestamp("2030-01-01T00:00:00Z")', { since: '2025-01-01T00:00:00Z' }],
  ['self.map.all(k, self.map[k] > 0)', { map: { a: 1 } }],
  ['self.list.exists(x, x.name == "a")', { list: [{ name: 'a' }] }],
])('%s holds of %j', (rule, spec) => {
  expect(problems([{ rule }], spec)).toEqual([])
})

test('a rule of the root sees the name of the object, and of metadata no more', () => {
  const schema = (rule: string): ResourceSchema => ({ type: 'object', 'x-kubernetes-validations': [{ rule }] })
  const object = { metadata: { name: 'a', labels: { x: 'y' } } }
  expect(problemsIn(schema('self.metadata.name == "b"'), object)).toEqual([
    '<nil>: Invalid value: "object": failed rule: self.metadata.name == "b"',
  ])
  expect(problemsIn(schema('self.metadata.labels.x == "y"'), object)[0]).toContain("undefined field 'labels'")
})

test('rules of items, members and entries name their place', () => {
  const rules = [{ rule: 'self > 0', message: 'positive' }]
  const positive: ResourceSchema = { ...integer, 'x-kubernetes-validations': rules }
  const properties = {
    list: { type: 'array', items: positive },
    map: { type: 'object', additionalProperties: positive },
    one: positive,
  }
  const object = { list: [1, 0], map: { a: 0 }, one: 0 }
  expect(problemsIn({ type: 'object', properties }, object)).toEqual([
    'list[1]: Invalid value: "integer": positive',
    'map[a]: Invalid value: "integer": positive',
    'one: Invalid value: "integer": positive',
  ])
})

describe('transition rules', () => {
  test.each<[string, ValidationRule, object, object | undefined, number]>([
    ['are not asked of what is new', { rule: 'self == oldSelf' }, { n: 1 }, undefined, 0],
    ['hold of what stays', { rule: 'self == oldSelf' }, { n: 1 }, { n: 1 }, 0],
    ['do not hold of what changes', { rule: 'self == oldSelf' }, { n: 2 }, { n: 1 }, 1],
    ['may grow', { rule: 'self.n >= oldSelf.n' }, { n: 2 }, { n: 1 }, 0],
    [
      'are asked of what is new if they take that as an option',
      { rule: 'oldSelf.hasValue() || self.n == 1', optionalOldSelf: true },
      { n: 2 },
      undefined,
      1,
    ],
    [
      'with the old value in the option',
      { rule: 'self.n == oldSelf.orValue({"n": 0}).n + 1', optionalOldSelf: true },
      { n: 2 },
      { n: 1 },
      0,
    ],
  ])('%s', (_, rule, spec, old, faults) => {
    expect(problems([rule], spec, old)).toHaveLength(faults)
  })

  test('know the items of a list by their keys', () => {
    const fixed: ResourceSchema = { ...named, 'x-kubernetes-validations': [{ rule: 'self.n == oldSelf.n' }] }
    const keyed: ResourceSchema = { ...parts.properties?.['keyed'], items: fixed }
    const old = [{ name: 'a', n: 1 }]
    const next = [
      { name: 'b', n: 2 },
      { name: 'a', n: 3 },
    ]
    const schema: ResourceSchema = { type: 'object', properties: { keyed } }
    expect(problemsIn(schema, { keyed: next }, { keyed: old })).toEqual([
      'keyed[1]: Invalid value: "object": failed rule: self.n == oldSelf.n',
    ])
  })
})

test('an update that leaves alone what broke a rule is tolerated', () => {
  const rules = [{ rule: 'self.n < 2', message: 'small' }]
  expect(problems(rules, { n: 3 }, { n: 3 })).toEqual([])
  expect(problems(rules, { n: 4 }, { n: 3 })).toEqual(['spec: Invalid value: "object": small'])
})

test('rules that go on for too long are stopped, and nothing after them is asked', () => {
  const list = Array.from({ length: 300 }, (_, n) => ({ n }))
  const slow = 'self.list.all(a, self.list.all(b, self.list.all(c, a.n + b.n + c.n >= 0)))'
  expect(problems([{ rule: slow }, { rule: 'false' }], { list })).toEqual([
    `spec: Invalid value: "object": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: ${slow}`,
  ])
})
