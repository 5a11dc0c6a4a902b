import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pod } from '../testing/objects.ts'
import { applyFsGroup } from './fs-group.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fs-group-'))
  await mkdir(join(directory, 'sub'))
  await writeFile(join(directory, 'sub/key'), 'secret')
  await writeFile(join(directory, 'outside'), '')
  await symlink('../outside', join(directory, 'sub/link'))
  await chmod(join(directory, 'outside'), 0o600)
  await chmod(join(directory, 'sub'), 0o700)
  await chmod(join(directory, 'sub/key'), 0o400)
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

// A group that every user may give its files to.
const ownGroup = process.getgid?.() ?? 0
function withGroup(fsGroup: number) {
  return pod({ securityContext: { fsGroup } })
}
async function modeOf(path: string): Promise<string> {
  return ((await stat(join(directory, path))).mode & 0o7777).toString(8)
}

test('of a read-only kind of volume the group may read: a Secret of mode 0400 becomes 0440', async () => {
  expect(await applyFsGroup(withGroup(ownGroup), join(directory, 'sub'), 'readOnly')).toEqual([])
  expect([await modeOf('sub'), await modeOf('sub/key'), await modeOf('outside')]).toEqual(['2750', '440', '600'])
})

test('in any other the group may write', async () => {
  expect(await applyFsGroup(withGroup(ownGroup), join(directory, 'sub'), 'writable')).toEqual([])
  expect([await modeOf('sub'), await modeOf('sub/key'), await modeOf('outside')]).toEqual(['2770', '660', '600'])
})

test('a group that the agent may not give files to is told of', async () => {
  const warnings = await applyFsGroup(withGroup(54_321), join(directory, 'sub'), 'writable')
  const { gid } = await stat(join(directory, 'sub/key'))
  const refused = ['fsGroup 54321 was not applied: the node agent does not run as root']
  expect(gid === 54_321 ? [] : refused).toEqual(warnings)
})

test('without an fsGroup nothing changes', async () => {
  expect(await applyFsGroup(pod(), join(directory, 'sub'), 'writable')).toEqual([])
  expect(await modeOf('sub/key')).toBe('400')
})
