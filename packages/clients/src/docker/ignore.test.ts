import { expect, test } from 'vitest'
import { isIgnored, parseIgnore } from './ignore.ts'

test.each([
  ['node_modules', 'node_modules', true],
  ['node_modules', 'node_modules/a/b.js', true],
  ['node_modules', 'web/node_modules', false],
  ['**/node_modules', 'web/node_modules/a', true],
  ['**/node_modules', 'node_modules', true],
  ['*.log', 'a.log', true],
  ['*.log', 'logs/a.log', false],
  ['**/*.log', 'logs/a.log', true],
  ['a?c', 'abc', true],
  ['a?c', 'a/c', false],
  ['[ab].txt', 'b.txt', true],
  ['[^ab].txt', 'b.txt', false],
  ['docs/', 'docs/x', true],
  ['/docs', 'docs', true],
  ['*\n!keep.txt', 'keep.txt', false],
  ['*\n!keep.txt', 'other.txt', true],
  ['!keep.txt\n*', 'keep.txt', true],
  ['# a.txt', 'a.txt', false],
  ['a.b', 'axb', false],
])('%j on %s', (text, path, ignored) => {
  expect(isIgnored(parseIgnore(text), path)).toBe(ignored)
})
