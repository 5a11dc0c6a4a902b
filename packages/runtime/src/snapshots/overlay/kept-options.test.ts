import { expect, test } from 'vitest'
import { keptOptions } from './kept-options.ts'

test.each([
  ['/usr/bin', ''],
  ['/home', ',nosuid,nodev'],
  ['/home/ann', ',nosuid,nodev'],
  ['/homestead', ''],
  ['/my disk/x', ',ro'],
  ['/twice', ',noexec'],
])('options that a copy of the mount at %s keeps: "%s"', (path, kept) => {
  const mountinfo = [
    '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '23 22 0:5 / /home rw,nosuid,nodev,relatime shared:1 - ext4 /dev/vdb rw',
    '24 22 0:6 / /my\\040disk ro,relatime - ext4 /dev/vdc ro',
    '25 22 0:7 / /twice rw,nosuid - tmpfs tmpfs rw',
    '26 25 0:8 / /twice rw,noexec - tmpfs tmpfs rw',
    '',
  ].join('\n')
  expect(keptOptions(mountinfo, path)).toBe(kept)
})
