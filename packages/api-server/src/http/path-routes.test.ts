/**
 * The paths that are no resources, as clients meet them: discovery, OpenAPI, health, version.
 */

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
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'

describe('discovery', () => {
  test.each([
    ['/api', 'APIVersions'],
    ['/api/v1', 'APIResourceList'],
    ['/apis', 'APIGroupList'],
    ['/apis/apps', 'APIGroup'],
    ['/apis/apps/v1', 'APIResourceList'],
    ['/apis/apps/v1/', 'APIResourceList'],
  ])('%s is an %s', async (path, kind) => {
    expect((await ask('GET', path)).json).toMatchObject({ kind })
  })

  test.each(['/api', '/apis'])('%s in one document, for who asks for that', async (path) => {
    const answer = await ask('GET', path, undefined, { accept: aggregated })
    expect(answer.json).toMatchObject({ kind: 'APIGroupDiscoveryList' })
    expect(answer.headers['content-type']).toContain('as=APIGroupDiscoveryList')
    const again = await ask('GET', path, undefined, {
      accept: aggregated,
      'if-none-match': String(answer.headers.etag),
    })
    expect([again.code, again.text]).toEqual([304, ''])
  })

  test.each(['/api/v2', '/apis/none', '/apis/apps/v9'])('%s is not there', async (path) => {
    expect((await ask('GET', path)).json).toMatchObject({ code: 404, reason: 'NotFound' })
  })
})

interface Index {
  paths: Record<string, { serverRelativeURL: string }>
}

describe('OpenAPI', () => {
  test('the index leads to documents that may be kept, a wrong hash to the right one', async () => {
    const { paths } = (await ask('GET', '/openapi/v3')).json as unknown as Index
    const serverRelativeURL = paths['apis/apps/v1']?.serverRelativeURL ?? ''
    const document = await ask('GET', serverRelativeURL)
    expect([document.json['openapi'], document.headers['cache-control']]).toEqual(['3.0.0', 'public, immutable'])
    const moved = await ask('GET', '/openapi/v3/apis/apps/v1?hash=0')
    expect([moved.code, moved.headers['location']]).toEqual([301, serverRelativeURL])
    expect((await ask('GET', '/openapi/v3/apis/apps/v1')).headers['cache-control']).toBe('no-cache, private')
  })

  test('the older form is JSON, unless protobuf is asked for', async () => {
    const protobuf = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
    expect((await ask('GET', '/openapi/v2')).json['swagger']).toBe('2.0')
    const old = await ask('GET', '/openapi/v2', undefined, { accept: protobuf })
    expect(old.headers['content-type']).toContain('protobuf')
  })
})

describe('what is neither', () => {
  test('the version, the list of paths, the metrics', async () => {
    expect((await ask('GET', '/version')).json).toMatchObject({ major: '1' })
    expect((await ask('GET', '/')).json['paths']).toContain('/openapi/v3')
    const { text } = await ask('GET', '/metrics')
    expect(text).toMatch(/apiserver_request_total\{verb="GET",.*,code="200"\} \d+/)
    expect(text).toContain('apiserver_request_duration_seconds_bucket{')
  })

  test('health: as a word, line by line, one check alone', async () => {
    expect((await ask('GET', '/readyz')).text).toBe('ok')
    expect((await ask('GET', '/livez?verbose')).text).toBe('[+]ping ok\nlivez check passed\n')
    expect((await ask('GET', '/healthz/ping')).text).toBe('ok')
    expect((await ask('GET', '/healthz/none')).code).toBe(404)
  })

  test('a known path that is written to is 405', async () => {
    expect((await ask('POST', '/version')).json).toMatchObject({ code: 405, reason: 'MethodNotAllowed' })
  })
})
