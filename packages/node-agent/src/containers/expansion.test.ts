import { expect, test } from 'vitest'
import { expand } from './expansion.ts'

const variables = new Map([
  ['A', 'a'],
  ['B', '$(A)'],
  ['EMPTY', ''],
])

test.each([
  ['plain', 'plain'],
  ['$(A)', 'a'],
  ['$(A)-$(A)', 'a-a'],
  ['x$(EMPTY)y', 'xy'],
  ['$(UNKNOWN)', '$(UNKNOWN)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$a'],
  ['$$$$(A)', '$$(A)'],
  ['$A', '$A'],
  ['$', '$'],
  ['100$', '100$'],
  ['$(A', '$(A'],
  ['$()', '$()'],
  ['$(B)', '$(A)'],
])('%s → %s', (text, expected) => {
  expect(expand(text, (name) => variables.get(name))).toBe(expected)
})
