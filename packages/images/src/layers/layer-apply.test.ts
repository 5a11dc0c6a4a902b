import {
  mkdtempSync,
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyLayer, InvalidLayerError } from './layer-apply.ts'
import { PathEscapeError } from '../files/scoped-path.ts'
import type { TarHeader } from '../files/tar.ts'
import { tarStream } from '../files/tar.ts'
import { defaultWhiteoutStyle, isOverlayWhiteout, WhiteoutDevices } from './whiteout.ts'

type Entry = Partial<TarHeader> & { name: string; content?: string }

let base: string
let root: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'layer-apply-'))
  root = join(base, 'layer')
  writeFileSync(join(base, 'secret'), 'outside')
  rmSync(root, { recursive: true, force: true })
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

function apply(entries: Entry[], options: Partial<Parameters<typeof applyLayer>[2]> = {}) {
  const tar = tarStream(async (archive) => {
    for (const { content = '', ...header } of entries) {
      const type = header.type ?? 'file'
      const body = type === 'file' ? Buffer.from(content) : undefined
      const defaults = {
        mode: type === 'directory' ? 0o755 : 0o644,
        uid: 0,
        gid: 0,
        mtime: new Date(1_000_000_000_000),
      }
      await archive.add({ ...defaults, ...header, type, size: body?.length ?? 0 }, body)
    }
  })
  return applyLayer(tar, root, { privileged: false, ...options })
}

test('files, directories and links arrive with content, modes and times', async () => {
  const applied = await apply([
    { name: './', type: 'directory', mode: 0o755 },
    { name: 'bin/', type: 'directory', mode: 0o750 },
    { name: 'bin/run', content: 'hello', mode: 0o755 },
    { name: 'bin/also', type: 'link', linkname: 'bin/run' },
    { name: 'sbin', type: 'symlink', linkname: 'bin' },
    { name: 'sbin/late', content: 'through the link' },
    { name: 'implied/parent/file', content: 'x' },
    { name: 'etc/mtab', type: 'symlink', linkname: '/proc/mounts' },
  ])
  expect(applied).toEqual({ size: 22, opaque: [] })
  expect(readFileSync(join(root, 'bin/run'), 'utf8')).toBe('hello')
  expect(statSync(join(root, 'bin/run')).mode & 0o777).toBe(0o755)
  expect(statSync(join(root, 'bin')).mode & 0o777).toBe(0o750)
  expect(statSync(join(root, 'bin')).mtimeMs).toBe(1_000_000_000_000)
  expect(statSync(join(root, 'bin/also')).ino).toBe(statSync(join(root, 'bin/run')).ino)
  expect(readFileSync(join(root, 'bin/late'), 'utf8')).toBe('through the link')
  expect(readlinkSync(join(root, 'etc/mtab'))).toBe('/proc/mounts')
})

test('a later entry replaces an earlier one', async () => {
  await apply([
    { name: 'a', type: 'directory' },
    { name: 'a/b', content: 'old' },
    { name: 'a', content: 'now a file' },
    { name: 'c', content: 'file' },
    { name: 'c', type: 'directory' },
  ])
  expect(readFileSync(join(root, 'a'), 'utf8')).toBe('now a file')
  expect(lstatSync(join(root, 'c')).isDirectory()).toBe(true)
})

describe('a hostile tar is refused and touches nothing outside', () => {
  const cases: [string, Entry[], string][] = [
    ['absolute name', [{ name: '/etc/passwd', content: 'x' }], 'is absolute'],
    ['climbing name', [{ name: '../secret', content: 'x' }], 'leaves the root'],
    ['climbing in the middle', [{ name: 'a/../../secret', content: 'x' }], 'leaves the root'],
    ['hard link out', [{ name: 'a', type: 'link', linkname: '../secret' }], 'leaves the root'],
    [
      'hard link to an absolute path outside',
      [{ name: 'a', type: 'link', linkname: '/nowhere/passwd' }],
      'is not in this layer',
    ],
    ['whiteout of the parent', [{ name: 'a/.wh...', content: '' }], 'hides nothing'],
    ['whiteout of the directory', [{ name: 'a/.wh..', content: '' }], 'hides nothing'],
    ['device node', [{ name: 'sda', type: 'block-device', devmajor: 8, devminor: 0 }], 'only root on Linux'],
    ['the root as a link', [{ name: '.', type: 'symlink', linkname: '/' }], 'the root is a symlink'],
    [
      'link loop',
      [
        { name: 'a', type: 'symlink', linkname: 'b' },
        { name: 'b', type: 'symlink', linkname: 'a' },
        { name: 'a/x', content: '' },
      ],
      'too many levels',
    ],
  ]
  test.each(cases)('%s', async (_name, entries, message) => {
    const failure = await apply(entries).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(Error)
    expect(failure instanceof PathEscapeError || failure instanceof InvalidLayerError).toBe(true)
    expect((failure as Error).message).toContain(message)
    expect(readFileSync(join(base, 'secret'), 'utf8')).toBe('outside')
  })

  test('a link that climbs is kept, and writing through it stays inside', async () => {
    await apply([
      { name: 'a/up', type: 'symlink', linkname: '../../../..' },
      { name: 'a/up/secret', content: 'overwritten' },
    ])
    expect(readlinkSync(join(root, 'a/up'))).toBe('../../../..')
    expect(readFileSync(join(base, 'secret'), 'utf8')).toBe('outside')
    expect(readFileSync(join(root, 'secret'), 'utf8')).toBe('overwritten')
  })

  test('writing through an absolute link stays inside', async () => {
    await apply([
      { name: 'out', type: 'symlink', linkname: base },
      { name: 'out/secret', content: 'overwritten' },
    ])
    expect(readFileSync(join(base, 'secret'), 'utf8')).toBe('outside')
    expect(readFileSync(join(root, base, 'secret'), 'utf8')).toBe('overwritten')
  })

  test('a file over a link replaces the link, not its target', async () => {
    await apply([
      { name: 'out', type: 'symlink', linkname: join(base, 'secret') },
      { name: 'out', content: 'mine' },
    ])
    expect(readFileSync(join(base, 'secret'), 'utf8')).toBe('outside')
    expect(readFileSync(join(root, 'out'), 'utf8')).toBe('mine')
  })

  test('a hard link to a link that points outside links the link', async () => {
    await apply([
      { name: 'out', type: 'symlink', linkname: join(base, 'secret') },
      { name: 'again', type: 'link', linkname: 'out' },
    ])
    expect(readlinkSync(join(root, 'again'))).toBe(join(base, 'secret'))
  })

  test('more bytes or entries than allowed', async () => {
    const bomb = { name: 'bomb', content: 'x'.repeat(1000) }
    await expect(apply([bomb], { limits: { bytes: 999, entries: 10 } })).rejects.toThrow('more than 999 bytes')
    expect(existsSync(join(root, 'bomb'))).toBe(false)
    const many = Array.from({ length: 11 }, (_, index) => ({ name: `f${index}` }))
    await expect(apply(many, { limits: { bytes: 999, entries: 10 } })).rejects.toThrow('more than 10 entries')
  })

  test('set-id programs lose the bit where they would become ours', async () => {
    await apply([{ name: 'su', content: '', mode: 0o4755 }])
    expect(statSync(join(root, 'su')).mode & 0o7777).toBe(0o755)
  })
})

describe('whiteouts as files', () => {
  test('stay what they are', async () => {
    const applied = await apply([
      { name: 'a/.wh.gone' },
      { name: 'b/.wh..wh..opq' },
      { name: 'b/new', content: 'x' },
      { name: '.wh..wh.plnk' },
    ])
    expect(applied.opaque).toEqual(['b'])
    expect(existsSync(join(root, 'a/.wh.gone'))).toBe(true)
    expect(existsSync(join(root, 'b/.wh..wh..opq'))).toBe(true)
    expect(existsSync(join(root, '.wh..wh.plnk'))).toBe(false)
  })

  test('a directory that comes with a whiteout of its own name is opaque', async () => {
    for (const order of [
      [{ name: '.wh.d' }, { name: 'd/', type: 'directory' as const }],
      [{ name: 'd/', type: 'directory' as const }, { name: '.wh.d' }],
    ]) {
      rmSync(root, { recursive: true, force: true })
      expect((await apply(order)).opaque).toEqual(['d'])
      expect(existsSync(join(root, '.wh.d'))).toBe(false)
      expect(existsSync(join(root, 'd/.wh..wh..opq'))).toBe(true)
    }
  })
})

describe.runIf(defaultWhiteoutStyle() === 'overlay')('as root on Linux', () => {
  test('whiteouts are devices 0:0, owners and set-id bits are kept', async () => {
    const applied = await apply(
      [
        { name: 'a/.wh.one' },
        { name: 'a/.wh.two' },
        { name: 'b/.wh..wh..opq' },
        { name: 'su', content: 'x', mode: 0o4755, uid: 12, gid: 34 },
        { name: 'link', type: 'symlink', linkname: 'su', uid: 56, gid: 78 },
      ],
      { privileged: true, whiteouts: new WhiteoutDevices(join(base, 'whiteout')) },
    )
    expect(applied.opaque).toEqual(['b'])
    expect(isOverlayWhiteout(lstatSync(join(root, 'a/one')))).toBe(true)
    expect(isOverlayWhiteout(lstatSync(join(root, 'a/two')))).toBe(true)
    expect(existsSync(join(root, 'b/.wh..wh..opq'))).toBe(false)
    const su = statSync(join(root, 'su'))
    expect([su.mode & 0o7777, su.uid, su.gid]).toEqual([0o4755, 12, 34])
    expect(lstatSync(join(root, 'link')).uid).toBe(56)
  })
})
