import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HeldDirectory, makeDirectoriesIn, removeFrom, unlessReplaced, walkIn } from './held-directory.ts'

let dir: string
let root: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'held-'))
  root = join(dir, 'root')
  mkdirSync(join(root, 'a/b'), { recursive: true })
  mkdirSync(join(dir, 'outside'))
  writeFileSync(join(root, 'a/b/file'), 'inside')
  writeFileSync(join(dir, 'outside/file'), 'the machine’s')
})
afterEach(() => rmSync(dir, { recursive: true }))

function contentOf(path: string, followLast = true): string {
  const entry = walkIn(HeldDirectory.open(root), path, { followLast })
  try {
    return entry.stat()?.isFile() ? readFileSync(entry.path, 'utf8') : 'no file'
  } finally {
    entry.close()
  }
}

test.each([
  ['/a/b/file', 'inside'],
  ['a//./b/file', 'inside'],
  ['/a/b/../../../../a/b/file', 'inside'],
  ['/none', 'no file'],
  ['/', 'no file'],
  ['/absolute/file', 'inside'],
  ['/climbing/file', 'inside'],
  ['/to-file', 'inside'],
])('%s is %s', (path, content) => {
  symlinkSync('/a/b', join(root, 'absolute'))
  symlinkSync('../../../a/b', join(root, 'climbing'))
  symlinkSync('absolute/file', join(root, 'to-file'))
  expect(contentOf(path)).toBe(content)
})

test('a last link stays one if it is not to be followed', () => {
  symlinkSync('a/b/file', join(root, 'link'))
  expect(contentOf('/link', false)).toBe('no file')
})

test('what cannot be walked has the kernel’s code', () => {
  symlinkSync('loop', join(root, 'loop'))
  expect(() => contentOf('/loop')).toThrow(expect.objectContaining({ code: 'ELOOP' }))
  expect(() => contentOf('/none/file')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  expect(() => contentOf('/a/b/file/below')).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
})

describe('when a link takes the place of a directory', () => {
  function swap(path: string): void {
    renameSync(join(root, path), join(root, 'moved'))
    symlinkSync(join(dir, 'outside'), join(root, path))
  }

  test('what is held stays what it was', () => {
    const entry = walkIn(HeldDirectory.open(root), '/a/b/file', { followLast: false })
    swap('a/b')
    expect(readFileSync(entry.path, 'utf8')).toBe('inside')
    entry.close()
  })

  test('it cannot be entered', () => {
    const entry = walkIn(HeldDirectory.open(root), '/a/b', { followLast: false })
    expect(entry.stat()?.isDirectory()).toBe(true)
    swap('a/b')
    expect(() => entry.enter()).toThrow()
    expect(unlessReplaced(() => entry.enter())).toBeUndefined()
    entry.close()
  })

  test('nothing is made behind it', () => {
    swap('a/b')
    expect(() => makeDirectoriesIn(HeldDirectory.open(root), ['a', 'b', 'new'])).toThrow()
    expect(existsSync(join(dir, 'outside/new'))).toBe(false)
  })

  test('nothing is removed behind it', () => {
    swap('a/b')
    const held = HeldDirectory.open(root)
    removeFrom(held, 'a')
    held.close()
    expect([existsSync(join(root, 'a')), readFileSync(join(dir, 'outside/file'), 'utf8')]).toEqual([
      false,
      'the machine’s',
    ])
  })
})

test('trees deeper than a path is long can be walked and removed', () => {
  const held = makeDirectoriesIn(
    HeldDirectory.open(root),
    Array.from({ length: 1_500 }, () => 'deep'),
  )
  writeFileSync(held.at('file'), '')
  held.close()
  const top = HeldDirectory.open(root)
  removeFrom(top, 'deep')
  top.close()
  expect(existsSync(join(root, 'deep'))).toBe(false)
})

test('a name is the name of one entry', () => {
  const held = HeldDirectory.open(root)
  expect(() => held.at('a/b')).toThrow('not the name of an entry')
  expect(() => held.at('..')).toThrow('not the name of an entry')
  held.close()
})
