import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { notFound } from '@dinghy/shared/docker/errors'
import { FakeSnapshotter } from '../testing/fake-snapshotter.ts'
import { ImageTrees } from './image-trees.ts'
import type { MountPoint } from './mount-point.ts'

let root: string
let snapshotter: FakeSnapshotter
let trees: ImageTrees

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'trees-'))
  snapshotter = new FakeSnapshotter()
  const resolve = async (name: string) => {
    if (name === 'gone') throw notFound('No such image: gone')
    return { layers: [`/layers/${name}`], hostBase: true } as never
  }
  trees = new ImageTrees({ root, images: { resolve }, snapshotter })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

async function provided(image: string, subpath = ''): Promise<MountPoint> {
  const mount: MountPoint = { type: 'image', source: '', target: '/t', readOnly: true, mode: '', image }
  await trees.provide(mount, subpath)
  return mount
}

test('an image is unpacked once, for all who mount it, and goes with the last', async () => {
  const [one, two] = await Promise.all([provided('box'), provided('box')])
  expect(one.source).toBe(two.source)
  expect(one.machine).toEqual(['/usr'])
  const other = await provided('other', 'etc')
  expect(other).toMatchObject({ source: expect.stringMatching(/\/etc$/) })
  expect(other.machine).toBeUndefined()
  expect(snapshotter.unpacked).toBe(2)
  await trees.retain([two, other])
  expect([one, other].map(({ source }) => existsSync(source))).toEqual([true, true])
  await trees.retain([one])
  expect([one, other].map(({ source }) => existsSync(source))).toEqual([true, false])
  await trees.retain([])
  expect(readdirSync(root)).toEqual([])
})

test('one that is being made for a container nobody knows yet stays', async () => {
  const providing = provided('box')
  await trees.retain([])
  expect(existsSync((await providing).source)).toBe(true)
})

test('what a killed runtime had begun is begun anew', async () => {
  const unpack = snapshotter.unpack.bind(snapshotter)
  snapshotter.unpack = async (...asked) => {
    await unpack(...asked)
    throw new Error('killed')
  }
  await expect(provided('box')).rejects.toThrow('killed')
  expect(readdirSync(root)).toEqual([expect.stringMatching(/\.begun$/)])
  snapshotter.unpack = unpack
  expect(readFileSync(join((await provided('box')).source, 'etc/name'), 'utf8')).toBe('box')
  expect(readdirSync(root)).toHaveLength(1)
})

test.each([
  ['a file', 'etc/name', /\/etc\/name$/],
  ['a link, followed in the image', 'link', /\/etc\/name$/],
  ['a link that leads out of it, which ends at its root', 'out/etc', /^\/.*trees-.*\/etc$/],
  ['a directory of this machine', 'usr/bin', /^\/usr\/bin$/],
])('a part of an image: %s', async (_what, subpath, expected) => {
  expect((await provided('box', subpath)).source).toMatch(expected)
})

test('an image or a part of one that is not there', async () => {
  await expect(provided('box', 'nope')).rejects.toThrow('cannot access path nope: no such file or directory')
  await expect(provided('gone')).rejects.toThrow('No such image: gone')
})
