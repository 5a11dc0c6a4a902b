import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { ImageStore } from './image-store.ts'
import type { OciImageConfig } from '../content/oci.ts'
import { parseReference } from '@dinghy/shared/docker/reference'
import { tarStream } from '../files/tar.ts'

let root: string
let store: ImageStore
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'image-store-'))
  store = new ImageStore({ root })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function tag(id: string, name: string) {
  return store.tag(id, parseReference(name))
}

async function layer(files: Record<string, string>): Promise<string> {
  const tar = tarStream(async (archive) => {
    for (const [name, content] of Object.entries(files)) {
      const body = Buffer.from(content)
      const header = { name, type: 'file' as const, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), size: body.length }
      await archive.add(header, body)
    }
  })
  return (await store.layers.add(tar)).diffId
}

function config(diffIds: string[], labels: Record<string, string> = {}): OciImageConfig {
  return {
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: diffIds },
  }
}

test('an image is found by name, digest, id and the beginning of its id', async () => {
  const image = await store.create(config([await layer({ a: 'hello' })]))
  await tag(image.id, 'me/app:1')
  const digest = `sha256:${'d'.repeat(64)}`
  await store.addDigest(image.id, parseReference('me/app'), digest)
  const hex = image.id.slice('sha256:'.length)
  for (const name of ['me/app:1', 'docker.io/me/app:1', `me/app@${digest}`, image.id, hex, hex.slice(0, 12)]) {
    expect((await store.resolve(name)).id, name).toBe(image.id)
  }
  const found = await store.resolve('me/app:1')
  expect(found).toMatchObject({ repoTags: ['me/app:1'], repoDigests: [`me/app@${digest}`], size: 5, hostBase: false })
  expect(readdirSync(found.layers[0] ?? '')).toEqual(['a'])
})

test.each([
  ['me/app', 'No such image: me/app:latest'],
  ['Not Valid', 'No such image: Not Valid'],
  ['abc', 'No such image: abc:latest'],
])('%s does not exist', async (name, message) => {
  await expect(store.resolve(name)).rejects.toMatchObject({ status: 404, message })
})

test('a name moves from one image to the next', async () => {
  const first = await store.create(config([], { n: '1' }))
  const second = await store.create(config([], { n: '2' }))
  expect(await tag(first.id, 'app')).toBeUndefined()
  expect(await tag(second.id, 'app:latest')).toBe(first.id)
  expect((await store.resolve(first.id)).repoTags).toEqual([])
  expect((await store.resolve('app')).id).toBe(second.id)
})

test('layers go with the last image that has them', async () => {
  const shared = await layer({ shared: 'x' })
  const own = await layer({ own: 'y' })
  const first = await store.create(config([shared]))
  const second = await store.create(config([shared, own]), { parent: first.id })
  expect(await store.children(first.id)).toEqual([second.id])

  await store.remove(second.id)
  expect(existsSync(store.layers.directory(shared))).toBe(true)
  expect(existsSync(store.layers.directory(own))).toBe(false)
  expect(await store.content.has(own)).toBe(false)
  await expect(store.resolve(second.id)).rejects.toMatchObject({ status: 404 })
})

test('an image cannot be entered without its layers', async () => {
  const missing = `sha256:${'0'.repeat(64)}`
  await expect(store.create(config([missing]))).rejects.toThrow('was removed while the image was being made')
})

test('a sweep takes old layers that neither an image nor a container has', async () => {
  const clock = new FakeClock(Date.now())
  store = new ImageStore({ root, clock })
  const kept = await layer({ kept: '1' })
  const used = await layer({ used: '22' })
  const orphan = await layer({ orphan: '333' })
  await store.create(config([kept]))
  const inUse = new Set([store.layers.directory(used)])

  expect(await store.sweep(inUse, 60_000)).toBe(0)
  await clock.advance(61_000)
  expect(await store.sweep(inUse, 60_000)).toBe(3)
  expect((await store.layers.list()).map(({ layer }) => layer.diffId).sort()).toEqual([kept, used].sort())
  expect(await store.layers.get(orphan)).toBeUndefined()
})

test('names that are given at the same time do not lose one another', async () => {
  const image = await store.create(config([]))
  const names = Array.from({ length: 20 }, (_, index) => `app:${index}`)
  await Promise.all(names.map((name) => store.tag(image.id, parseReference(name))))
  expect((await store.resolve(image.id)).repoTags).toEqual([...names].sort())
})
