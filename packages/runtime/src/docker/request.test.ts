import { expect, test } from 'vitest'
import { isTrue } from './request.ts'

test.each([
  [null, false],
  ['', false],
  ['0', false],
  ['false', false],
  ['False', false],
  ['none', false],
  ['1', true],
  ['true', true],
  ['yes', true],
  ['2', true],
])('the query value %j is %s', (value, expected) => {
  expect(isTrue(value)).toBe(expected)
})
