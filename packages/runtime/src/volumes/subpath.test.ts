import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isLocalPath, resolveSubpath } from './subpath.ts'

test.each([
  ['a', true],
  ['a/../b', true],
  ['.', true],
  ['', false],
  ['/a', false],
  ['..', false],
  ['../..', false],
  ['a/../../b', false],
])('%j stays where it begins: %s', (path, isLocal) => {
  expect(isLocalPath(path)).toBe(isLocal)
})

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'subpath-'))
  mkdirSync(join(root, 'data/sub'), { recursive: true })
  mkdirSync(join(root, 'database'))
  writeFileSync(join(root, 'data/file'), '')
  mkdirSync(join(root, 'data/links'))
  symlinkSync('/', join(root, 'data/links/root'))
  symlinkSync('root', join(root, 'data/links/twice'))
  symlinkSync('../sub', join(root, 'data/links/good'))
  symlinkSync('../../database', join(root, 'data/links/beside'))
  symlinkSync('loop', join(root, 'data/links/loop'))
})
afterEach(() => rmSync(root, { recursive: true }))

test.each([
  ['sub', 'sub'],
  ['file', 'file'],
  ['links/good', 'sub'],
])('%s is %s', (subpath, found) => {
  expect(resolveSubpath(join(root, 'data'), subpath)).toBe(join(root, 'data', found))
})

test.each([
  ['links/root', 'escapes the base directory'],
  ['links/twice/etc', 'escapes the base directory'],
  ['links/beside', 'escapes the base directory'],
  ['nothing', 'cannot access path .*: no such file or directory'],
  ['file/x', 'cannot access path .*: not a directory'],
  ['links/loop', 'cannot access path .*: too many levels'],
])('%s is refused', (subpath, message) => {
  expect(() => resolveSubpath(join(root, 'data'), subpath)).toThrow(new RegExp(message))
})
