import { expect, test } from 'vitest'
import { isNested } from './user-namespace.ts'

test.each([
  ['the machine’s own', '         0          0 4294967295\n', false],
  ['an ordinary user alone', '         0       1000          1\n', true],
  ['one with a range of further ids', '         0       1000          1\n         1     100000      65536\n', true],
])('%s', (_name, map, expected) => {
  expect(isNested(map)).toBe(expected)
})
