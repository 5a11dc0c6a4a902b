import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { prepareHostPath } from './host-path.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'host-path-'))
  await writeFile(join(directory, 'file'), '')
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

test.each([
  ['', 'anything at all'],
  ['Directory', '.'],
  ['DirectoryOrCreate', '.'],
  ['DirectoryOrCreate', 'a/b'],
  ['File', 'file'],
  ['FileOrCreate', 'new-file'],
  ['CharDevice', '/dev/null'],
])('type "%s" accepts %s', async (type, path) => {
  await expect(prepareHostPath(path.startsWith('/') ? path : join(directory, path), type)).resolves.toBeUndefined()
})

test.each([
  ['Directory', 'file', 'directory'],
  ['DirectoryOrCreate', 'file', 'directory'],
  ['Directory', 'missing', 'directory'],
  ['File', 'missing', 'file'],
  ['File', '.', 'file'],
  ['Socket', 'file', 'socket file'],
  ['CharDevice', 'file', 'character device'],
  ['BlockDevice', 'file', 'block device'],
])('type %s refuses %s', async (type, path, noun) => {
  const full = join(directory, path)
  await expect(prepareHostPath(full, type)).rejects.toThrow(`hostPath type check failed: ${full} is not a ${noun}`)
})

test('what is made is really there', async () => {
  await prepareHostPath(join(directory, 'x/y'), 'DirectoryOrCreate')
  await prepareHostPath(join(directory, 'z'), 'FileOrCreate')
  expect((await stat(join(directory, 'x/y'))).isDirectory()).toBe(true)
  expect((await stat(join(directory, 'z'))).isFile()).toBe(true)
})
