import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serverFixture, type Answer, type Json } from '../testing/server-fixture.ts'
import { webhookFixture } from '../testing/webhook-fixture.ts'

let fixture: Awaited<ReturnType<typeof serverFixture>>
let webhook: Awaited<ReturnType<typeof webhookFixture>>
beforeEach(async () => {
  fixture = await serverFixture()
  webhook = await webhookFixture()
})
afterEach(async () => {
  await webhook.close()
  await fixture.close()
})

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const mergePatch = { 'content-type': 'application/merge-patch+json' }
const name = 'boats.example.com'

function boats(version: string): string {
  return `/apis/example.com/${version}/namespaces/default/boats`
}

function ask(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Answer> {
  return fixture.ask(method, path, body, headers)
}

/** v1 counts sails, v2 lists masts. */
function versionOf(version: 'v1' | 'v2', more: object) {
  const spec =
    version === 'v1' ? { sails: { type: 'integer' } } : { masts: { type: 'array', items: { type: 'string' } } }
  const properties = { spec: { type: 'object', properties: { ...spec, note: { type: 'string' } } } }
  return { name: version, served: true, schema: { openAPIV3Schema: { type: 'object', properties } }, ...more }
}

async function define(spec: object): Promise<void> {
  const body = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'boats', kind: 'Boat' },
      versions: [versionOf('v1', { storage: true }), versionOf('v2', { storage: false })],
      ...spec,
    },
  }
  const { code, text } = await ask('POST', crds, body)
  expect([code, text]).toEqual([201, text])
  await until(async () => (await ask('GET', '/apis/example.com')).code === 200)
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise(setImmediate)
}

function boat(version: string, spec: object) {
  return { apiVersion: `example.com/${version}`, kind: 'Boat', metadata: { name: 'a' }, spec }
}

interface Conversion {
  request: { uid: string; desiredAPIVersion: string; objects: Json[] }
}

type Convert = (object: Json, apiVersion: string) => object

/** What the webhook answers from now on. */
function convertBy(convert: Convert, response: object = {}): { asked: () => Conversion[] } {
  webhook.answers['/convert'] = (review) => {
    const { uid, desiredAPIVersion, objects } = (review as unknown as Conversion).request
    const convertedObjects = objects.map((object) => convert(object, desiredAPIVersion))
    const body = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'ConversionReview',
      response: { uid, result: { status: 'Success' }, convertedObjects, ...response },
    }
    return { statusCode: 200, body: JSON.stringify(body) }
  }
  return { asked: () => webhook.asked.map(({ review }) => review as unknown as Conversion) }
}

function honest({ spec, ...object }: Json, apiVersion: string): object {
  const { sails, masts, ...rest } = (spec ?? {}) as { sails?: number; masts?: string[] }
  const own = apiVersion.endsWith('v2')
    ? { masts: Array.from({ length: sails ?? 0 }, (_, i) => `mast ${i}`) }
    : { sails: masts?.length ?? 0 }
  return { ...object, apiVersion, spec: { ...rest, ...own } }
}

function byWebhook() {
  const clientConfig = { url: webhook.url('/convert'), caBundle: webhook.caBundle }
  return { conversion: { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions: ['v1'] } } }
}

describe('without a webhook', () => {
  test('an object is shown in every version, as far as that knows its fields', async () => {
    await define({})
    await ask('POST', boats('v1'), boat('v1', { sails: 2, note: 'x' }))
    expect((await ask('GET', `${boats('v2')}/a`)).json).toMatchObject({
      apiVersion: 'example.com/v2',
      spec: { note: 'x' },
    })
    const changed = await ask('PATCH', `${boats('v2')}/a`, { spec: { note: 'y' } }, mergePatch)
    expect(changed.json).toMatchObject({
      apiVersion: 'example.com/v2',
      spec: { note: 'y' },
      metadata: { generation: 2 },
    })
    const { items } = (await ask('GET', boats('v1'))).json
    expect(items).toMatchObject([{ apiVersion: 'example.com/v1', spec: { note: 'y' } }])
  })

  test('watches show their own version', async () => {
    await define({})
    const watch = await fixture.watch(`${boats('v2')}?watch=true`)
    await ask('POST', boats('v1'), boat('v1', { note: 'x' }))
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { apiVersion: 'example.com/v2' } })
    watch.close()
  })
})

test('old versions come with a warning that names the newest', async () => {
  const old = { storage: false, deprecated: true }
  await define({
    versions: [
      versionOf('v1', old),
      versionOf('v2', { storage: true }),
      { ...versionOf('v1', old), name: 'v1beta1', deprecationWarning: 'do not' },
    ],
  })
  const warningOf = async (version: string) => (await ask('GET', boats(version))).headers.warning
  expect(await warningOf('v1')).toBe('299 - "example.com/v1 Boat is deprecated; use example.com/v2 Boat"')
  expect(await warningOf('v1beta1')).toBe('299 - "do not"')
  expect(await warningOf('v2')).toBeUndefined()
})

test('after the storage version has changed, an update that changes nothing stores the object anew', async () => {
  await define({})
  const { json } = await ask('POST', boats('v1'), boat('v1', { note: 'x' }))
  const patch = [
    { op: 'replace', path: '/spec/versions/0/storage', value: false },
    { op: 'replace', path: '/spec/versions/1/storage', value: true },
  ]
  await ask('PATCH', `${crds}/${name}`, patch, { 'content-type': 'application/json-patch+json' })
  const stored = () => fixture.storage.get('/example.com/boats/default/a')?.object.apiVersion
  expect(stored()).toBe('example.com/v1')
  await until(async () => {
    await ask('PUT', `${boats('v1')}/a`, json)
    return stored() === 'example.com/v2'
  })
  const { status } = (await ask('GET', `${crds}/${name}`)).json
  expect(status?.['storedVersions']).toEqual(['v1', 'v2'])
  const forgotten = await ask('PATCH', `${crds}/${name}/status`, { status: { storedVersions: ['v2'] } }, mergePatch)
  expect(forgotten.json['status']?.['storedVersions']).toEqual(['v2'])
  const wrong = await ask('PATCH', `${crds}/${name}/status`, { status: { storedVersions: ['v1'] } }, mergePatch)
  expect(wrong.json['message']).toContain('must have the storage version v2')
})

describe('with a webhook', () => {
  test('objects are converted on their way in and out, and no oftener than they have to be', async () => {
    await define(byWebhook())
    const { asked } = convertBy(honest)
    const created = await ask('POST', boats('v2'), boat('v2', { masts: ['fore', 'main'] }))
    expect([created.code, created.json['spec']]).toEqual([201, { masts: ['mast 0', 'mast 1'] }])
    expect(fixture.storage.get('/example.com/boats/default/a')?.object).toMatchObject({
      apiVersion: 'example.com/v1',
      spec: { sails: 2 },
    })
    const before = asked().length
    expect((await ask('GET', `${boats('v1')}/a`)).json['spec']).toEqual({ sails: 2 })
    expect((await ask('GET', boats('v2'))).json['items']).toMatchObject([{ spec: { masts: ['mast 0', 'mast 1'] } }])
    expect(asked()).toHaveLength(before)
    const changed = await ask('PATCH', `${boats('v2')}/a`, { spec: { masts: ['one'] } }, mergePatch)
    expect(changed.json['spec']).toEqual({ masts: ['mast 0'] })
  })

  test('a list is converted at once', async () => {
    await define(byWebhook())
    const { asked } = convertBy(honest)
    for (const one of ['a', 'b', 'c']) {
      await ask('POST', boats('v1'), { ...boat('v1', { sails: 1 }), metadata: { name: one } })
    }
    expect(asked()).toHaveLength(0)
    const { items } = (await ask('GET', boats('v2'))).json
    expect(items).toHaveLength(3)
    expect(asked().map(({ request }) => request.objects.length)).toEqual([3])
  })

  test('metadata is the server’s, but for labels and annotations', async () => {
    await define(byWebhook())
    await ask('POST', boats('v1'), boat('v1', { sails: 1 }))
    convertBy((object, apiVersion) => {
      const metadata = { ...object['metadata'], labels: { by: 'webhook' }, finalizers: ['mine'], generation: 99 }
      return { ...honest(object, apiVersion), metadata }
    })
    const { metadata } = (await ask('GET', `${boats('v2')}/a`)).json
    expect(metadata).toMatchObject({ labels: { by: 'webhook' }, generation: 1 })
    expect(metadata).not.toHaveProperty('finalizers')
  })

  const prefix = 'conversion webhook for example.com/v1, Kind=Boat '
  test.each<[string, Convert, object, string]>([
    ['it refuses', honest, { result: { status: 'Failure', message: 'not today' } }, 'failed: not today'],
    ['it says nothing', honest, { result: {} }, "failed: response.result.status was '', not 'Success'"],
    ['it answers another', honest, { uid: 'x' }, 'failed: expected response.uid='],
    ['it loses one', honest, { convertedObjects: [] }, 'returned 0 objects, expected 1'],
    [
      'it returns another version',
      (object) => object,
      {},
      'returned invalid converted object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v1)',
    ],
    [
      'it renames the object',
      (object, version) => ({ ...honest(object, version), metadata: { ...object['metadata'], name: 'b' } }),
      {},
      'returned invalid converted object at index 0: must have the same name: a != b',
    ],
    [
      'it labels badly',
      (object, version) => ({ ...honest(object, version), metadata: { ...object['metadata'], labels: { a: 1 } } }),
      {},
      'returned invalid metadata in object at index 0: metadata.labels[a] must be a string, but is number',
    ],
  ])('when %s, reading fails and says why', async (_, convert, response, problem) => {
    await define(byWebhook())
    await ask('POST', boats('v1'), boat('v1', { sails: 1 }))
    convertBy(convert, response)
    for (const path of [`${boats('v2')}/a`, boats('v2')]) {
      const { code, json } = await ask('GET', path)
      expect([code, json['message']]).toEqual([500, expect.stringContaining(prefix + problem)])
    }
    expect((await ask('GET', `${boats('v1')}/a`)).code).toBe(200)
  })

  test('when it cannot be reached, writing in another version fails', async () => {
    await define({
      conversion: {
        ...byWebhook().conversion,
        webhook: { clientConfig: { url: 'https://127.0.0.1:1/x' }, conversionReviewVersions: ['v1'] },
      },
    })
    const { code, json } = await ask('POST', boats('v2'), boat('v2', { masts: [] }))
    expect([code, json['message']]).toEqual([
      500,
      expect.stringMatching(
        /^conversion webhook for example\.com\/v2, Kind=Boat failed: Post "https:\/\/127\.0\.0\.1:1\/x\?timeout=30s": dial tcp/,
      ),
    ])
  })
})

test('a bundle that holds no certificate keeps the definition from being established', async () => {
  const { conversion } = byWebhook()
  const clientConfig = { ...conversion.webhook.clientConfig, caBundle: Buffer.from('nonsense').toString('base64') }
  const body = {
    metadata: { name },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'boats', kind: 'Boat' },
      versions: [versionOf('v1', { storage: true })],
      conversion: { ...conversion, webhook: { ...conversion.webhook, clientConfig } },
    },
  }
  expect((await ask('POST', crds, body)).code).toBe(201)
  await until(async () => {
    const { status } = (await ask('GET', `${crds}/${name}`)).json
    return JSON.stringify(status).includes('InvalidCABundle')
  })
  expect((await ask('GET', boats('v1'))).code).toBe(404)
})
