import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serverFixture } from '../testing/server-fixture.ts'

let fixture: Awaited<ReturnType<typeof serverFixture>>
beforeAll(async () => {
  fixture = await serverFixture()
})
afterAll(() => fixture.close())

function ask(...args: Parameters<(typeof fixture)['ask']>) {
  return fixture.ask(...args)
}
const configMaps = '/api/v1/namespaces/default/configmaps'
function configMap(name: string, more: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    ...more,
  }
}
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

describe('what goes wrong is told as a Status', () => {
  test.each<[string, string, object | string | undefined, Record<string, string>, number, string, string]>([
    ['GET', '/nowhere', undefined, {}, 404, 'NotFound', 'the server could not find the requested resource'],
    ['GET', '/api/v1/nonsense', undefined, {}, 404, 'NotFound', 'the server could not find the requested resource'],
    [
      'GET',
      '/apis/apps/v9/deployments',
      undefined,
      {},
      404,
      'NotFound',
      'the server could not find the requested resource',
    ],
    ['GET', '/api/v1/pods/web', undefined, {}, 404, 'NotFound', 'the server could not find the requested resource'],
    [
      'GET',
      '/api/v1/namespaces/default/nodes',
      undefined,
      {},
      404,
      'NotFound',
      'the server could not find the requested resource',
    ],
    [
      'GET',
      `${configMaps}/x/status`,
      undefined,
      {},
      404,
      'NotFound',
      'the server could not find the requested resource',
    ],
    ['GET', `${configMaps}/x`, undefined, {}, 404, 'NotFound', 'configmaps "x" not found'],
    [
      'GET',
      '/apis/apps/v1/namespaces/default/deployments/x',
      undefined,
      {},
      404,
      'NotFound',
      'deployments.apps "x" not found',
    ],
    ['PUT', configMaps, {}, {}, 405, 'MethodNotAllowed', 'update is not supported on resources of kind "configmaps"'],
    [
      'POST',
      `${configMaps}/x`,
      {},
      {},
      405,
      'MethodNotAllowed',
      'create is not supported on resources of kind "configmaps"',
    ],
    ['OPTIONS', configMaps, undefined, {}, 405, 'MethodNotAllowed', 'options is not supported'],
    [
      'GET',
      configMaps,
      undefined,
      { accept: 'text/html' },
      406,
      'NotAcceptable',
      'only the following media types are accepted: application/json',
    ],
    ['POST', configMaps, '{"kind":', {}, 400, 'BadRequest', 'unexpected end of JSON input'],
    [
      'POST',
      configMaps,
      'x',
      { 'content-type': 'text/plain' },
      415,
      'UnsupportedMediaType',
      'the body of the request was in an unknown format',
    ],
    [
      'PATCH',
      `${configMaps}/x`,
      '{}',
      { 'content-type': 'application/json' },
      404,
      'NotFound',
      'configmaps "x" not found',
    ],
    ['POST', '/api/v1/namespaces/nope/configmaps', configMap('x'), {}, 404, 'NotFound', 'namespaces "nope" not found'],
    ['POST', `${configMaps}?dryRun=Some`, configMap('x'), {}, 422, 'Invalid', 'dryRun: Unsupported value'],
    [
      'POST',
      `${configMaps}?fieldValidation=Maybe`,
      configMap('x'),
      {},
      422,
      'Invalid',
      'fieldValidation: Unsupported value: "Maybe"',
    ],
    [
      'POST',
      `${configMaps}?fieldValidation=Strict`,
      configMap('x', { extra: 1 }),
      {},
      400,
      'BadRequest',
      'unknown field "extra"',
    ],
    ['GET', `${configMaps}?labelSelector=a==`, undefined, {}, 200, '', ''],
    ['GET', `${configMaps}?labelSelector=a)b`, undefined, {}, 400, 'BadRequest', 'unable to parse requirement'],
    ['GET', `${configMaps}?limit=x`, undefined, {}, 400, 'BadRequest', 'invalid syntax'],
    [
      'DELETE',
      '/api/v1/namespaces/default',
      undefined,
      {},
      403,
      'Forbidden',
      'namespaces "default" is forbidden: this namespace may not be deleted',
    ],
    ['GET', configMaps, undefined, { host: 'evil.example' }, 403, 'Forbidden', 'Host "evil.example" is not loopback'],
    [
      'GET',
      configMaps,
      undefined,
      { origin: 'https://evil.example' },
      403,
      'Forbidden',
      'Origin "https://evil.example" is not loopback',
    ],
    ['GET', configMaps, undefined, { authorization: 'Bearer nonsense' }, 401, 'Unauthorized', 'Unauthorized'],
  ])('%s %s %o %o → %i %s', async (method, path, body, headers, code, reason, message) => {
    const answer = await ask(method, path, body, headers)
    expect(answer.code).toBe(code)
    if (code === 200) return
    expect(answer.json).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason })
    expect(answer.json['message']).toContain(message)
  })

  test('a body that is too large is refused', async () => {
    const answer = await ask('POST', configMaps, configMap('big', { data: { x: 'y'.repeat(3 * 1024 * 1024) } }))
    expect(answer.json).toMatchObject({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: 'Request entity too large: limit is 3145728',
    })
  })
})

describe('an object goes round', () => {
  test('create, get, update, patch, delete', async () => {
    const created = await ask('POST', configMaps, configMap('round', { data: { a: '1' } }))
    expect(created.code).toBe(201)
    const got = await ask('GET', `${configMaps}/round`)
    expect(got.text).toBe(created.text)
    const updated = await ask('PUT', `${configMaps}/round`, { ...created.json, data: { a: '2' } })
    expect(updated.json['data']).toEqual({ a: '2' })
    const stale = await ask('PUT', `${configMaps}/round`, { ...created.json, data: { a: '3' } })
    expect(stale.json).toMatchObject({ code: 409, reason: 'Conflict' })
    const patched = await ask(
      'PATCH',
      `${configMaps}/round`,
      { data: { b: '9' } },
      { 'content-type': 'application/merge-patch+json' },
    )
    expect(patched.json['data']).toEqual({ a: '2', b: '9' })
    const deleted = await ask('DELETE', `${configMaps}/round`)
    expect(deleted.json).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'round', kind: 'configmaps', uid: created.json['metadata']?.['uid'] },
    })
    expect((await ask('GET', `${configMaps}/round`)).code).toBe(404)
  })

  test('and its past can be read', async () => {
    const first = await ask('POST', configMaps, configMap('past', { data: { a: 'old' } }))
    const { resourceVersion } = first.json['metadata'] as unknown as { resourceVersion: string }
    await ask('PATCH', `${configMaps}/past`, { data: { a: 'new' } }, { 'content-type': 'application/merge-patch+json' })
    await ask('DELETE', `${configMaps}/past`)
    const then = await ask('GET', `${configMaps}/past?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`)
    expect(then.text).toBe(first.text)
  })

  test('a dry run leaves nothing behind', async () => {
    const before = fixture.storage.revision
    expect((await ask('POST', `${configMaps}?dryRun=All`, configMap('dry'))).code).toBe(201)
    expect(fixture.storage.revision).toBe(before)
  })

  test('a deprecated kind says so', async () => {
    const answer = await ask('GET', '/api/v1/namespaces/default/endpoints')
    expect(answer.headers['warning']).toContain('v1 Endpoints is deprecated in v1.33+')
  })

  test('JSON ends with a newline, as from Go', async () => {
    for (const path of ['/version', configMaps, '/nowhere']) expect((await ask('GET', path)).text.at(-1)).toBe('\n')
  })

  test('warnings become headers', async () => {
    const answer = await ask('POST', `${configMaps}?dryRun=All`, configMap('warned', { extra: 1 }))
    expect(answer.headers['warning']).toBe('299 - "unknown field \\"extra\\""')
  })
})

describe('the form of an answer', () => {
  beforeAll(async () => {
    await ask('POST', configMaps, configMap('shown', { data: { a: '1' } }))
  })

  test('a list is made of whole objects', async () => {
    const list = (await ask('GET', `${configMaps}?fieldSelector=metadata.name=shown`)).json
    expect(list).toMatchObject({
      kind: 'ConfigMapList',
      apiVersion: 'v1',
      items: [{ kind: 'ConfigMap', metadata: { name: 'shown' } }],
    })
    expect(list['metadata']?.['resourceVersion']).toBe(String(fixture.storage.revision))
  })

  test('a Table has rows', async () => {
    const answer = (await ask('GET', `${configMaps}/shown`, undefined, { accept: table })).json
    expect(answer).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      rows: [{ cells: ['shown', 1, expect.any(String)] }],
    })
  })

  test('metadata alone', async () => {
    const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
    const answer = (await ask('GET', `${configMaps}?fieldSelector=metadata.name=shown`, undefined, { accept })).json
    expect(answer).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata', metadata: { name: 'shown' } }],
    })
    expect(answer['items']?.[0]).not.toHaveProperty('data')
  })

  test('YAML, if asked', async () => {
    const answer = await ask('GET', `${configMaps}/shown`, undefined, { accept: 'application/yaml' })
    expect(answer.headers['content-type']).toBe('application/yaml')
    expect(answer.text).toContain('kind: ConfigMap\n')
  })

  test('pretty for people, compact for programs', async () => {
    expect((await ask('GET', `${configMaps}/shown`)).text).not.toContain('\n  ')
    expect((await ask('GET', `${configMaps}/shown?pretty=true`)).text).toContain('\n  ')
    expect((await ask('GET', `${configMaps}/shown`, undefined, { 'user-agent': 'curl/8' })).text).toContain('\n  ')
  })

  test('large answers are compressed for who can read it', async () => {
    await ask('POST', configMaps, configMap('large', { data: { x: 'y'.repeat(200_000) } }))
    const response = await fixture.open('GET', `${configMaps}/large`, { 'accept-encoding': 'gzip' })
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    expect(response.headers['content-encoding']).toBe('gzip')
    expect(JSON.parse(gunzipSync(Buffer.concat(chunks)).toString())).toMatchObject({ metadata: { name: 'large' } })
  })

  test('every answer has an Audit-Id', async () => {
    expect((await ask('GET', '/nowhere')).headers['audit-id']).toMatch(/^[0-9a-f-]{36}$/)
    expect((await ask('GET', '/version', undefined, { 'audit-id': 'mine' })).headers['audit-id']).toBe('mine')
  })

  test('HEAD has no body', async () => {
    const answer = await ask('HEAD', `${configMaps}/shown`)
    expect(answer).toMatchObject({ code: 200, text: '' })
  })
})

describe('history', () => {
  const as = (userAgent: string, cause?: number): Record<string, string> => ({
    'user-agent': userAgent,
    ...(cause ? { 'x-dinghy-cause': String(cause) } : {}),
  })

  test('tells who, and why', async () => {
    const root = await ask(
      'POST',
      `${configMaps}?fieldManager=kubectl-create`,
      configMap('root'),
      as('kubectl/v1.33.1 (linux/amd64)'),
    )
    const cause = Number((root.json['metadata'] as unknown as { resourceVersion: string }).resourceVersion)
    await ask('POST', configMaps, configMap('child'), as('some-controller', cause))
    await ask(
      'PATCH',
      `${configMaps}/child`,
      { data: { a: 'b' } },
      { ...as('other-controller'), 'content-type': 'application/merge-patch+json' },
    )
    const why = await ask('GET', '/debug/why?group=&resource=cm&name=child')
    expect(why.json['chain']).toMatchObject([
      { actor: 'other-controller', verb: 'update', summary: 'changed data' },
      { actor: 'some-controller', verb: 'create', cause },
      {
        actor: 'kubectl-create',
        verb: 'create',
        revision: cause,
        name: 'root',
        namespace: 'default',
        kind: 'ConfigMap',
      },
    ])
    const history = await ask('GET', '/debug/history?resource=configmaps&namespace=default&name=child')
    expect(history.json['revisions']).toMatchObject([
      { verb: 'update', changed: ['/data'], at: '2025-01-01T00:00:00.000Z' },
      { verb: 'create', actor: 'some-controller' },
    ])
  })

  test('of what never was is NotFound', async () => {
    expect((await ask('GET', '/debug/why?resource=pods&name=never')).json).toMatchObject({
      code: 404,
      message: 'pods "never" not found',
    })
  })
})
