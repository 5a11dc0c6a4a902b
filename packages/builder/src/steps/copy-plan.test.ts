import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Copy } from '../dockerfile/instructions.ts'
import { parseCommands } from '../dockerfile/parse.ts'
import { LayerView } from '@dinghy/images/layers/layer-view'
import { copyDigest } from './copy-layer.ts'
import { planCopy } from './copy-plan.ts'
import { parseMode, parseOwner } from './owner.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'copy-plan-'))
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

/** `-> x` is a link, a name ending in `/` a directory. */
function tree(name: string, files: Record<string, string>): LayerView {
  const directory = join(base, name)
  mkdirSync(directory)
  for (const [path, content] of Object.entries(files)) {
    const target = join(directory, path)
    mkdirSync(path.endsWith('/') ? target : dirname(target), { recursive: true })
    if (content.startsWith('-> ')) symlinkSync(content.slice(3), target)
    else if (!path.endsWith('/')) writeFileSync(target, content)
  }
  return new LayerView([{ directory, opaque: new Set() }])
}

const context = {
  'a.txt': 'a',
  'b.txt': 'b',
  'src/x': 'x',
  'src/sub/y': 'y',
  'link.txt': '-> src/x',
  out: '-> /etc/passwd',
}
const testImage = { 'app/': '', 'etc/conf': 'c', data: '-> /var/data', 'var/data/': '' }

function plan(text: string, workingDir = '/app', isContext = true): string[] {
  const [copy] = parseCommands(text)
  const source = { view: tree('context', context), isContext }
  const items = planCopy({ copy: copy as Copy, inline: [], source, image: tree('image', testImage), workingDir })
  return items.map((item) => {
    const { source: from, target } = item
    if (from === 'new-directory') return `new → ${target}`
    return `${'stat' in from ? from.path : from.name} → ${target}`
  })
}

describe('where files go', () => {
  test.each([
    ['COPY a.txt b', ['/a.txt → /app/b']],
    ['COPY a.txt .', ['/a.txt → /app/a.txt']],
    ['COPY a.txt ./new/', ['/a.txt → /app/new/a.txt']],
    ['COPY a.txt /app', ['/a.txt → /app/a.txt']],
    ['COPY a.txt /abs', ['/a.txt → /abs']],
    ['COPY a.txt b.txt /d/', ['/a.txt → /d/a.txt', '/b.txt → /d/b.txt']],
    ['COPY *.txt /d/', ['/a.txt → /d/a.txt', '/b.txt → /d/b.txt', '/src/x → /d/link.txt']],
    ['COPY s*/sub /d', ['new → /d', '/src/sub/y → /d/y']],
    ['COPY src .', ['/src/sub → /app/sub', '/src/sub/y → /app/sub/y', '/src/x → /app/x']],
    ['COPY src/ /new', ['new → /new', '/src/sub → /new/sub', '/src/sub/y → /new/sub/y', '/src/x → /new/x']],
    ['COPY link.txt /d/', ['/src/x → /d/link.txt']],
    ['COPY a.txt /data/', ['/a.txt → /var/data/a.txt']],
    ['COPY a.txt /data/../up', ['/a.txt → /up']],
    ['COPY a.txt ../../../../x', ['/a.txt → /x']],
    ['COPY --exclude=sub --exclude=*.md src /d', ['new → /d', '/src/x → /d/x']],
    ['COPY --parents src/sub/y /d/', ['/src/sub/y → /d/src/sub/y']],
    ['COPY --parents src/sub /d/', ['/src/sub → /d/src/sub', '/src/sub/y → /d/src/sub/y']],
    ['COPY ["a.txt", "/with space/"]', ['/a.txt → /with space/a.txt']],
  ])('%s', (text, expected) => expect(plan(text)).toEqual(expected))
})

describe('refused', () => {
  test.each([
    [
      'COPY nope /x',
      'COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist',
    ],
    ['ADD nope* /x', 'ADD failed: no source files were specified'],
    ['COPY ../secret /x', 'COPY failed: forbidden path outside the build context: ../secret ()'],
    ['COPY a/../../secret /x', 'COPY failed: forbidden path outside the build context: a/../../secret ()'],
    [
      'COPY out /x',
      'COPY failed: file not found in build context or excluded by .dockerignore: stat out: file does not exist',
    ],
    [
      'COPY a.txt b.txt /x',
      'When using COPY with more than one source file, the destination must be a directory and end with a /',
    ],
    ['COPY src /etc/conf', 'COPY failed: cannot copy to non-directory: /etc/conf'],
    ['COPY a.txt /etc/conf/', 'COPY failed: destination /etc/conf is not a directory'],
  ])('%s', (text, message) => expect(() => plan(text)).toThrow(new Error(message)))

  test('a stage has no context to speak of', () => {
    expect(() => plan('COPY --from=x nope /x', '/', false)).toThrow('COPY failed: stat nope: file does not exist')
  })
})

test('the digest sees content, names, modes and owners, and nothing else', async () => {
  const digest = async (name: string, files: Record<string, string>, mode?: number, uid?: number) => {
    const source = { view: tree(name, files), isContext: true }
    const copy = { kind: 'COPY' as const, sources: ['.'], destination: '/d/', parents: false, exclude: [] }
    const image = new LayerView([])
    const items = planCopy({ copy, inline: [], source, image, workingDir: '/' })
    const owner = uid === undefined ? undefined : { uid, gid: uid }
    return copyDigest(items, { owner, mode, now: new Date() })
  }
  const first = await digest('1', { a: 'x', 'b/c': 'y' })
  expect(await digest('2', { a: 'x', 'b/c': 'y' })).toBe(first)
  const others = [
    await digest('3', { a: 'X', 'b/c': 'y' }),
    await digest('4', { a2: 'x', 'b/c': 'y' }),
    await digest('5', { a: 'x', 'b/c': 'y' }, 0o600),
    await digest('6', { a: 'x', 'b/c': 'y' }, undefined, 7),
    await digest('7', { a: '-> x', 'b/c': 'y' }),
  ]
  expect(new Set([first, ...others]).size).toBe(6)
})

describe('--chown', () => {
  const files: Record<string, string> = {
    '/etc/passwd': 'root:x:0:0::/:/bin/sh\nnode:x:1000:1001::/:/bin/sh\n',
    '/etc/group': 'root:x:0:\nweb:x:33:\n',
  }
  const read = (path: string) => Promise.resolve(files[path])
  test.each([
    ['1:2', { uid: 1, gid: 2 }],
    ['7', { uid: 7, gid: 7 }],
    ['node', { uid: 1000, gid: 1001 }],
    ['node:web', { uid: 1000, gid: 33 }],
    ['root', { uid: 0, gid: 0 }],
  ])('%s', async (text, owner) => expect(await parseOwner(text, read)).toEqual(owner))

  test.each([
    ['nobody', "can't find uid for user nobody: no such user: nobody"],
    ['node:wheel', "can't find gid for group wheel: no such group: wheel"],
    ['a:b:c', 'invalid chown string passed in: a:b:c'],
  ])('%s is refused', async (text, message) => {
    await expect(parseOwner(text, read)).rejects.toThrow(message)
  })
})

test('--chmod is octal', () => {
  expect(['755', '0644', '4755'].map(parseMode)).toEqual([0o755, 0o644, 0o4755])
  expect(() => parseMode('u+x')).toThrow("invalid chmod parameter: 'u+x'")
})
