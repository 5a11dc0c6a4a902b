import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LayerView } from './layer-view.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'layer-view-'))
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

/** `-> x` is a link to x, null a directory, anything else content. */
function layer(name: string, files: Record<string, string | null>, opaque: string[] = []) {
  const directory = join(base, name)
  mkdirSync(directory)
  for (const [path, content] of Object.entries(files)) {
    const target = join(directory, path)
    mkdirSync(content === null ? target : dirname(target), { recursive: true })
    if (content?.startsWith('-> ')) symlinkSync(content.slice(3), target)
    else if (content !== null) writeFileSync(target, content)
  }
  return { directory, opaque: new Set(opaque) }
}

test('upper layers replace files and add to directories', () => {
  const view = new LayerView([
    layer('1', { 'etc/a': '1', 'etc/b': '1', 'usr/lib/x': '1' }),
    layer('2', { 'etc/b': '2', 'etc/c': '2' }),
  ])
  expect(view.readdir('/etc')).toEqual(['a', 'b', 'c'])
  expect(['a', 'b', 'c'].map((name) => view.readFile(`/etc/${name}`)?.toString())).toEqual(['1', '2', '2'])
  expect([...view.walk('/')].map(({ path }) => path)).toEqual([
    '/',
    '/etc',
    '/etc/a',
    '/etc/b',
    '/etc/c',
    '/usr',
    '/usr/lib',
    '/usr/lib/x',
  ])
})

test('whiteouts and opaque directories hide what is below, not what is above', () => {
  const view = new LayerView([
    layer('1', { 'a/gone': '1', 'a/kept': '1', 'd/old': '1', 'e/f/deep': '1' }),
    layer('2', { 'a/.wh.gone': '', 'd/.wh..wh..opq': '', 'd/new': '2', '.wh.e': '' }, ['d']),
    layer('3', { 'd/newer': '3', 'e/again': '3' }),
  ])
  expect(view.readdir('/a')).toEqual(['kept'])
  expect(view.readdir('/d')).toEqual(['new', 'newer'])
  expect(view.lookup('/a/gone')).toBeUndefined()
  expect(view.readdir('/e')).toEqual(['again'])
})

test('a file in place of a directory ends the path', () => {
  const view = new LayerView([layer('1', { 'a/b': '1' }), layer('2', { a: 'file' })])
  expect(view.lookup('/a/b')).toBeUndefined()
  expect(view.readFile('/a')?.toString()).toBe('file')
})

test('links are followed across layers, and never out of the tree', () => {
  const view = new LayerView([
    layer('1', { lib: '-> usr/lib', 'usr/lib/x': '1', out: '-> ../../../../etc', etc: null, abs: '-> /usr' }),
    layer('2', { 'usr/lib/y': '2', loop: '-> loop' }),
  ])
  expect(view.readdir('/lib')).toEqual(['x', 'y'])
  expect(view.realPath('/lib/new/file')).toBe('/usr/lib/new/file')
  expect(view.realPath('/abs/lib/../../out/x')).toBe('/etc/x')
  expect(view.realPath('/../..')).toBe('/')
  expect(view.lookup('/lib', 'keep')?.stat.isSymbolicLink()).toBe(true)
  expect(() => view.lookup('/loop')).toThrow('too many levels of symbolic links')
})

test('a layer may show only some of its paths', () => {
  const view = new LayerView([
    { ...layer('host', { 'usr/bin/node': 'x', 'root/secret': 'y' }), shows: (path) => path.split('/')[0] === 'usr' },
    layer('1', { app: '1' }),
  ])
  expect(view.readdir('/')).toEqual(['app', 'usr'])
  expect(view.lookup('/root/secret')).toBeUndefined()
  expect(view.readFile('/usr/bin/node')?.toString()).toBe('x')
})

test('a layer may show only a part of the view, even where nothing else leads to it', () => {
  const { directory } = layer('host', { 'bin/sh': '' })
  const view = new LayerView([{ directory, at: '/opt/usr' }, layer('1', { app: '1' })])
  expect(view.lookup('/opt/usr/bin/sh')?.hostPath).toBe(join(directory, 'bin/sh'))
  expect(view.lookup('/bin/sh')).toBeUndefined()
  expect(view.lookup('/opt')).toBeUndefined()
})

test('a mount hides what lies below, and is empty before it has a directory', () => {
  const image = layer('1', { 'data/link': '-> /elsewhere', 'tmp/x': '1' })
  const { directory } = layer('volume', { 'new/deep': '' })
  const view = new LayerView([
    image,
    { directory, at: '/data', covers: true },
    { directory: '', at: '/tmp', covers: true },
    { directory, at: '/tmp/inner', covers: true },
  ])
  expect(view.readdir('/data')).toEqual(['new'])
  expect(view.realPath('/data/link/x')).toBe('/data/link/x')
  expect(view.lookup('/tmp/x')).toBeUndefined()
  expect(view.lookup('/tmp/inner/new/deep')?.path).toBe('/tmp/inner/new/deep')
})

test('an opaque directory hides what lies below at any depth', () => {
  const view = new LayerView([
    layer('1', { 'a/b/two': '', 'a/three': '', four: '' }),
    layer('2', { 'a/b/one': '' }, ['a']),
    layer('3', { 'a/new': '' }),
  ])
  const found = ['/a/new', '/a/b/one', '/a/b/two', '/a/three', '/four'].filter((path) => view.lookup(path))
  expect(found).toEqual(['/a/new', '/a/b/one', '/four'])
  expect(view.readdir('/a')).toEqual(['b', 'new'])
})
