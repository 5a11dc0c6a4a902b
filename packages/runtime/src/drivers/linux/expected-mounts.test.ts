import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Mount } from '../../snapshots/mount.ts'
import { expectedMounts, rootIn } from './expected-mounts.ts'

const bind = { type: 'bind' as const, readOnly: false }
function targetOf({ target }: Mount): string {
  return `/root${target}`
}

test('mounts inside of volumes are looked at again, under the names that the kernel gives them', () => {
  const mounts: Mount[] = [
    { ...bind, source: '/v', target: '/data' },
    { ...bind, source: '/w', target: '/data/a b' },
    { type: 'tmpfs', source: '', target: '/tmp', readOnly: false },
    { ...bind, source: '/x', target: '/tmp/x' },
  ]
  expect(expectedMounts(mounts, targetOf)).toBe(' /root/data/a\\040b \n')
})

test('parts of volumes are looked at with what is mounted there', () => {
  const mounts: Mount[] = [{ ...bind, source: '/v/part', target: '/data', real: true }]
  expect(expectedMounts(mounts, targetOf, (path) => `8:1 ${path}`)).toBe(' 8:1 /v/part /root/data \n')
})

const mountinfo = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 27 0:28 / /mnt rw - tmpfs tmpfs rw
32 31 254:0 /srv/a /mnt/b\\040c rw - ext4 /dev/vda rw
`

test.each([
  ['27', '/home/x', '254:0 /home/x'],
  ['27', '/', '254:0 /'],
  ['31', '/mnt/d e', '0:28 /d\\040e'],
  ['32', '/mnt/b c/d', '254:0 /srv/a/d'],
  ['32', '/mnt/b c', '254:0 /srv/a'],
])('in mount %s %s is %s', (id, path, expected) => {
  expect(rootIn(mountinfo, id, path)).toBe(expected)
})

test.skipIf(process.platform !== 'linux')('a link on the way to the source is refused', () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'expected-')))
  const mounts: Mount[] = [{ ...bind, source: join(directory, 'a/b'), target: '/data', real: true }]
  mkdirSync(join(directory, 'a/b'), { recursive: true })
  expect(expectedMounts(mounts, targetOf)).toMatch(/^ \d+:\d+ \/.*a\/b \/root\/data \n$/)
  renameSync(join(directory, 'a'), join(directory, 'c'))
  symlinkSync('c', join(directory, 'a'))
  expect(() => expectedMounts(mounts, targetOf)).toThrow('a link has taken a place in')
  rmSync(directory, { recursive: true })
})
