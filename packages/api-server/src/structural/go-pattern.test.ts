import { expect, test } from 'vitest'
import { goPattern } from './go-pattern.ts'

test.each<[string, string, boolean]>([
  ['^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$', '* * * * */5', true],
  ['^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$', '* * * *', false],
  ['^[[:alpha:]_]+$', 'a_B', true],
  ['^[[:digit:]]+$', 'x', false],
  ['^[\\w\\-.]+$', 'a-b.c', true],
  ['^\\_\\-\\"$', '_-"', true],
  ['^(?P<year>\\d{4})-(?P<month>\\d{2})$', '2025-01', true],
  ['(?i)^abc$', 'ABC', true],
  ['\\A\\p{L}+\\z', 'Straße', true],
  ['^\\p{Greek}+$', 'αβγ', true],
  ['^\\x{1F600}$', '😀', true],
  ['^\\Qa.b\\E$', 'a.b', true],
  ['^\\Qa.b\\E$', 'axb', false],
  ['^[]a]+$', ']a', true],
  ['^[a[]+$', 'a[', true],
  ['^a{2}$', 'aa', true],
  ['^{a}$', '{a}', true],
  ['^\\$\\{x\\}$', '${x}', true],
  ['^.$', '😀', true],
])('%s and %s: %s', (pattern, text, matches) => {
  expect(goPattern(pattern)?.test(text)).toBe(matches)
})

test.each(['(', '(?=a)', '(?<!a)b', '(a)\\1', '[z-a]', '*'])('%s is no pattern of Go', (pattern) => {
  expect(goPattern(pattern)).toBeUndefined()
})
