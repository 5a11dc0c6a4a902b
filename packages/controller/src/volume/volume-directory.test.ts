/**
 * What is removed, and above all what is not.
 */

import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeVolume } from '../testing/volumes.ts'
import { directoryFor, makeDirectory, removeDirectory, VolumeDirectoryError } from './volume-directory.ts'

let top: string
let root: string
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'volume-directory-'))
  root = join(top, 'volumes')
  await makeDirectory(root, 'pvc-1')
  await mkdir(join(top, 'precious'))
  await writeFile(join(top, 'precious', 'file'), 'keep')
})
afterEach(() => rm(top, { recursive: true }))

function at(name: string, path: string) {
  return makeVolume(name, { hostPath: { path } })
}
function precious() {
  return readdir(join(top, 'precious'))
}

test('every user may write to it, whatever the umask', async () => {
  expect((await stat(join(root, 'pvc-1'))).mode & 0o777).toBe(0o777)
  expect((await stat(root)).mode & 0o077).toBe(0o011)
})

test('goes with all that is in it; twice is harmless', async () => {
  await writeFile(join(root, 'pvc-1', 'file'), 'data')
  const volume = at('pvc-1', join(root, 'pvc-1'))
  await removeDirectory(root, volume)
  await removeDirectory(root, volume)
  expect(await readdir(root)).toEqual([])
})

test('links out of it are removed, not followed', async () => {
  await symlink(join(top, 'precious'), join(root, 'pvc-1', 'link'))
  await removeDirectory(root, at('pvc-1', join(root, 'pvc-1')))
  await symlink(join(top, 'precious'), join(root, 'pvc-2'))
  await removeDirectory(root, at('pvc-2', join(root, 'pvc-2')))
  expect([await readdir(root), await precious()]).toEqual([[], ['file']])
})

test.each([
  ['another place', 'pvc-1', (at: string) => join(at, 'precious')],
  ['the root itself', 'pvc-1', (at: string) => join(at, 'volumes')],
  ['a way out', 'pvc-1', (at: string) => `${at}/volumes/../precious`],
  ["another volume's", 'pvc-2', (at: string) => join(at, 'volumes', 'pvc-1')],
  ['somewhere inside', 'pvc-1', (at: string) => join(at, 'volumes', 'pvc-1', 'deeper')],
])('a volume that points at %s removes nothing', async (_what, name, path) => {
  await expect(removeDirectory(root, at(name, path(top)))).rejects.toThrow(VolumeDirectoryError)
  expect([await readdir(root), await precious()]).toEqual([['pvc-1'], ['file']])
})

test.each(['', '.', '..', '../precious', 'a/b', '/etc'])('"%s" is no name for a directory', (name) => {
  expect(() => directoryFor('/volumes', name)).toThrow(VolumeDirectoryError)
})
