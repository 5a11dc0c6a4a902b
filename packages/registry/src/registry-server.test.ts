import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '@dinghy/images/content/content-store'
import { mediaTypes } from '@dinghy/images/content/oci'
import { createRegistryServer, routeUrl } from './registry-server.ts'
import { RegistryStore } from './registry-store.ts'

let root: string
let base: string
let store: RegistryStore
let errors: unknown[]
let close: () => Promise<void>

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'registry-server-'))
  store = new RegistryStore(root)
  errors = []
  const server = createRegistryServer({ store, onError: (error) => errors.push(error) })
  base = (await server.listen({ host: '127.0.0.1', port: 0 })).url
  close = () => server.close(0)
})
afterEach(async () => {
  await close()
  rmSync(root, { recursive: true, force: true })
})

/** "202 BLOB_UNKNOWN" or "202", and the answer. */
async function ask(method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) {
  const url = new URL(path, base)
  const response = await fetch(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }),
  })
  const text = await response.text()
  const { errors: refused } = (text.startsWith('{') ? JSON.parse(text) : {}) as { errors?: { code: string }[] }
  return {
    outcome: [response.status, ...(refused ?? []).map(({ code }) => code)].join(' '),
    text,
    headers: response.headers,
  }
}

async function upload(name: string, content: string): Promise<string> {
  const digest = digestOf(content)
  expect((await ask('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, content)).outcome).toBe('201')
  return digest
}

async function pushManifest(name: string, tag: string): Promise<string> {
  const config = { mediaType: mediaTypes.config, digest: await upload(name, '{}'), size: 2 }
  const manifest = JSON.stringify({ schemaVersion: 2, config, layers: [] })
  const { outcome } = await ask('PUT', `/v2/${name}/manifests/${tag}`, manifest, {
    'content-type': mediaTypes.manifest,
  })
  expect(outcome).toBe('201')
  return digestOf(manifest)
}

describe('an upload in parts', () => {
  test('goes on where it ended, and becomes a blob when its digest is right', async () => {
    const begun = await ask('POST', '/v2/me/app/blobs/uploads/')
    const location = begun.headers.get('location') ?? ''
    expect([begun.outcome, begun.headers.get('range')]).toEqual(['202', '0-0'])
    expect((await ask('PATCH', location, 'hello ', { 'content-range': '0-5' })).headers.get('range')).toBe('0-5')
    expect((await ask('PATCH', location, 'x', { 'content-range': '9-9' })).outcome).toBe('416 BLOB_UPLOAD_INVALID')
    const status = await ask('GET', location)
    expect([status.outcome, status.headers.get('range')]).toEqual(['204', '0-5'])
    const digest = digestOf('hello world')
    const done = await ask('PUT', `${location}?digest=${digest}`, 'world')
    expect([done.outcome, done.headers.get('location')]).toEqual(['201', `/v2/me/app/blobs/${digest}`])
    expect((await ask('GET', `/v2/me/app/blobs/${digest}`)).text).toBe('hello world')
    expect((await ask('GET', location)).outcome).toBe('404 BLOB_UPLOAD_UNKNOWN')
  })

  test('is over when it is cancelled, or when its digest is wrong', async () => {
    for (const [method, query, expected] of [
      ['DELETE', '', '204'],
      ['PUT', `?digest=${digestOf('other')}`, '400 DIGEST_INVALID'],
    ] as const) {
      const location = (await ask('POST', '/v2/app/blobs/uploads/')).headers.get('location') ?? ''
      expect((await ask(method, `${location}${query}`, method === 'PUT' ? 'x' : undefined)).outcome).toBe(expected)
      expect((await ask('GET', location)).outcome).toBe('404 BLOB_UPLOAD_UNKNOWN')
    }
    const location = (await ask('POST', '/v2/app/blobs/uploads')).headers.get('location') ?? ''
    expect((await ask('PUT', `${location}?digest=nonsense`, 'x')).outcome).toBe('400 DIGEST_INVALID')
  })

  test('is not needed for a blob that another repository has', async () => {
    const digest = await upload('one', 'shared')
    expect((await ask('POST', `/v2/two/blobs/uploads/?mount=${digest}&from=one`)).outcome).toBe('201')
    expect((await ask('GET', `/v2/two/blobs/${digest}`)).text).toBe('shared')
    expect((await ask('POST', `/v2/two/blobs/uploads/?mount=${digest}&from=nobody`)).outcome).toBe('202')
  })
})

describe('a blob', () => {
  test('whole, in part, only its size, and none', async () => {
    const digest = await upload('app', '0123456789')
    const path = `/v2/app/blobs/${digest}`
    const part = await ask('GET', path, undefined, { range: 'bytes=3-5' })
    expect([part.outcome, part.text, part.headers.get('content-range')]).toEqual(['206', '345', 'bytes 3-5/10'])
    expect((await ask('GET', path, undefined, { range: 'bytes=8-99' })).text).toBe('89')
    expect((await ask('GET', path, undefined, { range: 'bytes=10-' })).outcome).toBe('416 RANGE_INVALID')
    const head = await ask('HEAD', path)
    expect([head.text, head.headers.get('content-length')]).toEqual(['', '10'])
    expect((await ask('GET', `/v2/app/blobs/${await upload('app', '')}`)).text).toBe('')
    expect((await ask('DELETE', path)).outcome).toBe('202')
    expect((await ask('GET', path)).outcome).toBe('404 BLOB_UNKNOWN')
    expect((await ask('GET', '/v2/app/blobs/nonsense')).outcome).toBe('400 DIGEST_INVALID')
  })
})

describe('a manifest', () => {
  test('by tag and by digest; in the lists; and gone with all of its tags', async () => {
    const digest = await pushManifest('me/app', '1')
    await pushManifest('me/app', '2')
    await upload('other', 'x')
    expect(JSON.parse((await ask('GET', '/v2/_catalog')).text)).toEqual({ repositories: ['me/app', 'other'] })
    expect(JSON.parse((await ask('GET', '/v2/me/app/tags/list')).text)).toEqual({ name: 'me/app', tags: ['1', '2'] })
    expect((await ask('HEAD', `/v2/me/app/manifests/${digest}`)).headers.get('docker-content-digest')).toBe(digest)
    expect((await ask('DELETE', '/v2/me/app/manifests/1')).outcome).toBe('202')
    expect((await ask('GET', '/v2/me/app/manifests/1')).outcome).toBe('404 MANIFEST_UNKNOWN')
    expect((await ask('DELETE', `/v2/me/app/manifests/${digest}`)).outcome).toBe('202')
    expect(JSON.parse((await ask('GET', '/v2/me/app/tags/list')).text)).toMatchObject({ tags: [] })
    expect((await ask('DELETE', `/v2/me/app/manifests/${digest}`)).outcome).toBe('404 MANIFEST_UNKNOWN')
    expect((await ask('GET', '/v2/nobody/manifests/1')).outcome).toBe('404 NAME_UNKNOWN')
    expect((await ask('GET', '/v2/nobody/tags/list')).outcome).toBe('404 NAME_UNKNOWN')
  })

  test('a list names manifests that are here', async () => {
    const digest = await pushManifest('app', '1')
    const list = (one: string) => JSON.stringify({ manifests: [{ mediaType: 'm', digest: one, size: 1 }] })
    expect((await ask('PUT', '/v2/app/manifests/all', list(digest))).outcome).toBe('201')
    // Neither the request nor the document has said what it is.
    expect((await ask('GET', '/v2/app/manifests/all')).headers.get('content-type')).toBe(mediaTypes.index)
    expect((await ask('PUT', '/v2/app/manifests/all', list(digestOf('x')))).outcome).toBe('404 MANIFEST_UNKNOWN')
    const wrong = await ask('PUT', `/v2/app/manifests/${digestOf('x')}`, list(digest))
    expect(wrong.outcome).toBe('400 DIGEST_INVALID')
  })

  test.each([
    ['{'],
    ['null'],
    ['{}'],
    ['{"manifests":[null]}'],
    ['{"manifests":[{"digest":"../../../etc/hostname"}]}'],
    [`{"config":{"digest":"${digestOf('x')}"},"layers":[null]}`],
    ['{"config":{"digest":7},"layers":[]}'],
  ])('%s is refused as what the client did wrong', async (body) => {
    expect((await ask('PUT', '/v2/app/manifests/1', body)).outcome).toBe('400 MANIFEST_INVALID')
    expect(errors).toEqual([])
  })

  test('a tag has a form', async () => {
    expect((await ask('PUT', '/v2/app/manifests/-x', '{}')).outcome).toBe('400 TAG_INVALID')
  })
})

test('what is no part of the API, and web pages, are refused', async () => {
  expect((await ask('GET', '/v2')).outcome).toBe('200')
  expect((await ask('GET', '/v2/')).headers.get('docker-distribution-api-version')).toBe('registry/2.0')
  expect((await ask('POST', '/v2/app/tags/list')).outcome).toMatch(/^40[45] UNSUPPORTED$/)
  expect((await ask('GET', '/elsewhere')).outcome).toBe('404 UNSUPPORTED')
  expect((await ask('GET', '/v2/', undefined, { origin: 'http://evil.test' })).outcome).toBe('403 DENIED')
})

test('what goes wrong here is logged, and not told', async () => {
  const digest = await pushManifest('app', '1')
  await store.content.remove(digest)
  const { outcome, text } = await ask('GET', '/v2/app/manifests/1')
  expect(outcome).toBe('500 UNKNOWN')
  expect(text).not.toContain(root)
  expect(errors).toHaveLength(1)
})

test.each([
  ['/v2/a/b/tags/list', '/v2/a%2Fb/tags/list'],
  ['/v2/a/b/blobs/uploads/?digest=x', '/v2/a%2Fb/blobs/uploads/?digest=x'],
  ['/v2/_catalog', '/v2/_catalog'],
])('%s is routed as %s', (url, expected) => expect(routeUrl(url)).toBe(expected))
