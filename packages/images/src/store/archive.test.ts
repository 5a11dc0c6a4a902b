import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { imagesToSave, loadImages, saveImages } from './archive.ts'
import { chainIds } from '../layers/chain-id.ts'
import { digestOf } from '../content/content-store.ts'
import type { RunConfig } from '../content/oci.ts'
import { historyOf } from './history.ts'
import { importImage } from './import.ts'
import { ImageStore } from './image-store.ts'
import { parseReference } from '@dinghy/shared/docker/reference'
import type { TarHeader } from '../files/tar.ts'
import { tarStream } from '../files/tar.ts'

let root: string
let here: ImageStore
let there: ImageStore
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'archive-'))
  here = new ImageStore({ root: join(root, 'here') })
  there = new ImageStore({ root: join(root, 'there') })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function tar(files: Record<string, string | Partial<TarHeader>>): Readable {
  return tarStream(async (archive) => {
    for (const [name, content] of Object.entries(files)) {
      const body = typeof content === 'string' ? Buffer.from(content) : undefined
      const defaults = { name, type: 'file' as const, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) }
      await archive.add({ ...defaults, size: body?.length ?? 0, ...(typeof content === 'string' ? {} : content) }, body)
    }
  })
}

async function load(archive: Readable): Promise<string[]> {
  return (await loadImages(there, archive)).map(({ text }) => text)
}

function importHere(files: Record<string, string>, config: RunConfig = {}) {
  return importImage(here, tar(files), { message: 'imported', config, now: new Date(0) })
}

test('what was saved can be loaded, with its names', async () => {
  const image = await importHere({ file: 'content' }, { Cmd: ['x'] })
  for (const name of ['app:1', 'app:2', 'other:1']) await here.tag(image.id, parseReference(name))
  const saved = await imagesToSave(here, ['app'])
  expect(saved.map(({ tags }) => tags)).toEqual([['app:1', 'app:2']])
  const bytes = await buffer(saveImages(here, saved))

  expect(await load(Readable.from([gzipSync(bytes)]))).toEqual(['Loaded image: app:1\n', 'Loaded image: app:2\n'])
  const loaded = await there.resolve('app:1')
  expect(loaded.id).toBe(image.id)
  expect(readFileSync(join(loaded.layers[0] ?? '', 'file'), 'utf8')).toBe('content')
})

test('the same images give the same archive', async () => {
  const image = await importHere({ file: 'content' })
  const save = async () => digestOf(await buffer(saveImages(here, await imagesToSave(here, [image.id]))))
  expect(await save()).toBe(await save())
  const bytes = await buffer(saveImages(here, await imagesToSave(here, [image.id.slice(7, 19)])))
  expect(await load(Readable.from([bytes]))).toEqual([`Loaded image ID: ${image.id}\n`])
})

test('an OCI layout without Docker’s manifest.json is read, too', async () => {
  const layer = await buffer(tar({ file: 'x' }))
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  })
  const blob = (bytes: Parameters<typeof digestOf>[0]) => `blobs/sha256/${digestOf(bytes).slice(7)}`
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: 'c', digest: digestOf(config), size: config.length },
    layers: [{ mediaType: 'l', digest: digestOf(layer), size: layer.length }],
  })
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: 'm',
        digest: digestOf(manifest),
        size: 1,
        annotations: { 'io.containerd.image.name': 'docker.io/library/app:3' },
      },
    ],
  }
  const archive = tar({
    [blob(layer)]: layer.toString(),
    [blob(config)]: config,
    [blob(manifest)]: manifest,
    'index.json': JSON.stringify(index),
  })
  expect(await load(archive)).toEqual(['Loaded image: app:3\n'])
})

test.each<[string, Record<string, string | Partial<TarHeader>>, string]>([
  ['no manifest', { x: '' }, 'does not contain a manifest.json'],
  ['broken manifest', { 'manifest.json': '{' }, 'invalid image: manifest.json: '],
  ['missing config', { 'manifest.json': '[{"Config":"../../etc/passwd","Layers":[]}]' }, 'etc/passwd is missing'],
  [
    'a layer by way of a link to this machine',
    {
      'manifest.json': '[{"Config":"c","Layers":["l"],"RepoTags":null}]',
      c: `{"config":{},"rootfs":{"diff_ids":["sha256:${'0'.repeat(64)}"]}}`,
      l: { type: 'symlink', linkname: '/etc/passwd' },
    },
    'layer l is missing',
  ],
  [
    'a layer that is another',
    {
      'manifest.json': '[{"Config":"c","Layers":["l"],"RepoTags":null}]',
      c: `{"config":{},"rootfs":{"diff_ids":["sha256:${'0'.repeat(64)}"]}}`,
      l: '\0'.repeat(1024),
    },
    'wrong diff id',
  ],
  ['a manifest that is no list', { 'manifest.json': '{}' }, 'manifest.json is no list of images'],
  ['an entry that is no object', { 'manifest.json': '[null]' }, 'manifest.json is no list of images'],
  ['layers that are no names', { 'manifest.json': '[{"Config":"c","Layers":[1]}]', c: '{}' }, 'is no list of images'],
  ['a config that is no object', { 'manifest.json': '[{"Config":"c","Layers":[]}]', c: '7' }, 'config is no object'],
  ['a config without layers', { 'manifest.json': '[{"Config":"c","Layers":[]}]', c: '{}' }, 'rootfs is no object'],
  [
    'a diff id that is a path',
    { 'manifest.json': '[{"Config":"c","Layers":["l"]}]', c: '{"rootfs":{"diff_ids":["../x"]}}' },
    'no list of digests',
  ],
  [
    'a history that is none',
    { 'manifest.json': '[{"Config":"c","Layers":[]}]', c: '{"rootfs":{"diff_ids":[]},"history":[null]}' },
    'history is no list',
  ],
  [
    'a name that is none',
    { 'manifest.json': '[{"Config":"c","Layers":[],"RepoTags":["NOT VALID"]}]', c: '{"rootfs":{"diff_ids":[]}}' },
    'invalid archive',
  ],
  ['an index that is no list', { 'index.json': '{"manifests":{}}' }, 'no list of descriptors'],
  ['an index that is a manifest', { 'index.json': '{}' }, 'unsupported media type'],
  ['a manifest that is not there', { 'index.json': `{"manifests":[{"digest":"${digestOf('x')}"}]}` }, 'is missing'],
  ['an index of another machine’s files', { 'index.json': '{"manifests":[{"digest":"sha256:../../x"}]}' }, 'no list'],
])('%s is refused as the client’s mistake', async (_case, files, message) => {
  const error: unknown = await load(tar(files)).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ message: expect.stringContaining(message) as string })
  expect(await there.list()).toEqual([])
})

test('a list of manifests that holds itself ends', async () => {
  // Nobody can name the digest of what holds it; a link can.
  const digest = digestOf('itself')
  const self = JSON.stringify({ manifests: [{ digest }] })
  const archive = tar({ [`blobs/sha256/${digest.slice(7)}`]: self, 'index.json': self })
  await expect(load(archive)).rejects.toThrow('holds itself')
})

test('null is as good as nothing, as Go writes it', async () => {
  const config = '{"os":"linux","architecture":"amd64","config":null,"rootfs":{"diff_ids":[]},"history":null}'
  const archive = tar({ 'manifest.json': '[{"Config":"c","Layers":null,"RepoTags":["app:1"]}]', c: config })
  expect(await load(archive)).toEqual(['Loaded image: app:1\n'])
  expect((await there.resolve('app:1')).config.config).toEqual({})
})

test('an imported image is for the platform that was asked for', async () => {
  const options = { message: '', config: {}, now: new Date(0) }
  const image = await importImage(here, tar({ a: 'x' }), {
    ...options,
    platform: { os: 'linux', architecture: 's390x' },
  })
  expect(image.config).toMatchObject({ os: 'linux', architecture: 's390x' })
})

test('history knows sizes and, as long as the chain is unbroken, ids', async () => {
  const parent = await importHere({ file: '12345' })
  const config = {
    ...parent.config,
    history: [...(parent.config.history ?? []), { created_by: 'CMD', empty_layer: true }],
  }
  const child = await here.create(config, { parent: parent.id })
  const lines = historyOf(
    child,
    ({ parent: id }) => (id === parent.id ? parent : undefined),
    () => 5,
  )
  expect(lines.map(({ Id, CreatedBy, Size }) => [Id, CreatedBy, Size])).toEqual([
    [child.id, 'CMD', 0],
    [parent.id, '', 5],
  ])
  expect(
    historyOf(
      child,
      () => undefined,
      () => 5,
    )[1]?.Id,
  ).toBe('<missing>')
})

test('chain ids name a layer together with those below', () => {
  expect(chainIds(['sha256:a', 'sha256:b'])).toEqual(['sha256:a', digestOf('sha256:a sha256:b')])
})
