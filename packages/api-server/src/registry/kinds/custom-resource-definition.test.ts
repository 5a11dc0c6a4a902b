import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'
import { beforeAll, describe, expect, test } from 'vitest'
import { created, definitionOf, problemsOf, problemsOfUpdate } from '../../testing/kind-fixture.ts'

const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: open } }
const names = { plural: 'boats', kind: 'Boat' }
const boats = {
  metadata: { name: 'boats.example.com' },
  spec: { group: 'example.com', scope: 'Namespaced', names, versions: [version] },
}
function withSpec(more: object) {
  return { ...boats, spec: { ...boats.spec, ...more } }
}

function withVersion(...versions: object[]) {
  return withSpec({ versions: versions.map((more) => ({ ...version, ...more })) })
}

function withSchema(openAPIV3Schema: object, more: object = {}) {
  return withVersion({ schema: { openAPIV3Schema }, ...more })
}

function withProperty(property: object) {
  return withSchema({ type: 'object', properties: { spec: property } })
}

const { strategy } = definitionOf('customresourcedefinitions')
function problems(sent: object) {
  return problemsOf('customresourcedefinitions', sent)
}

beforeAll(async () => {
  // One with a rule, so that CEL is there.
  const ruled = withProperty({ type: 'object', 'x-kubernetes-validations': [{ rule: 'true' }] })
  await strategy.load?.(ruled as never)
})

test('what is left out follows from the kind, and the storage version is noted', () => {
  expect(created('customresourcedefinitions', boats)).toMatchObject({
    spec: { names: { singular: 'boat', listKind: 'BoatList' }, conversion: { strategy: 'None' } },
    status: { storedVersions: ['v1'] },
  })
  expect(problems(boats)).toEqual([])
})

describe('definitions that are refused', () => {
  test.each<[string, object, string[]]>([
    [
      'its name',
      { ...boats, metadata: { name: 'ships.example.com' } },
      ['metadata.name: Invalid value: "ships.example.com": must be spec.names.plural+"."+spec.group'],
    ],
    [
      'a group without a dot',
      { ...withSpec({ group: 'example' }), metadata: { name: 'boats.example' } },
      ['spec.group: Invalid value: "example": should be a domain with at least one dot'],
    ],
    ['no scope', withSpec({ scope: '' }), ['spec.scope: Required value']],
    [
      'another scope',
      withSpec({ scope: 'Galaxy' }),
      ['spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'],
    ],
    [
      'no schema',
      withVersion({ schema: undefined }),
      ['spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required'],
    ],
    [
      'two storage versions of one name',
      withVersion({}, {}),
      [
        expect.stringMatching(/^spec.versions: Invalid value: .*: must contain unique version names$/),
        expect.stringMatching(
          /^spec.versions: Invalid value: .*: must have exactly one version marked as storage version$/,
        ),
      ],
    ],
    [
      'names',
      withSpec({ names: { plural: 'boats', kind: 'Boat', listKind: 'Boat', shortNames: ['B'] } }),
      [
        'spec.names.listKind: Invalid value: "Boat": kind and listKind may not be the same',
        expect.stringContaining('spec.names.shortNames[0]: Invalid value: "B": a DNS-1035 label must consist of'),
      ],
    ],
    [
      'no kind',
      withSpec({ names: { plural: 'boats' } }),
      ['spec.names.singular: Required value', 'spec.names.kind: Required value', 'spec.names.listKind: Required value'],
    ],
    [
      'a webhook that nobody converts with',
      withSpec({ conversion: { strategy: 'Webhook' } }),
      [
        'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
        'spec.conversion.conversionReviewVersions: Required value',
      ],
    ],
    [
      'a webhook without the strategy',
      withSpec({
        conversion: {
          strategy: 'None',
          webhook: { clientConfig: { url: 'https://x.example' }, conversionReviewVersions: ['v1'] },
        },
      }),
      [
        'spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook',
        'spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook',
      ],
    ],
    [
      'unknown fields kept the old way',
      withSpec({ preserveUnknownFields: true }),
      [
        'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ],
    ],
    [
      'a group of the community’s',
      { ...withSpec({ group: 'boats.k8s.io' }), metadata: { name: 'boats.boats.k8s.io' } },
      [
        'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ],
    ],
    [
      'columns',
      withVersion({ additionalPrinterColumns: [{ name: 'Age', type: 'time', jsonPath: 'metadata' }] }),
      [
        'spec.additionalPrinterColumns[0].type: Invalid value: "time": must be one of boolean,date,integer,number,string',
        'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "metadata": must be a simple json path starting with .',
      ],
    ],
    [
      'columns of one version only',
      withVersion({ additionalPrinterColumns: [{ name: 'A', type: 'date' }] }, { name: 'v2', storage: false }),
      ['spec.versions[0].additionalPrinterColumns[0].JSONPath: Required value'],
    ],
    [
      'scale',
      withVersion({ subresources: { scale: { specReplicasPath: '.status.x', labelSelectorPath: '.x' } } }),
      [
        'spec.subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a json path under .spec',
        'spec.subresources.scale.statusReplicasPath: Required value',
        'spec.subresources.scale.labelSelectorPath: Invalid value: ".x": should be a json path under either .spec or .status',
      ],
    ],
    [
      'a warning of what is not old',
      withVersion({ deprecationWarning: 'old' }),
      ['spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions'],
    ],
  ])('%s', (_, sent, messages) => {
    expect(problems(sent)).toEqual(messages)
  })

  test.each(['https://github.com/kubernetes/kubernetes/pull/1', 'unapproved, a test'])('approved: %s', (approval) => {
    const metadata = { name: 'boats.boats.k8s.io', annotations: { 'api-approved.kubernetes.io': approval } }
    expect(problems({ ...withSpec({ group: 'boats.k8s.io' }), metadata })).toEqual([])
  })
})

describe('schemas that are refused', () => {
  const spec = 'spec.validation.openAPIV3Schema.properties[spec]'

  test.each<[object, string[]]>([
    [
      withSchema({ properties: {} }),
      ['spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root'],
    ],
    [
      withSchema({ type: 'string' }),
      ['spec.validation.openAPIV3Schema.type: Invalid value: "string": must be object at the root'],
    ],
    [withProperty({}), [`${spec}.type: Required value: must not be empty for specified object fields`]],
    [
      withProperty({ type: 'array', items: {} }),
      [`${spec}.items.type: Required value: must not be empty for specified array items`],
    ],
    [withProperty({ type: 'array' }), [`${spec}.items: Required value: must be specified`]],
    [
      withProperty({ type: 'text' }),
      [
        `${spec}.type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"`,
      ],
    ],
    [
      withProperty({ type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false }),
      [`${spec}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`],
    ],
    [
      withProperty({ type: 'array', items: { type: 'string' }, uniqueItems: true }),
      [
        `${spec}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
      ],
    ],
    [
      withSchema({ type: 'object', anyOf: [{ type: 'object', properties: { a: { minimum: 1 } } }] }),
      [
        'spec.validation.openAPIV3Schema.anyOf[0].type: Forbidden: must be empty to be structural',
        'spec.validation.openAPIV3Schema.properties[a]: Required value: because it is defined in spec.validation.openAPIV3Schema.anyOf[0].properties[a]',
      ],
    ],
    [
      withProperty({ type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' }),
      [`${spec}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`],
    ],
    [
      withProperty({
        type: 'array',
        items: { type: 'object', properties: { port: { type: 'integer' } } },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['port'],
      }),
      [
        `${spec}.items.properties[port].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
      ],
    ],
    [
      withProperty({ type: 'string', 'x-kubernetes-validations': [{ rule: ' ' }] }),
      [`${spec}.x-kubernetes-validations[0].rule: Required value: rule is not specified`],
    ],
    [
      withSchema({ type: 'object', properties: { metadata: { type: 'object', properties: { labels: open } } } }),
      [
        'spec.validation.openAPIV3Schema.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
      ],
    ],
    [
      withSchema({ type: 'object', minProperties: 1 }, { subresources: { status: {} } }),
      [
        expect.stringMatching(
          /^spec.validation.openAPIV3Schema: Invalid value: .*: only \[Description Type .*\] fields are allowed at the root of the schema if the status subresource is enabled$/,
        ),
      ],
    ],
  ])('%#', (sent, messages) => {
    expect(problems(sent)).toEqual(messages)
  })

  test('while the ways in which types may be alternatives are fine', () => {
    const types = [{ type: 'integer' }, { type: 'string' }]
    const either = { 'x-kubernetes-int-or-string': true, anyOf: types }
    const limited = { 'x-kubernetes-int-or-string': true, allOf: [{ anyOf: types }, { pattern: '^a' }] }
    const map = { type: 'object', additionalProperties: { type: 'string' } }
    const metadata = { type: 'object', properties: { name: { type: 'string', maxLength: 9 } } }
    const properties = {
      kind: { type: 'string' },
      metadata,
      spec: { type: 'object', properties: { either, limited, map } },
    }
    expect(problems(withSchema({ type: 'object', properties }))).toEqual([])
  })
})

describe('schemas that are tried', () => {
  const at = 'spec.validation.openAPIV3Schema.properties[spec]'
  const integer = { type: 'integer' }
  const ruled = (schema: object, ...rules: object[]) => ({ ...schema, 'x-kubernetes-validations': rules })
  const object = { type: 'object', properties: { n: integer } }
  const items = { type: 'array', items: { type: 'object', properties: { s: { type: 'string' } } } }

  test.each<[string, object, (string | RegExp)[]]>([
    [
      'a pattern',
      { type: 'string', pattern: '(' },
      [/\.pattern: Invalid value: "\(": must be a valid regular expression, but isn't: error parsing regexp/],
    ],
    [
      'a default of another type',
      { type: 'integer', default: 'x' },
      [`${at}.default: Invalid value: "string":  in body must be of type integer: "string"`],
    ],
    [
      'a default with fields that are not known',
      { type: 'object', default: { a: 1 } },
      [`${at}.default: Invalid value: {"a":1}: must not have unknown fields`],
    ],
    [
      'a default inside of one',
      { type: 'object', properties: { n: { ...integer, minimum: 2, default: 1 } } },
      [`${at}.properties[n].default: Invalid value: 1:  in body should be greater than or equal to 2`],
    ],
    [
      'a rule that speaks of nothing',
      ruled(object, { rule: 'self.x > 0' }),
      [
        /x-kubernetes-validations\[0\]\.rule: Invalid value: .*: compilation failed: ERROR: <input>:1:6: undefined field 'x'/,
      ],
    ],
    ['a rule that is none', ruled(object, { rule: 'self.n' }), [/cel expression must evaluate to a bool$/]],
    [
      'a message that is none',
      ruled(object, { rule: 'self.n > 0', messageExpression: 'self.n' }),
      [/messageExpression: Invalid value: .*: messageExpression must evaluate to a string$/],
    ],
    [
      'a field that is none',
      ruled(object, { rule: 'self.n > 0', fieldPath: '.x' }),
      [`${at}.x-kubernetes-validations[0].fieldPath: Invalid value: ".x": fieldPath must be a valid path`],
    ],
    [
      'a rule without bounds',
      ruled(items, { rule: 'self.all(a, self.all(b, a.s == b.s))' }),
      [
        /\.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x \(try simplifying the rule/,
        /\.rule: Forbidden: contributed to/,
        /Schema: Forbidden: x-kubernetes-validations estimated rule cost total/,
      ],
    ],
    [
      'the same with bounds',
      ruled({ ...items, maxItems: 5 }, { rule: 'self.all(a, self.all(b, a.s == b.s || true))' }),
      [],
    ],
    [
      'an old value that cannot be told',
      { type: 'array', maxItems: 2, items: ruled(integer, { rule: 'self >= oldSelf' }) },
      [
        `${at}.items.x-kubernetes-validations[0].rule: Invalid value: "self >= oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ${at}`,
      ],
    ],
    [
      'an option that nobody asks for',
      ruled(object, { rule: 'self.n > 0', optionalOldSelf: true }),
      [/optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule$/],
    ],
    ['what is as it should be', ruled(object, { rule: 'self.n >= oldSelf.n', fieldPath: '.n' }), []],
  ])('%s', (_, property, messages) => {
    const expected = messages.map((one): unknown => (typeof one === 'string' ? one : expect.stringMatching(one)))
    expect(problems(withProperty(property))).toEqual(expected)
  })

  test('but not once they are stored', () => {
    const stored = withProperty({ type: 'integer', default: 'x' })
    expect(problemsOfUpdate('customresourcedefinitions', stored, () => undefined)).toEqual([])
  })
})

test('fields that can be selected by are there, and simple', () => {
  const properties = { s: { type: 'string' }, o: { type: 'object', properties: { n: { type: 'integer' } } } }
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } }
  const paths = ['.spec.s', '.spec.o.n', '.spec.o', '.spec.x', ".spec['s']", '.spec.s', 'spec']
  const selectableFields = paths.map((jsonPath) => ({ jsonPath }))
  expect(problems(withVersion({ schema, selectableFields }))).toEqual([
    'spec.selectableFields[2].jsonPath: Invalid value: ".spec.o": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
    'spec.selectableFields[3].jsonPath: Invalid value: ".spec.x": is an invalid path: does not refer to a valid field',
    `spec.selectableFields[4].jsonPath: Invalid value: ".spec['s']": is an invalid path: array notation is not allowed`,
    'spec.selectableFields[5].jsonPath: Duplicate value: ".spec.s"',
    'spec.selectableFields[6].jsonPath: Invalid value: "spec": is an invalid path: expected [ or . but got: spec',
  ])
})

describe('what may not change', () => {
  const change = (sent: object, more: object) =>
    problemsOfUpdate('customresourcedefinitions', sent, ({ spec }) => Object.assign(spec, more))

  test('its group and plural never', () => {
    expect(change(boats, { group: 'example.org', names: { ...names, plural: 'ships' } })).toEqual([
      'spec.group: Invalid value: "example.org": field is immutable',
      'spec.names.plural: Invalid value: "ships": field is immutable',
    ])
  })

  test('its scope and kind once it is established', () => {
    const other = { scope: 'Cluster', names: { ...names, kind: 'Ship' } }
    expect(change(boats, other)).toEqual([])
    const previous = created('customresourcedefinitions', boats)
    Object.assign(previous.status, { conditions: [{ type: 'Established', status: 'True' }] })
    const next = structuredClone(previous)
    Object.assign(next.spec, other)
    expect(strategy.validateUpdate?.(next, previous).map(fieldErrorMessage)).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
      'spec.names.kind: Invalid value: "Ship": field is immutable',
    ])
  })

  test('a new storage version is noted, and the old one may not be dropped', () => {
    const previous = created('customresourcedefinitions', boats)
    const next = structuredClone(previous)
    Object.assign(next.spec, { versions: [{ ...version, name: 'v2' }] })
    strategy.prepareForUpdate?.(next, previous)
    expect(next.status).toMatchObject({ storedVersions: ['v1', 'v2'] })
    expect(strategy.validate?.(next).map(fieldErrorMessage)).toEqual([
      expect.stringMatching(/^status.storedVersions\[0\]: Invalid value: "v1": missing from spec.versions; v1 was /),
    ])
  })
})
