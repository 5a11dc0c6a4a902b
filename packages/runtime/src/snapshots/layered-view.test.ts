import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LayeredView } from './layered-view.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'view-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function layer(
  name: string,
  files: Record<string, string>,
  links: Record<string, string> = {},
): { dir: string; at: string } {
  const dir = join(root, name)
  mkdirSync(dir)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    symlinkSync(target, join(dir, path))
  }
  return { dir, at: '/' }
}

test('the uppermost layer that has a file wins, and whiteouts hide what lies below', () => {
  const view = new LayeredView([
    layer('top', { 'a/one': 'top', 'a/.wh.two': '' }),
    layer('bottom', { 'a/one': 'bottom', 'a/two': '', 'a/three': '' }),
  ])
  expect(view.find('/a/one')?.hostPath).toBe(join(root, 'top/a/one'))
  expect(view.find('/a/two')).toBeUndefined()
  expect(view.find('/a/three')?.hostPath).toBe(join(root, 'bottom/a/three'))
  expect(view.names('/a').toSorted()).toEqual(['one', 'three'])
})

test('links are followed inside the view, never out of it', () => {
  const view = new LayeredView([
    layer(
      'top',
      { 'etc/passwd': 'mine' },
      { abs: '/etc/passwd', up: '../../../../etc/passwd', lib: 'usr/lib', loop: 'loop' },
    ),
    layer('bottom', { 'usr/lib/x': '' }),
  ])
  for (const path of ['/abs', '/up', '/etc/../abs'])
    expect(view.find(path)?.hostPath).toBe(join(root, 'top/etc/passwd'))
  expect(view.find('/lib/x')?.path).toBe('/usr/lib/x')
  expect(view.find('/loop')).toBeUndefined()
  expect(view.resolve('/lib/new/file').path).toBe('/usr/lib/new/file')
})

test('a file above hides a directory below', () => {
  const view = new LayeredView([layer('top', { a: 'file' }), layer('bottom', { 'a/b': '' })])
  expect(view.find('/a/b')).toBeUndefined()
})

test('a branch may show only a part', () => {
  const { dir } = layer('host', { 'bin/sh': '' })
  const view = new LayeredView([layer('top', {}), { dir, at: '/usr' }])
  expect(view.find('/usr/bin/sh')?.hostPath).toBe(join(dir, 'bin/sh'))
  expect(view.find('/bin/sh')).toBeUndefined()
})

test('an opaque directory hides what lies below, at any depth', () => {
  const opaque = new Set(['a'])
  const view = new LayeredView([
    layer('writable', { 'a/new': '' }),
    { ...layer('top', { 'a/b/one': '' }), opaque },
    layer('bottom', { 'a/b/two': '', 'a/three': '', four: '' }),
  ])
  const found = ['/a/new', '/a/b/one', '/a/b/two', '/a/three', '/four'].filter((path) => view.find(path))
  expect(found).toEqual(['/a/new', '/a/b/one', '/four'])
  expect(view.names('/a').toSorted()).toEqual(['b', 'new'])
})
