import { expect, test } from 'vitest'
import { isRefusal } from './xattrs.ts'

const refused = "tar: setxattrat: Cannot set 'user.a' extended attribute for file 'f': Operation not supported"

test.each([
  [refused, true],
  [
    `${refused}\ntar: f: Cannot setxattr: Operation not permitted\ntar: Exiting with failure status due to previous errors\n`,
    true,
  ],
  ['tar: Option --xattrs-include=* is not supported', true],
  [`${refused}\ntar: f: Cannot write: No space left on device`, false],
  ['tar: f: Cannot open: Permission denied', false],
  ['', false],
])('%j: nothing but refusals is %s', (message, expected) => {
  expect(isRefusal(message)).toBe(expected)
})
