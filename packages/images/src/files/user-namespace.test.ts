import { describe, expect, test } from 'vitest'
import { UserNamespace } from './user-namespace.ts'

const everybody = new UserNamespace('         0          0 4294967295\n', '0 0 4294967295\n', 'allow\n')
const onlyRoot = new UserNamespace('         0       1000          1\n', '0 1000 1\n', 'deny\n')
const range = new UserNamespace('0 1000 1\n1 100000 65535\n', '0 1000 1\n1 100000 65535\n', 'allow\n')

test.each([
  ['the machine’s own', everybody, { isNested: false, hasOneUser: false, canSetGroups: true }],
  ['of an ordinary user', onlyRoot, { isNested: true, hasOneUser: true, canSetGroups: false }],
  ['with a range of ids', range, { isNested: true, hasOneUser: false, canSetGroups: true }],
])('a namespace %s', (_name, namespace, facts) => {
  expect(namespace).toMatchObject(facts)
})

describe('who exists', () => {
  test.each([
    [everybody, 0, true],
    [everybody, 1000, true],
    [onlyRoot, 0, true],
    [onlyRoot, 1, false],
    [onlyRoot, 1000, false],
    [range, 65_535, true],
    [range, 65_536, false],
  ])('%#', (namespace, id, exists) => {
    expect([namespace.hasUser(id), namespace.hasGroup(id)]).toEqual([exists, exists])
  })
})

test('files are root’s where there is nobody else, and somebody’s where there is', () => {
  const owner = { uid: 1000, gid: 5 }
  expect([everybody, range, onlyRoot].map((namespace) => namespace.ownerOf(owner))).toEqual([
    owner,
    owner,
    { uid: 0, gid: 0 },
  ])
})
