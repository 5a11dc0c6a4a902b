import { expect, test } from 'vitest'
import { linearRegex, matchesRegex } from './linear-regex.ts'

test.each([
  ['^a{2,3}$', 'aa', true],
  ['^a{2,3}$', 'aaaa', false],
  ['^(?:ab){2,}c?$', 'ababab', true],
  ['^x{0}y$', 'y', true],
  ['(?i)^hello-[a-c]$', 'HeLLo-B', true],
  ['^(?i:a)b$', 'Ab', true],
  ['^(?i:a)b$', 'AB', false],
  ['^(?P<year>\\d{4})-(?<month>\\d\\d)$', '2024-05', true],
  ['^[[:alpha:]_]+$', 'ab_C', true],
  ['^[[:^digit:]]+$', 'ab1', false],
  ['^\\pL+$', 'Grüße', true],
  ['^\\p{Greek}+$', 'αβγ', true],
  ['^[^\\d\\-]+$', 'ab-c', false],
  ['^\\Q1+1\\E$', '1+1', true],
  ['\\Aa.b\\z', 'a\nb', false],
  ['(?s)\\Aa.b\\z', 'a\nb', true],
  ['(?m)^b$', 'a\nb', true],
  ['^\\x41\\x{42}\\t$', 'AB\t', true],
  ['^[a\\]b-]+$', 'a]b-', true],
  ['^[]a]+$', ']a', true],
  ['a{,2}', 'a{,2}', true],
  ['^$', '', true],
  ['^(a|b|)$', '', true],
  ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$', 'a.b-c.d', true],
])('%s on %s: %s', (regex, text, matches) => {
  expect(matchesRegex(text, regex)).toBe(matches)
})

test.each([
  ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
  ['(a', 'missing closing ): `(a`'],
  ['a)', 'unexpected ): `a)`'],
  ['[a', 'missing closing ]: `[a`'],
  ['a**', 'invalid nested repetition operator: `**`'],
  ['*a', 'missing argument to repetition operator: `*`'],
  ['\\1', 'invalid escape sequence: `\\1`'],
  ['[b-a]', 'invalid character class range: `b-a`'],
  ['a{1001}', 'invalid repeat count: `{1001}`'],
  ['a\\', 'trailing backslash at end of expression'],
  ['(?:(?:a{100}){100}){100}', 'expression too large'],
])('%s is refused', (regex, problem) => {
  expect(() => linearRegex(regex)).toThrow(problem)
})

test.each(['^(a+)+$', '^(a|a)*$', '(?i)^(([a-z]{1,63})+)+$', '^(\\pL+)+$', '^(a{1,9}){1,9}$', '^(a*)*b'])(
  '%s needs no exponential time',
  (regex) => {
    expect(matchesRegex(`${'a'.repeat(120)}1`, regex)).toBe(false)
  },
)
