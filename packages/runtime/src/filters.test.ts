import { expect, test } from 'vitest'
import { anyOf, labelsMatch, matchesText, parseFilters } from './filters.ts'

test('both spellings of the wire are read', () => {
  expect(parseFilters('{"label":["a","b=c"]}', ['label'])).toEqual(new Map([['label', ['a', 'b=c']]]))
  expect(parseFilters('{"label":{"a":true,"b":false}}', ['label'])).toEqual(new Map([['label', ['a']]]))
  expect(parseFilters(null, [])).toEqual(new Map())
  expect(parseFilters('', [])).toEqual(new Map())
})

test.each([
  ['{', 'invalid filter'],
  ['[]', 'invalid filter'],
  ['{"nope":["x"]}', "invalid filter 'nope'"],
])('%s is a bad request', (text, message) => {
  expect(() => parseFilters(text, ['label'])).toThrow(message)
})

test('values of one filter are alternatives, labels all have to hold', () => {
  const filters = parseFilters('{"status":["a","b"],"label":["x","y=1"],"label!":["z"]}', ['status', 'label', 'label!'])
  expect(anyOf(filters, 'status', (status) => status === 'b')).toBe(true)
  expect(anyOf(filters, 'status', () => false)).toBe(false)
  expect(anyOf(filters, 'absent', () => false)).toBe(true)
  expect(labelsMatch(filters, { x: '', y: '1' })).toBe(true)
  expect(labelsMatch(filters, { x: '', y: '2' })).toBe(false)
  expect(labelsMatch(filters, { x: '', y: '1', z: '' })).toBe(false)
})

test('names match as expressions, and literally where they are none', () => {
  expect(matchesText('^we', 'web')).toBe(true)
  expect(matchesText('eb', 'web')).toBe(true)
  expect(matchesText('[', '[')).toBe(true)
  expect(matchesText('[', 'web')).toBe(false)
})
