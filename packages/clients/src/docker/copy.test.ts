import { expect, test } from 'vitest'
import { placeOf } from './copy.ts'

test.each([
  // to, what is there, from, whether that is a directory → directory, name
  ['/d', 'directory', '/a/file', false, '/d', 'file'],
  ['/d/', 'directory', '/a/dir', true, '/d/', 'dir'],
  ['/d', 'directory', '/a/dir/', true, '/d', 'dir'],
  ['/d', 'directory', '/a/dir/.', true, '/d', undefined],
  ['/d', 'directory', '.', true, '/d', undefined],
  ['/d/f', 'file', '/a/file', false, '/d', 'f'],
  ['/d/new', 'missing', '/a/file', false, '/d', 'new'],
  ['/d/new/', 'missing', '/a/dir', true, '/d', 'new'],
  ['/d/new', 'missing', '/a/dir/.', true, '/d', 'new'],
  ['new', 'missing', '/a/file', false, '.', 'new'],
] as const)('to %s (%s) from %s', (path, kind, from, isDirectory, directory, name) => {
  expect(placeOf(path, kind, from, isDirectory)).toEqual({ directory, name })
})

test('what cannot be', () => {
  expect(() => placeOf('/f', 'file', '/dir', true)).toThrow('cannot copy directory')
  expect(() => placeOf('/nosuch/', 'missing', '/file', false)).toThrow('no such directory')
})
