import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Progress } from '@dinghy/images/distribution/progress'
import { ImageSource } from '@dinghy/images/image-source'
import { ImageStore } from '@dinghy/images/store/image-store'
import type { Image } from '@dinghy/images/store/image-store'
import { digestOf } from '@dinghy/images/content/content-store'
import { UnreachableError, webRequest, readAll } from '@dinghy/images/distribution/web-request'
import { mediaTypes } from '@dinghy/images/content/oci'
import { parseReference } from '@dinghy/shared/docker/reference'
import { tarStream } from '@dinghy/images/files/tar'
import { checkLogin } from '@dinghy/images/distribution/login'
import { pullImage, remoteTags } from '@dinghy/images/distribution/pull'
import { pushImage } from '@dinghy/images/distribution/push'
import { createRegistryServer } from './registry-server.ts'
import { RegistryStore } from './registry-store.ts'

let root: string
let registry: RegistryStore
let here: ImageStore
let there: ImageStore
/** Whatever a test has started, by how it is stopped. */
const stops: (() => Promise<void>)[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'registry-'))
  registry = new RegistryStore(join(root, 'registry'))
  here = new ImageStore({ root: join(root, 'here') })
  there = new ImageStore({ root: join(root, 'there') })
})
afterEach(async () => {
  await stopAll()
  rmSync(root, { recursive: true, force: true })
})

async function stopAll(): Promise<void> {
  await Promise.all(stops.splice(0).map((stop) => stop()))
}

async function listen(server: Server): Promise<string> {
  stops.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function serve(credentials?: { username: string; password: string }): Promise<string> {
  const server = createRegistryServer({ store: registry, ...(credentials ? { credentials } : {}) })
  stops.push(() => server.close(0))
  return new URL((await server.listen({ host: '127.0.0.1', port: 0 })).url).host
}

async function makeImage(content: string): Promise<Image> {
  const tar = tarStream(async (archive) => {
    const header = { name: 'file', type: 'file' as const, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) }
    await archive.add({ ...header, size: content.length }, Buffer.from(content))
  })
  const { diffId } = await here.layers.add(tar)
  return here.create({
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['x'] },
    rootfs: { type: 'layers', diff_ids: [diffId] },
  })
}

test('the tags of a repository', async () => {
  const repository = parseReference(`${await serve()}/me/app`)
  const image = await makeImage('hello')
  for (const tag of ['1', '2']) await pushImage(here, image, { ...repository, tag }, undefined, () => undefined)
  expect(await remoteTags(repository, {})).toEqual(['1', '2'])
  await expect(remoteTags({ ...repository, path: 'nobody/knows' }, {})).rejects.toMatchObject({ status: 404 })
})

test('what was pushed can be pulled, and is the same image', async () => {
  const reference = parseReference(`${await serve()}/me/app:1`)
  const image = await makeImage('hello')
  const pushed: Progress[] = []
  const digest = await pushImage(here, image, reference, undefined, (line) => pushed.push(line))
  expect(pushed.map(({ status }) => status)).toContain('Pushed')

  const pulled: Progress[] = []
  const got = await pullImage(there, reference, {}, (line) => pulled.push(line))
  expect(got.id).toBe(image.id)
  expect(got.repoDigests).toEqual([`${reference.domain}/me/app@${digest}`])
  expect(readFileSync(join(got.layers[0] ?? '', 'file'), 'utf8')).toBe('hello')
  expect(pulled.map(({ status }) => status)).toEqual(
    expect.arrayContaining(['Pulling from ' + reference.domain + '/me/app', 'Pull complete', `Digest: ${digest}`]),
  )

  const again: Progress[] = []
  await pullImage(there, { ...reference, digest }, {}, (line) => again.push(line))
  expect(again.map(({ status }) => status)).toContain('Already exists')
})

test('a second push sends no layer, and gives the same digest', async () => {
  const reference = parseReference(`${await serve()}/app:1`)
  const image = await makeImage('hello')
  const first = await pushImage(here, image, reference, undefined, () => undefined)
  const lines: (string | undefined)[] = []
  const second = await pushImage(here, image, reference, undefined, ({ status }) => lines.push(status))
  expect(second).toBe(first)
  expect(lines).toContain('Layer already exists')
})

test('a layer that another repository has is mounted from there', async () => {
  const domain = await serve()
  const image = await makeImage('hello')
  await pushImage(here, image, parseReference(`${domain}/one:1`), undefined, () => undefined)
  const lines: (string | undefined)[] = []
  const source = await here.resolve(image.id)
  await pushImage(here, source, parseReference(`${domain}/two:1`), undefined, ({ status }) => lines.push(status))
  expect(lines).toContain('Mounted from one')
})

describe('refusals are Docker’s', () => {
  test.each([
    ['unknown repository', 'nope:1', 404, 'not found: name unknown: repository name not known to registry'],
    ['unknown tag', 'app:2', 404, 'app:2 not found: manifest unknown: manifest unknown'],
  ])('%s', async (_case, name, status, message) => {
    const domain = await serve()
    await pushImage(here, await makeImage('x'), parseReference(`${domain}/app:1`), undefined, () => undefined)
    await expect(pullImage(there, parseReference(`${domain}/${name}`), {}, () => undefined)).rejects.toMatchObject({
      status,
      message: expect.stringContaining(message) as string,
    })
  })

  test('without a login', async () => {
    const domain = await serve({ username: 'me', password: 'secret' })
    const reference = parseReference(`${domain}/app:1`)
    await expect(pullImage(there, reference, {}, () => undefined)).rejects.toMatchObject({
      status: 404,
      message:
        `pull access denied for ${domain}/app, repository does not exist or may require 'docker login': ` +
        'unauthorized: authentication required',
    })
    const credentials = { username: 'me', password: 'secret', serveraddress: domain }
    await pushImage(here, await makeImage('x'), reference, credentials, () => undefined)
    expect((await pullImage(there, reference, { credentials }, () => undefined)).repoTags).toEqual([`${domain}/app:1`])
    await expect(checkLogin(credentials)).resolves.toBeUndefined()
    await expect(checkLogin({ ...credentials, password: 'wrong' })).rejects.toMatchObject({ status: 401 })
  })
})

test('a registry that is not there is told from one that refuses', async () => {
  const domain = await serve()
  await stopAll()
  const pulling = pullImage(there, parseReference(`${domain}/app:1`), {}, () => undefined)
  await expect(pulling).rejects.toBeInstanceOf(UnreachableError)
  await expect(pulling).rejects.toThrow(`Get "http://${domain}/v2/": dial tcp ${domain}: connect: connection refused`)
})

test('tokens: asked for where the registry says, sent along afterwards', async () => {
  const inner = await serve()
  const asked: string[] = []
  const front = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`)
    if (url.pathname === '/token') {
      asked.push(`${url.searchParams.get('service')} ${url.searchParams.get('scope')}`)
      response.end(JSON.stringify({ token: 'sesame' }))
    } else if (request.headers.authorization !== 'Bearer sesame') {
      const realm = `http://${request.headers.host}/token`
      response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}",service="front"` })
      response.end()
    } else {
      webRequest(`http://${inner}${request.url}`)
        .then(async ({ status, headers, body }) => {
          response.writeHead(status, headers)
          response.end(await readAll(body, 2 ** 20))
        })
        .catch((error: Error) => response.destroy(error))
    }
  })
  await pushImage(here, await makeImage('x'), parseReference(`${inner}/app:1`), undefined, () => undefined)
  await pullImage(there, parseReference(`${await listen(front)}/app:1`), {}, () => undefined)
  expect(asked).toEqual(['front repository:app:pull'])
})

test('content that is not what its digest says is refused', async () => {
  const domain = await serve()
  const image = await makeImage('hello')
  await pushImage(here, image, parseReference(`${domain}/app:1`), undefined, () => undefined)
  const front = createServer((request, response) => {
    webRequest(`http://${domain}${request.url}`)
      .then(async ({ status, headers, body }) => {
        const bytes = await readAll(body, 2 ** 20)
        const isLayer = request.url?.includes('/blobs/') && !request.url.includes(image.id)
        if (isLayer) bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
        response.writeHead(status, headers)
        response.end(bytes)
      })
      .catch((error: Error) => response.destroy(error))
  })
  const reference = parseReference(`${await listen(front)}/app:1`)
  await expect(pullImage(there, reference, {}, () => undefined)).rejects.toThrow('unexpected digest')
  expect(await there.list()).toEqual([])
})

test('a broken download is continued, not begun again', async () => {
  const domain = await serve()
  const noise = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index * 31) % 251)).toString(
    'latin1',
  )
  const image = await makeImage(noise)
  await pushImage(here, image, parseReference(`${domain}/app:1`), undefined, () => undefined)
  const ranges: (string | undefined)[] = []
  let broken = false
  const front = createServer((request, response) => {
    const headers = request.headers.range ? { Range: request.headers.range } : {}
    const isLayer = request.url?.includes('/blobs/') && !request.url.includes(image.id)
    if (isLayer) ranges.push(request.headers.range)
    webRequest(`http://${domain}${request.url}`, { headers })
      .then(async (inner) => {
        const bytes = await readAll(inner.body, 2 ** 24)
        response.writeHead(inner.status, inner.headers)
        if (!isLayer || broken) return response.end(bytes)
        broken = true
        return response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy())
      })
      .catch((error: Error) => response.destroy(error))
  })
  const lines: (string | undefined)[] = []
  const reference = parseReference(`${await listen(front)}/app:1`)
  const got = await pullImage(there, reference, {}, ({ status }) => lines.push(status))
  expect(got.id).toBe(image.id)
  expect(lines).toContain('Retrying (1/4)')
  expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/)
})

test('an index gives the image of this platform, and says when there is none', async () => {
  const domain = await serve()
  const image = await makeImage('hello')
  const digest = await pushImage(here, image, parseReference(`${domain}/app:single`), undefined, () => undefined)
  const manifest = await registry.manifest('app', digest)
  const size = manifest?.bytes.length ?? 0
  const entry = (os: string, architecture: string) => ({
    mediaType: mediaTypes.dockerManifest,
    digest,
    size,
    platform: { os, architecture },
  })
  const index = (...manifests: object[]) =>
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }))
  await registry.putManifest(
    'app',
    mediaTypes.index,
    index(entry('unknown', 'unknown'), entry('linux', 'riscv64')),
    'multi',
  )
  const platform = { os: 'linux', architecture: 'riscv64' }
  const got = await pullImage(there, parseReference(`${domain}/app:multi`), { platform }, () => undefined)
  expect(got.id).toBe(image.id)
  const other = { os: 'linux', architecture: 's390x' }
  await expect(
    pullImage(there, parseReference(`${domain}/app:multi`), { platform: other }, () => undefined),
  ).rejects.toThrow('no matching manifest for linux/s390x in the manifest list entries')
})

describe('the server', () => {
  test('takes chunks in order only, and checks what it was promised', async () => {
    const base = `http://${await serve()}`
    const started = await webRequest(`${base}/v2/app/blobs/uploads/`, { method: 'POST' })
    const location = base + (started.headers.location ?? '')
    const chunk = (text: string, from: number) =>
      webRequest(location, {
        method: 'PATCH',
        headers: { 'Content-Range': `${from}-${from + text.length - 1}`, 'Content-Length': text.length },
        body: Buffer.from(text),
      })
    expect((await chunk('hel', 0)).headers.range).toBe('0-2')
    expect((await chunk('lo', 7)).status).toBe(416)
    expect((await chunk('lo', 3)).headers.range).toBe('0-4')
    expect((await webRequest(location)).headers.range).toBe('0-4')
    const digest = digestOf('hello')
    expect((await webRequest(`${location}?digest=${digest}`, { method: 'PUT' })).status).toBe(201)
    const part = await webRequest(`${base}/v2/app/blobs/${digest}`, { headers: { Range: 'bytes=1-3' } })
    expect([part.status, (await readAll(part.body, 10)).toString()]).toEqual([206, 'ell'])
    expect((await webRequest(`${base}/v2/other/blobs/${digest}`)).status).toBe(404)

    const second = await webRequest(`${base}/v2/app/blobs/uploads/`, { method: 'POST' })
    const wrong = await webRequest(`${base}${second.headers.location}?digest=${digest}`, {
      method: 'PUT',
      body: Buffer.from('other'),
      headers: { 'Content-Length': 5 },
    })
    expect(wrong.status).toBe(400)
  })

  test('a manifest must not name what is not there', async () => {
    const base = `http://${await serve()}`
    const config = { mediaType: mediaTypes.config, digest: digestOf('x'), size: 1 }
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [] }))
    const headers = { 'Content-Type': mediaTypes.manifest, 'Content-Length': body.length }
    const response = await webRequest(`${base}/v2/app/manifests/1`, { method: 'PUT', headers, body })
    expect([response.status, (await readAll(response.body, 999)).toString()]).toEqual([
      400,
      expect.stringContaining('MANIFEST_BLOB_UNKNOWN'),
    ])
  })

  test.each(['/v2/../../etc/passwd', '/v2/app/manifests/..', '/v2/app/blobs/sha256:..', '/v2/UPPER/tags/list'])(
    '%s leads nowhere',
    async (path) => {
      const { status } = await webRequest(`http://${await serve()}${path}`)
      expect([400, 404]).toContain(status)
    },
  )
})

describe('without a network', () => {
  const warnings: unknown[] = []
  const source = (hostBases?: 'fallback' | 'prefer' | 'never') =>
    new ImageSource({
      images: here,
      machine: {
        find: (name) => `/bin/${name}`,
        stat: () => ({ modifiedAt: new Date(0), bytes: 7 }),
        nodeVersion: 'v20.0.0',
        output: () => '',
      },
      log: { warn: (...line: unknown[]) => void warnings.push(line) },
      ...(hostBases ? { hostBases } : {}),
    })
  /** Official images of a registry that nobody serves. */
  const name = '127.0.0.1:1/library/node:20'

  test('a well-known base is played by this machine, with a warning', async () => {
    const lines: Progress[] = []
    const image = await source().ensure(name, {}, (line) => lines.push(line))
    expect(image).toMatchObject({ hostBase: true, repoTags: [name] })
    expect(lines[0]?.status).toMatch(/^WARNING: no registry answers for 127.0.0.1:1\/library\/node:20/)
    expect(warnings).toHaveLength(1)
    expect((await source('never').ensure(name, {}, () => undefined)).id).toBe(image.id)
  })

  test('other images stay an error', async () => {
    await expect(source().ensure('127.0.0.1:1/me/app', {}, () => undefined)).rejects.toThrow('connection refused')
    await expect(source('never').ensure(name, {}, () => undefined)).rejects.toThrow('connection refused')
  })

  test('a real image keeps its name', async () => {
    const real = await makeImage('real')
    await here.tag(real.id, parseReference(name))
    expect((await source('prefer').ensure(name, { alwaysPull: true }, () => undefined)).id).toBe(real.id)
    await expect(source().ensure(name, { alwaysPull: true }, () => undefined)).rejects.toThrow('connection refused')
  })
})
