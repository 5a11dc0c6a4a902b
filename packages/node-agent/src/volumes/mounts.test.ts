import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises'
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

test('a subPath that is not there becomes a directory with the mode of the volume, wherever the path to it leads', async () => {
  await chmod(volume, 0o2777)
  await mounted({ subPath: 'new/deep' })
  for (const made of ['new', 'new/deep']) {
    const { mode } = await stat(join(volume, made))
    expect((mode & 0o7777).toString(8)).toBe('2777')
  }
  expect(await mounted({ subPath: 'inside/./new//deep' })).toMatchObject({ Source: '/dir/new/deep' })
})

test('nothing is made behind a link that leads nowhere yet', async () => {
  const outside = `${volume}-outside`
  await mkdir(outside)
  try {
    await symlink(join(outside, 'target'), join(volume, 'dangling'))
    for (const subPath of ['dangling', 'dangling/deep']) {
      await expect(mounted({ subPath })).rejects.toThrow('leads out of its volume')
    }
    expect(await readdir(outside)).toEqual([])
  } finally {
    await rm(outside, { recursive: true })
  }
})

test('whoever swaps directories and links meanwhile has nothing made elsewhere', async () => {
  const outside = `${volume}-outside`
  await mkdir(outside)
  const swapping = new AbortController()
  const place = join(volume, 'swapped')
  // What is tested may make a directory in between: then one of these steps fails, and the next round tries again.
  const step = (done: Promise<void>) => done.catch(() => undefined)
  const swap = async () => {
    while (!swapping.signal.aborted) {
      await step(rename(place, `${place}.aside`))
      await step(symlink(outside, place))
      await step(unlink(place))
      await step(rename(`${place}.aside`, place))
    }
  }
  await mkdir(place)
  const swapped = swap()
  try {
    for (let i = 0; i < 200; i++) {
      // It may fail, as long as nothing is made.
      await mounted({ subPath: `swapped/${i}/deep` }).catch(() => undefined)
    }
    swapping.abort()
    await swapped
    expect(await readdir(outside)).toEqual([])
  } finally {
    swapping.abort()
    await rm(outside, { recursive: true })
  }
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
