import { expect, test } from 'vitest'
import { exitCodeOf, signalNumber } from './exit-code.ts'

test.each([
  [7, null, 7],
  [null, 'SIGKILL', 137],
  [null, 'SIGTERM', 143],
] as const)('exit(%s, %s) is %d', (code, signal, expected) => {
  expect(exitCodeOf(code, signal)).toBe(expected)
})

test.each([
  ['SIGTERM', 15],
  ['term', 15],
  ['9', 9],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
  ['SIGNOPE', undefined],
  ['0', undefined],
  ['99', undefined],
  ['', undefined],
])('signal %j is %s', (name, expected) => {
  expect(signalNumber(name)).toBe(expected)
})
