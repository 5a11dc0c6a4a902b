import { mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isSamePayload, writePayload } from './atomic-writer.ts'
import type { Payload } from './payload.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atomic-writer-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

function payload(files: Record<string, string>): Payload {
  return new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode: 0o640 }]))
}
function read(path: string) {
  return readFile(join(directory, path), 'utf8')
}

test('files appear under their names, through ..data, with their modes', async () => {
  expect(await writePayload(directory, payload({ a: '1', 'dir/b': '2' }), 0)).toBe(true)
  expect(await read('a')).toBe('1')
  expect(await read('dir/b')).toBe('2')
  expect(await readlink(join(directory, 'a'))).toBe('..data/a')
  expect((await stat(join(directory, 'a'))).mode & 0o777).toBe(0o640)
})

test('an update replaces all files at once and leaves nothing of the old ones', async () => {
  await writePayload(directory, payload({ a: '1', gone: 'x' }), 0)
  const before = await readlink(join(directory, '..data'))
  expect(await writePayload(directory, payload({ a: '2', 'new/b': '3' }), 1000)).toBe(true)
  expect(await readlink(join(directory, '..data'))).not.toBe(before)
  expect(await read('a')).toBe('2')
  const names = await readdir(directory)
  expect(names.filter((name) => !name.startsWith('..')).sort()).toEqual(['a', 'new'])
  expect(names.filter((name) => name.startsWith('..20') || name.startsWith('..19'))).toHaveLength(1)
})

test('the same payload again touches nothing', async () => {
  await writePayload(directory, payload({ a: '1' }), 0)
  const before = await readlink(join(directory, '..data'))
  expect(await writePayload(directory, payload({ a: '1' }), 1000)).toBe(false)
  expect(await readlink(join(directory, '..data'))).toBe(before)
})

test('an empty payload is an empty volume', async () => {
  expect(await writePayload(directory, new Map(), 0)).toBe(true)
  expect((await readdir(directory)).filter((name) => !name.startsWith('..'))).toEqual([])
})

test('a file may belong to another user; who may not give it away lets everybody read it', async () => {
  const file = (owner: number): Payload => new Map([['token', { data: Buffer.from('t'), mode: 0o600, owner }]])
  const ownerOf = async () => {
    const { uid, mode } = await stat(join(directory, 'token'))
    return `${uid} ${(mode & 0o777).toString(8)}`
  }
  const own = process.getuid?.() ?? 0
  await writePayload(directory, file(own), 0)
  expect(await ownerOf()).toBe(`${own} 600`)
  await rm(directory, { recursive: true })
  await writePayload(directory, file(54_321), 0)
  expect([`54321 600`, `${own} 644`]).toContain(await ownerOf())
  expect(isSamePayload(file(1), file(2))).toBe(false)
})
