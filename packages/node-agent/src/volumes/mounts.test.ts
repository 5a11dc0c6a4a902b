import { mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { VolumeMount } from '@dinghy/shared/api/types'
import { container } from '../testing/objects.ts'
import { containerMounts, mountLabels } from './mounts.ts'

let volume: string
beforeEach(async () => {
  volume = await realpath(await mkdtemp(join(tmpdir(), 'mounts-')))
  await mkdir(join(volume, 'dir'))
  await writeFile(join(volume, 'dir/file'), '')
  await symlink('/etc', join(volume, 'escape'))
  await symlink('dir', join(volume, 'inside'))
})
afterEach(async () => {
  await rm(volume, { recursive: true })
})

async function mounted(mount: Partial<VolumeMount>) {
  const volumeMounts = [{ name: 'data', mountPath: '/data', ...mount }]
  const variables = new Map([['POD', 'dir']])
  const [result] = await containerMounts(container({ volumeMounts }), new Map([['data', volume]]), variables)
  return { ...result, Source: result?.Source?.slice(volume.length) }
}

test.each<[string, Partial<VolumeMount>, object]>([
  ['a whole volume', {}, { Source: '', Target: '/data' }],
  ['read-only', { readOnly: true }, { ReadOnly: true }],
  ['a relative mountPath', { mountPath: 'data' }, { Target: '/data' }],
  ['a file', { subPath: 'dir/file' }, { Source: '/dir/file' }],
  ['a subPath through a link that stays inside', { subPath: 'inside/file' }, { Source: '/dir/file' }],
  ['a subPath with a variable', { subPathExpr: '$(POD)' }, { Source: '/dir' }],
  ['propagation', { mountPropagation: 'HostToContainer' }, { BindOptions: { Propagation: 'rslave' } }],
])('%s', async (_name, mount, expected) => {
  expect(await mounted(mount)).toMatchObject(expected)
})

test('the runtime is told which mounts are parts of volumes', () => {
  const whole = { name: 'data', mountPath: '/whole' }
  const volumeMounts = [
    whole,
    { ...whole, mountPath: '/a', subPath: 'x' },
    { ...whole, mountPath: 'b', subPathExpr: 'y' },
  ]
  expect(mountLabels(container({ volumeMounts }))).toEqual({
    'annotation.io.dinghy.container.partsOfVolumes': '/a:/b',
  })
  expect(mountLabels(container({ volumeMounts: [whole] }))).toEqual({})
})

test('a subPath that is not there becomes a directory', async () => {
  await mounted({ subPath: 'new/deep' })
  expect((await stat(join(volume, 'new/deep'))).isDirectory()).toBe(true)
})

test.each<[Partial<VolumeMount>, string]>([
  [{ subPath: '../x' }, 'must be a relative path'],
  [{ subPath: '/etc' }, 'must be a relative path'],
  [{ subPath: 'escape/passwd' }, 'leads out of its volume'],
  [{ subPath: 'escape/not-there' }, 'leads out of its volume'],
  [{ subPathExpr: '$(UNSET)' }, 'missing value for "$(UNSET)"'],
  [{ name: 'other' }, 'cannot find volume "other"'],
])('refuses %j', async (mount, message) => {
  await expect(mounted(mount)).rejects.toThrow(message)
})
