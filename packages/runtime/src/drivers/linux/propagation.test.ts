import { expect, test } from 'vitest'
import { mountOf, parseMountInfo } from './propagation.ts'

const table = parseMountInfo(`22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:5 / /mnt rw - tmpfs tmpfs rw
31 30 0:6 / /mnt/a\\040b rw master:4 propagate_from:1 - tmpfs tmpfs rw
32 22 0:7 / /mnt rw shared:9 - tmpfs tmpfs rw
`)

test.each([
  ['/', '/', true],
  ['/home/me', '/', true],
  ['/mnt', '/mnt', true],
  ['/mntx', '/', true],
  ['/mnt/a b/c', '/mnt/a b', true],
])('%s lies in %s', (path, at, propagates) => {
  expect(mountOf(path, table)).toEqual({ at, propagates })
})

test('a private mount passes nothing on', () => {
  expect(mountOf('/mnt/x', table.slice(0, 2))).toEqual({ at: '/mnt', propagates: false })
})
