import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { readTar, tarStream, TarWriter, type TarHeader } from '@dinghy/images/files/tar'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HeldDirectory, HeldEntry } from '../snapshots/held-directory.ts'
import { packTree, unpackInto } from './tar-tree.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tar-tree-'))
  for (const name of ['tree/sub', 'target', 'outside']) mkdirSync(join(dir, name), { recursive: true })
  writeFileSync(join(dir, 'outside/secret'), 'the machine’s')
})
afterEach(() => rmSync(dir, { recursive: true }))

function pack(name: string, as = name, except: string[] = []): Readable {
  return packTree(new HeldEntry(HeldDirectory.open(dir), name), as, new Set(except))
}

/** "type name=content" of each entry. */
async function listOf(tar: Readable): Promise<string[]> {
  const found: string[] = []
  for await (const { header, body } of readTar(tar)) {
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk)
    found.push(`${header.type} ${header.name}=${header.linkname ?? Buffer.concat(chunks).toString()}`)
  }
  return found
}

async function unpack(tar: Readable, options = {}): Promise<void> {
  const target = HeldDirectory.open(join(dir, 'target'))
  try {
    await unpackInto(tar, target, { keepTypes: false, ...options })
  } finally {
    target.close()
  }
}

function tarOf(...entries: (Partial<TarHeader> & { name: string; text?: string })[]): Readable {
  return tarStream(async (archive) => {
    for (const { text = '', ...header } of entries) {
      const plain = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), size: text.length } as const
      await archive.add({ ...plain, ...header }, header.type === undefined ? Buffer.from(text) : undefined)
    }
  })
}
function inTarget(name: string): string {
  return readFileSync(join(dir, 'target', name), 'utf8')
}

test('a tree is packed with its links, hard ones and others, without sockets and what is left out', async () => {
  writeFileSync(join(dir, 'tree/a'), 'text')
  linkSync(join(dir, 'tree/a'), join(dir, 'tree/b'))
  symlinkSync('/etc/passwd', join(dir, 'tree/c'))
  writeFileSync(join(dir, 'tree/skipped'), '')
  expect(await listOf(pack('tree', 'as', ['skipped']))).toEqual([
    'directory as/=',
    'file as/a=text',
    'link as/b=as/a',
    'symlink as/c=/etc/passwd',
    'directory as/sub/=',
  ])
  expect(await listOf(pack('tree/sub'.slice(0, 4), '', ['a', 'b', 'c', 'skipped']))).toEqual(['directory sub/='])
})

test('what was packed is unpacked: content, modes, times', async () => {
  writeFileSync(join(dir, 'tree/sub/run'), '#!', { mode: 0o755 })
  symlinkSync('run', join(dir, 'tree/sub/link'))
  utimesSync(join(dir, 'tree/sub'), 1000, 1000)
  await unpack(pack('tree', 'copy'))
  const stat = lstatSync(join(dir, 'target/copy/sub/run'))
  expect([inTarget('copy/sub/run'), stat.mode & 0o777]).toEqual(['#!', 0o755])
  expect(readlinkSync(join(dir, 'target/copy/sub/link'))).toBe('run')
  expect(lstatSync(join(dir, 'target/copy/sub')).mtimeMs).toBe(1_000_000)
})

test.runIf(process.getuid?.() === 0)('owners and modes are the archive’s, unless one owner is named', async () => {
  const owned = { uid: 1234, gid: 56 }
  const entries = [
    { name: 'dir', type: 'directory', mode: 0o2750, ...owned },
    { name: 'dir/run', mode: 0o4711, ...owned },
    { name: 'dir/link', type: 'symlink', linkname: 'run', ...owned },
  ] as const
  const found = () =>
    entries.map(({ name }) => {
      const { uid, gid, mode } = lstatSync(join(dir, 'target', name))
      return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`
    })
  await unpack(tarOf(...entries))
  expect(found()).toEqual(['1234:56 2750', '1234:56 4711', '1234:56 777'])
  await unpack(tarOf(...entries), { owner: { uid: 7, gid: 8 } })
  expect(found()).toEqual(['7:8 2750', '7:8 4711', '7:8 777'])
})

test('a file takes the place of what was there, unless the types shall be kept', async () => {
  mkdirSync(join(dir, 'target/name/below'), { recursive: true })
  await expect(unpack(tarOf({ name: 'name', text: 'new' }), { keepTypes: true })).rejects.toThrow(
    'cannot overwrite directory "name" with non-directory "name"',
  )
  await unpack(tarOf({ name: 'name', text: 'new' }))
  expect(inTarget('name')).toBe('new')
})

test('links stay inside: absolute ones begin at the directory that is unpacked into', async () => {
  mkdirSync(join(dir, 'target/real'))
  symlinkSync('/real', join(dir, 'target/link'))
  symlinkSync(join('..', 'outside'), join(dir, 'target/escape'))
  await unpack(
    tarOf({ name: 'link/file', text: 'in' }, { name: 'escape/file', text: 'x' }, { name: '/top', text: 'y' }),
  )
  expect([inTarget('real/file'), inTarget('outside/file'), inTarget('top')]).toEqual(['in', 'x', 'y'])
  expect(existsSync(join(dir, 'outside/file'))).toBe(false)
  await expect(unpack(tarOf({ name: '../up' }))).rejects.toThrow('leaves the root')
})

test('a hard link of the archive cannot name a file outside', async () => {
  symlinkSync(dir, join(dir, 'target/away'))
  const tar = tarOf({ name: 'stolen', type: 'link', linkname: 'away/outside/secret' })
  await expect(unpack(tar)).rejects.toThrow('ENOENT')
  expect(existsSync(join(dir, 'target/stolen'))).toBe(false)
})

test('a directory that becomes a link while it is packed leads nowhere', async () => {
  writeFileSync(join(dir, 'tree/a'), 'x'.repeat(1 << 20))
  writeFileSync(join(dir, 'tree/sub/mine'), 'mine')
  const tar = pack('tree')
  const through = new PassThrough({ highWaterMark: 1 })
  // Nothing is taken yet, so packing has come no further than to the large file.
  const found = listOf(through)
  let isSwapped = false
  await pipeline(
    tar,
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        if (!isSwapped) {
          renameSync(join(dir, 'tree/sub'), join(dir, 'moved'))
          symlinkSync(join(dir, 'outside'), join(dir, 'tree/sub'))
          isSwapped = true
        }
        yield chunk
      }
    },
    through,
  )
  expect((await found).filter((line) => !line.startsWith('file tree/a='))).toEqual([
    'directory tree/=',
    `symlink tree/sub=${join(dir, 'outside')}`,
  ])
})

test('a directory that becomes a link while it is unpacked into leads nowhere', async () => {
  mkdirSync(join(dir, 'target/sub'))
  const tar = new PassThrough()
  const unpacking = unpack(tar)
  const archive = await TarWriter.to(tar)
  const plain = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), size: 1 } as const
  await archive.add({ ...plain, name: 'sub/first' }, Buffer.from('1'))
  renameSync(join(dir, 'target/sub'), join(dir, 'target/moved'))
  symlinkSync(join(dir, 'outside'), join(dir, 'target/sub'))
  await archive.add({ ...plain, name: 'sub/second' }, Buffer.from('2'))
  await archive.finish()
  await unpacking
  expect(existsSync(join(dir, 'outside/second'))).toBe(false)
})
