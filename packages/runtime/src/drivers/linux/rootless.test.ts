import { expect, test } from 'vitest'
import { UserNamespace } from '@dinghy/images/files/user-namespace'
import type { ProcessSpec } from '../driver.ts'
import { checkIdentity, checkNothingIsMountedIn, nestedMountsOf, rootlessFacts } from './rootless.ts'

const everybody = new UserNamespace('0 0 4294967295\n', '0 0 4294967295\n', 'allow\n')
const onlyRoot = new UserNamespace('0 1000 1\n', '0 1000 1\n', 'deny\n')
const range = new UserNamespace('0 1000 1\n1 100000 65535\n', '0 1000 1\n1 100000 65535\n', 'allow\n')
const program: ProcessSpec = { args: ['x'], env: [], cwd: '/', user: '' }
function who(uid: number, gid = 0) {
  return { uid, gid, groups: [], home: '/' }
}

test.each([
  ['root, who is always there', onlyRoot, who(0), {}, undefined],
  ['a user where there is only root', onlyRoot, who(1000), {}, /^cannot run as user 1000:0: .*package uidmap/],
  ['a group where there is only root', onlyRoot, who(0, 5), {}, /^cannot run as user 0:5: /],
  ['further groups, which cannot be chosen', onlyRoot, who(0), { groupAdd: ['5'] }, /^cannot add the group 5: /],
  ['a user of the range', range, who(1000, 5), { groupAdd: ['5'] }, undefined],
  ['a user beyond it', range, who(65_536), {}, /does not reach that far$/],
  ['anybody on the machine', everybody, who(4_000_000_000), { groupAdd: ['5'] }, undefined],
])('%s', (_name, users, identity, change, refusal) => {
  const check = () => checkIdentity(identity, { ...program, ...change }, users)
  if (refusal) expect(check).toThrow(refusal)
  else expect(check).not.toThrow()
})

test('a mount below a directory keeps it from being a layer; one at the directory does not', () => {
  const mounts = (...points: string[]) => points.map((point) => `22 1 0:5 / ${point} rw - tmpfs tmpfs rw`).join('\n')
  expect(() => checkNothingIsMountedIn(['usr'], mounts('/', '/usr', '/usrlocal/x', '/home'))).not.toThrow()
  expect(() => checkNothingIsMountedIn(['usr'], mounts('/', '/usr/lib/wsl'))).toThrow('mounted at /usr/lib/wsl')
})

test('only in a user namespace do mounts need care, and only there something is missing', () => {
  expect(nestedMountsOf(everybody)).toBeUndefined()
  expect(rootlessFacts(everybody)).toEqual([])
  expect(rootlessFacts(onlyRoot)[0]).toMatch(/root is the only user/)
  expect(rootlessFacts(range)[0]).toMatch(/as many users as/)
})

test.runIf(process.platform === 'linux')('what is shared with the machine is told', () => {
  expect(nestedMountsOf(onlyRoot, { pid: 'host', ipc: { pid: 7 } })).toMatchObject({
    shares: { pid: true, ipc: false, network: true },
    hasTtyGroup: false,
  })
  expect(nestedMountsOf(range, { network: 'private' })).toMatchObject({
    shares: { pid: false, ipc: false, network: false },
    hasTtyGroup: true,
  })
})
