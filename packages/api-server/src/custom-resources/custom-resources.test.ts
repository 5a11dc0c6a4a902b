import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serverFixture, type Answer, type Json } from '../testing/server-fixture.ts'

let fixture: Awaited<ReturnType<typeof serverFixture>>
beforeEach(async () => {
  fixture = await serverFixture()
})
afterEach(async () => {
  await fixture.close()
  expect(fixture.log).toEqual([])
})

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const boats = '/apis/example.com/v1/namespaces/default/boats'
const jsonPatch = { 'content-type': 'application/json-patch+json' }
const mergePatch = { 'content-type': 'application/merge-patch+json' }
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }

function ask(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Answer> {
  return fixture.ask(method, path, body, headers)
}

const sails = { type: 'integer', minimum: 1, default: 2 }
const crew = {
  type: 'array',
  items: {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' }, role: { type: 'string' } },
  },
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['name'],
}
const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      description: 'What the boat is to be.',
      properties: { sails, crew, tag: { type: 'string' } },
    },
    status: { type: 'object', properties: { afloat: { type: 'boolean', default: false }, sails: { type: 'integer' } } },
  },
}
const version = {
  name: 'v1',
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema },
  subresources: { status: {}, scale: { specReplicasPath: '.spec.sails', statusReplicasPath: '.status.sails' } },
  additionalPrinterColumns: [
    { name: 'Sails', type: 'integer', jsonPath: '.spec.sails' },
    { name: 'Mate', type: 'string', jsonPath: '.spec.crew[?(@.role=="mate")].name', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  selectableFields: [{ jsonPath: '.spec.tag' }],
}

function definition(spec: object = {}, versions: object[] = [version], name = 'boats.example.com') {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'boats', kind: 'Boat', shortNames: ['bt'], categories: ['all', 'fleet'] },
      versions,
      ...spec,
    },
  }
}

function boat(name: string, spec: object = {}, more: object = {}) {
  return { apiVersion: 'example.com/v1', kind: 'Boat', metadata: { name }, spec, ...more }
}

/** Asks again until the answer is as it should be; a test that waits for what never comes ends by its timeout. */
async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise(setImmediate)
}

/** Resolves when the definition is stored and its versions are served. */
async function define(body: object = definition()): Promise<void> {
  const { code, text } = await ask('POST', crds, body)
  expect([code, text]).toEqual([201, text])
  const { name } = (body as { metadata: { name: string } }).metadata
  await until(async () => (await conditionsOf(name))['Established'] === 'True')
  await until(async () => (await ask('GET', '/apis/example.com')).code === 200)
}

async function conditionsOf(name = 'boats.example.com'): Promise<Record<string, string>> {
  const { status } = (await ask('GET', `${crds}/${name}`)).json
  const conditions = (status?.['conditions'] ?? []) as unknown as { type: string; status: string }[]
  return Object.fromEntries(conditions.map((condition) => [condition.type, condition.status]))
}

/** Changes the definition and waits until the change is served. */
async function redefine(patch: object[], isServed: () => Promise<boolean>): Promise<void> {
  const answer = await ask('PATCH', `${crds}/boats.example.com`, patch, jsonPatch)
  expect([answer.code, answer.text]).toEqual([200, answer.text])
  await until(isServed)
}

function field(answer: Answer, ...path: string[]): unknown {
  return path.reduce<Json | undefined>((value, key) => value?.[key], answer.json)
}

describe('a definition is served', () => {
  test('in discovery of both kinds, with its subresources', async () => {
    await define()
    const list = (await ask('GET', '/apis/example.com/v1')).json['resources'] as unknown as object[]
    expect(list).toMatchObject([
      { name: 'boats', singularName: 'boat', kind: 'Boat', shortNames: ['bt'], categories: ['all', 'fleet'] },
      { name: 'boats/status', kind: 'Boat', verbs: ['get', 'patch', 'update'] },
      { name: 'boats/scale', group: 'autoscaling', version: 'v1', kind: 'Scale' },
    ])
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
    const { text } = await ask('GET', '/apis', undefined, { accept })
    expect(text).toContain('"metadata":{"name":"example.com"')
  })

  test('in OpenAPI, as its author described it', async () => {
    await define()
    const schemas = field(await ask('GET', '/openapi/v3/apis/example.com/v1'), 'components', 'schemas') as object
    expect(schemas).toMatchObject({
      'com.example.v1.Boat': {
        type: 'object',
        properties: {
          kind: { type: 'string' },
          metadata: { allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }] },
          spec: { description: 'What the boat is to be.', properties: { sails } },
        },
        'x-kubernetes-group-version-kind': [{ group: 'example.com', version: 'v1', kind: 'Boat' }],
      },
      'com.example.v1.BoatList': { required: ['items'] },
    })
    const before = (await ask('GET', '/openapi/v3')).json['paths']?.['apis/example.com/v1']
    const at = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/description'
    await redefine([{ op: 'replace', path: at, value: 'Changed.' }], async () => {
      const after = (await ask('GET', '/openapi/v3')).json['paths']?.['apis/example.com/v1']
      return JSON.stringify(after) !== JSON.stringify(before)
    })
  })

  test('with a version that is not served left out', async () => {
    await define(definition({}, [version, { ...version, name: 'v2', storage: false, served: false }]))
    expect((await ask('GET', '/apis/example.com/v1')).code).toBe(200)
    expect((await ask('GET', '/apis/example.com/v2')).code).toBe(404)
  })

  test('and not when another has its names', async () => {
    await define()
    const rival = definition(
      { names: { plural: 'ships', kind: 'Boat', shortNames: ['bt'] } },
      [version],
      'ships.example.com',
    )
    expect((await ask('POST', crds, rival)).code).toBe(201)
    await until(async () => (await conditionsOf('ships.example.com'))['NamesAccepted'] === 'False')
    const { status } = (await ask('GET', `${crds}/ships.example.com`)).json
    expect(status?.['acceptedNames']).toEqual({ plural: 'ships', kind: '' })
  })
})

describe('an object of it', () => {
  beforeEach(() => define())

  test('is pruned, defaulted, and numbered by what was wished for', async () => {
    const sent = boat('a', { nonsense: 1 }, { status: { afloat: true } })
    const created = await ask('POST', boats, sent)
    expect(created.code).toBe(201)
    expect(created.headers.warning).toBe('299 - "unknown field \\"spec.nonsense\\""')
    expect(created.json).toMatchObject({ metadata: { generation: 1 }, spec: { sails: 2 } })
    expect(created.json).not.toHaveProperty('status')
    const scaled = await ask('PATCH', `${boats}/a`, { spec: { sails: 3 } }, mergePatch)
    expect(field(scaled, 'metadata', 'generation')).toBe(2)
    const labelled = await ask('PATCH', `${boats}/a`, { metadata: { labels: { a: 'b' } } }, mergePatch)
    expect(field(labelled, 'metadata', 'generation')).toBe(2)
  })

  test.each([
    ['Strict', 400, undefined],
    ['Warn', 201, '299 - "unknown field \\"spec.x\\"", 299 - "unknown field \\"y\\""'],
    ['Ignore', 201, undefined],
  ])('with unknown fields, fieldValidation=%s', async (mode, code, warning) => {
    const answer = await ask('POST', `${boats}?fieldValidation=${mode}`, boat('a', { x: 1 }, { y: 1 }))
    expect([answer.code, answer.headers.warning]).toEqual([code, warning])
    if (code === 400) expect(answer.json['message']).toContain('strict decoding error: unknown field "spec.x"')
  })

  test('that breaks its schema is refused with every fault', async () => {
    const answer = await ask('POST', boats, boat('a', { sails: 0, crew: [{ name: 'x' }, { name: 'x' }, {}] }))
    expect(answer.code).toBe(422)
    expect(answer.json['message']).toBe(
      'Boat.example.com "a" is invalid: [spec.sails: Invalid value: 0: spec.sails in body should be greater than or equal to 1, spec.crew[2].name: Required value, spec.crew[1]: Duplicate value: {"name":"x"}]',
    )
  })

  test('with metadata of the wrong form is refused', async () => {
    const answer = await ask('POST', boats, { ...boat('a'), metadata: { name: 'a', labels: { a: 1 } } })
    expect([answer.code, answer.json['message']]).toEqual([400, expect.stringContaining('cannot unmarshal number')])
  })

  test('has a status of its own', async () => {
    await ask('POST', boats, boat('a', { sails: 4 }))
    const sent = { spec: { sails: 9 }, status: { afloat: true }, metadata: { labels: { no: 'way' } } }
    const written = await ask('PATCH', `${boats}/a/status`, sent, mergePatch)
    expect(written.json).toMatchObject({ spec: { sails: 4 }, status: { afloat: true }, metadata: { generation: 1 } })
    expect(written.json['metadata']).not.toHaveProperty('labels')
    const wrong = await ask('PATCH', `${boats}/a/status`, { status: { sails: 'x' } }, mergePatch)
    expect(wrong.json['message']).toContain(
      'status.sails: Invalid value: "string": sails in body must be of type integer: "string"',
    )
    const replaced = await ask('PATCH', `${boats}/a`, { status: { afloat: false }, spec: { sails: 5 } }, mergePatch)
    expect(replaced.json).toMatchObject({ status: { afloat: true }, spec: { sails: 5 } })
  })

  test('is scaled', async () => {
    await ask('POST', boats, boat('a', { sails: 4 }))
    const scale = (await ask('GET', `${boats}/a/scale`)).json
    expect(scale).toMatchObject({ kind: 'Scale', spec: { replicas: 4 }, status: { replicas: 0 } })
    const scaled = await ask('PATCH', `${boats}/a/scale`, { spec: { replicas: 6 } }, mergePatch)
    expect(scaled.json).toMatchObject({ spec: { replicas: 6 } })
    expect((await ask('GET', `${boats}/a`)).json).toMatchObject({ spec: { sails: 6 }, metadata: { generation: 2 } })
  })

  test('is printed in the columns of its definition', async () => {
    await ask('POST', boats, boat('a', { sails: 4, crew: [{ name: 'Ann', role: 'mate' }] }))
    const answer = (await ask('GET', boats, undefined, table)).json
    const columns = answer['columnDefinitions'] as unknown as { name: string; priority: number }[]
    expect(columns.map(({ name, priority }) => `${name} ${priority}`)).toEqual(['Name 0', 'Sails 0', 'Mate 1', 'Age 0'])
    expect(answer['rows']?.[0]?.['cells']).toEqual(['a', 4, 'Ann', '0s'])
  })

  test('is found by a field that its definition names', async () => {
    await ask('POST', boats, boat('a', { tag: 'x' }))
    await ask('POST', boats, boat('b', { tag: 'y' }))
    const names = async (selector: string) => {
      const { items } = (await ask('GET', `${boats}?fieldSelector=${encodeURIComponent(selector)}`)).json
      return (items as unknown as { metadata: { name: string } }[] | undefined)?.map(({ metadata }) => metadata.name)
    }
    expect(await names('spec.tag=y')).toEqual(['b'])
    expect(await names('spec.tag!=y')).toEqual(['a'])
    expect(await names('spec.sails=2')).toBeUndefined()
  })

  test('is applied by its list keys, and not merged strategically', async () => {
    const apply = (manager: string, spec: object) =>
      ask('PATCH', `${boats}/a?fieldManager=${manager}`, boat('a', spec), {
        'content-type': 'application/apply-patch+yaml',
      })
    await apply('one', { crew: [{ name: 'Ann', role: 'mate' }] })
    const both = await apply('two', { crew: [{ name: 'Bob' }] })
    expect(field(both, 'spec', 'crew')).toEqual([{ name: 'Ann', role: 'mate' }, { name: 'Bob' }])
    expect((await apply('two', { crew: [{ name: 'Ann', role: 'cook' }] })).json['message']).toBe(
      'Apply failed with 1 conflict: conflict with "one": .spec.crew[name="Ann"].role',
    )
    expect(field(await apply('two', {}), 'spec', 'crew')).toEqual([{ name: 'Ann', role: 'mate' }])
    const strategic = await ask('PATCH', `${boats}/a`, {}, { 'content-type': 'application/strategic-merge-patch+json' })
    expect([strategic.code, strategic.json['message']]).toEqual([
      415,
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    ])
  })

  test('must name the revision that it replaces', async () => {
    const { json } = await ask('POST', boats, boat('a'))
    const unnamed = await ask('PUT', `${boats}/a`, boat('a', { sails: 7 }))
    expect([unnamed.code, unnamed.json['message']]).toEqual([422, expect.stringContaining('metadata.resourceVersion')])
    expect((await ask('PUT', `${boats}/a`, { ...json, spec: { sails: 7 } })).code).toBe(200)
  })

  test('may have any finalizer, with a warning of those that are not qualified', async () => {
    const answer = await ask('POST', boats, { ...boat('a'), metadata: { name: 'a', finalizers: ['mine'] } })
    expect([answer.code, answer.headers.warning]).toEqual([
      201,
      expect.stringContaining('prefer a domain-qualified finalizer name'),
    ])
    await ask('PATCH', `${boats}/a`, { metadata: { finalizers: null } }, mergePatch)
  })

  test('that broke a rule before there was one may stay as it is', async () => {
    await ask('POST', boats, boat('a', { tag: 'long' }))
    const at = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/tag/maxLength'
    await redefine([{ op: 'add', path: at, value: 2 }], async () => {
      return (await ask('POST', `${boats}?dryRun=All`, boat('b', { tag: 'long' }))).code === 422
    })
    expect((await ask('PATCH', `${boats}/a`, { spec: { sails: 9 } }, mergePatch)).code).toBe(200)
    expect((await ask('PATCH', `${boats}/a`, { spec: { tag: 'longer' } }, mergePatch)).code).toBe(422)
  })
})

test('an object that breaks a rule in CEL is refused, also when the status breaks it', async () => {
  const rules = [
    {
      rule: '!has(self.status) || !has(self.status.sails) || self.status.sails <= self.spec.sails',
      message: 'more sails than wanted',
    },
  ]
  const spec = {
    ...schema.properties.spec,
    'x-kubernetes-validations': [{ rule: 'self.sails >= oldSelf.sails', message: 'sails are never taken down' }],
  }
  const ruled = { ...schema, properties: { ...schema.properties, spec }, 'x-kubernetes-validations': rules }
  await define(definition({}, [{ ...version, schema: { openAPIV3Schema: ruled } }]))
  expect((await ask('POST', boats, boat('a', { sails: 3 }))).code).toBe(201)
  const fewer = await ask('PATCH', `${boats}/a`, { spec: { sails: 2 } }, mergePatch)
  expect([fewer.code, fewer.json['message']]).toEqual([
    422,
    'Boat.example.com "a" is invalid: spec: Invalid value: "object": sails are never taken down',
  ])
  const many = await ask('PATCH', `${boats}/a/status`, { status: { sails: 9 } }, mergePatch)
  expect(many.json['message']).toContain('<nil>: Invalid value: "object": more sails than wanted')
  const wrong = await ask('PATCH', `${boats}/a`, { spec: { sails: 'x' } }, mergePatch)
  expect(wrong.json['message']).toContain(
    '<nil>: Invalid value: "null": some validation rules were not checked because the object was invalid',
  )
})

describe('when the definition changes', () => {
  beforeEach(() => define())

  test('what is stored is shown as the schema has it now', async () => {
    await ask('POST', boats, boat('a', { tag: 'x' }))
    const properties = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties'
    const patch = [
      { op: 'remove', path: `${properties}/tag` },
      { op: 'remove', path: '/spec/versions/0/selectableFields' },
      { op: 'add', path: `${properties}/mast`, value: { type: 'string', default: 'oak' } },
    ]
    await redefine(patch, async () => field(await ask('GET', `${boats}/a`), 'spec', 'mast') === 'oak')
    expect(field(await ask('GET', `${boats}/a`), 'spec')).toEqual({ sails: 2, mast: 'oak' })
  })

  test('watches go on, and show what comes as it is by then', async () => {
    const watch = await fixture.watch(`${boats}?watch=true`)
    const properties = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties'
    await redefine(
      [{ op: 'add', path: `${properties}/mast`, value: { type: 'string', default: 'oak' } }],
      async () => field(await ask('POST', `${boats}?dryRun=All`, boat('x')), 'spec', 'mast') === 'oak',
    )
    await ask('POST', boats, boat('a'))
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { spec: { mast: 'oak' } } })
    watch.close()
  })
})

describe('when the definition goes', () => {
  test('its objects go first, and watches end', async () => {
    await define()
    await ask('POST', boats, boat('a'))
    const watch = await fixture.watch(`${boats}?watch=true`)
    expect(await watch.next()).toMatchObject({ type: 'ADDED' })
    const deleted = await ask('DELETE', `${crds}/boats.example.com`)
    expect(deleted.json).toMatchObject({
      metadata: { finalizers: ['customresourcecleanup.apiextensions.k8s.io'] },
    })
    expect(await watch.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'a' } } })
    expect(await watch.next()).toBeUndefined()
    await until(async () => (await ask('GET', `${crds}/boats.example.com`)).code === 404)
    expect((await ask('GET', boats)).code).toBe(404)
    expect((await ask('GET', '/apis/example.com')).code).toBe(404)
  })

  test('it waits for objects that are held, and takes no new ones', async () => {
    await define()
    await ask('POST', boats, { ...boat('a'), metadata: { name: 'a', finalizers: ['example.com/held'] } })
    await ask('DELETE', `${crds}/boats.example.com`)
    await until(async () => (await ask('POST', boats, boat('b'))).code === 405)
    expect(await conditionsOf()).toMatchObject({ Terminating: 'True', Established: 'True' })
    await until(
      async () => (await ask('PATCH', `${boats}/a`, { metadata: { finalizers: null } }, mergePatch)).code !== 200,
    )
  })
})

test('what has been established is served before a server that starts again is ready', async () => {
  await define()
  await ask('POST', boats, boat('a'))
  fixture = await fixture.restart()
  expect((await ask('GET', `${boats}/a`)).code).toBe(200)
})
