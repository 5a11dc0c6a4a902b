import { expect, test } from 'vitest'
import { identityOf } from './user.ts'

const passwd = 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n1234:x:77:78::/odd:/bin/sh\n'
const group = 'root:x:0:\nnode:x:1000:\nwheel:x:10:node,root\nvideo:x:44:node\n'
function identify(user: string, add: string[] = []) {
  return identityOf(user, add, passwd, group)
}

test.each([
  ['', { uid: 0, gid: 0, groups: [10], home: '/root' }],
  ['node', { uid: 1000, gid: 1000, groups: [10, 44], home: '/home/node' }],
  ['1000', { uid: 1000, gid: 1000, groups: [10, 44], home: '/home/node' }],
  ['node:video', { uid: 1000, gid: 44, groups: [], home: '/home/node' }],
  ['4711', { uid: 4711, gid: 0, groups: [], home: '/' }],
  ['4711:4712', { uid: 4711, gid: 4712, groups: [], home: '/' }],
  ['1234', { uid: 77, gid: 78, groups: [], home: '/odd' }],
])('user %j', (user, expected) => {
  expect(identify(user)).toEqual(expected)
})

test('--group-add takes names and numbers', () => {
  expect(identify('4711', ['video', '99']).groups).toEqual([44, 99])
})

test('names must exist', () => {
  expect(() => identify('ghost')).toThrow('unable to find user ghost: no matching entries in passwd file')
  expect(() => identify('node:ghosts')).toThrow('unable to find group ghosts: no matching entries in group file')
})
