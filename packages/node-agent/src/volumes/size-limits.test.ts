import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pod } from '../testing/objects.ts'
import { exceededLimit, hasSizeLimits } from './size-limits.ts'

let directory: string
beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'size-limits-'))))
afterEach(() => rm(directory, { recursive: true }))

function limited(sizeLimit?: string) {
  return pod({ volumes: [{ name: 'tmp', emptyDir: sizeLimit ? { sizeLimit } : {} }] })
}
function exceeded(sizeLimit: string) {
  return exceededLimit(limited(sizeLimit), new Map([['tmp', directory]]))
}

test('only pods with a limit need looking at', () => {
  expect(hasSizeLimits(limited())).toBe(false)
  expect(hasSizeLimits(limited('0'))).toBe(false)
  expect(hasSizeLimits(limited('1Mi'))).toBe(true)
})

test('counts every file below, but does not follow links', async () => {
  await mkdir(join(directory, 'a/b'), { recursive: true })
  await symlink('/', join(directory, 'root'))
  await writeFile(join(directory, 'a/b/small'), Buffer.alloc(100_000, 1))
  expect(await exceeded('1Mi')).toBeUndefined()
  await writeFile(join(directory, 'a/b/large'), Buffer.alloc(1_100_000, 1))
  expect(await exceeded('1Mi')).toBe('Usage of EmptyDir volume "tmp" exceeds the limit "1Mi". ')
})

test('a volume that is gone takes nothing', async () => {
  expect(await exceededLimit(limited('1'), new Map([['tmp', join(directory, 'gone')]]))).toBeUndefined()
})
