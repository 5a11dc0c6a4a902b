import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { changesSince, flatten, writeManifest } from './flatten.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flatten-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function layer(name: string, files: string[]): string {
  for (const path of files) {
    mkdirSync(dirname(join(root, name, path)), { recursive: true })
    writeFileSync(join(root, name, path), `${name} ${path}`)
  }
  return join(root, name)
}

test('layers replace, hide and empty each other', () => {
  const one = layer('one', ['keep', 'replaced', 'gone', 'opaque/old', 'dir/inside'])
  const two = layer('two', ['replaced', '.wh.gone', 'opaque/.wh..wh..opq', 'opaque/new', 'dir/more'])
  const target = join(root, 'target')
  flatten([one, two], target)
  expect(readdirSync(target, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
    'dir',
    'dir/inside',
    'dir/more',
    'keep',
    'opaque',
    'opaque/new',
    'replaced',
  ])
  expect(readFileSync(join(target, 'replaced'), 'utf8')).toBe('two replaced')
})

test('a copy is a copy: writing into it leaves the layer alone', () => {
  const one = layer('one', ['file'])
  chmodSync(join(one, 'file'), 0o4755)
  symlinkSync('file', join(one, 'link'))
  const target = join(root, 'target')
  flatten([one], target)
  writeFileSync(join(target, 'link'), 'changed')
  expect(readFileSync(join(one, 'file'), 'utf8')).toBe('one file')
  expect(statSync(join(one, 'file')).mode & 0o7777).toBe(0o4755)
  expect(existsSync(join(target, 'file'))).toBe(true)
})

test('changes since the beginning', () => {
  const target = join(root, 'target')
  const manifest = join(root, 'manifest.json')
  flatten([layer('one', ['same', 'edited', 'gone', 'tree/a', 'tree/b/c', 'own/x'])], target)
  writeManifest(target, manifest)
  writeFileSync(join(target, 'edited'), 'something else')
  writeFileSync(join(target, 'new'), '')
  writeFileSync(join(target, 'own/y'), '')
  rmSync(join(target, 'gone'))
  rmSync(join(target, 'tree'), { recursive: true })
  expect(changesSince(target, manifest, new Set(['/own']))).toEqual([
    { path: '/edited', kind: 'modify' },
    { path: '/gone', kind: 'delete' },
    { path: '/new', kind: 'add' },
    { path: '/tree', kind: 'delete' },
  ])
})
