import { expect, test } from 'vitest'
import { logOptions } from './log-query.ts'

const now = Date.parse('2025-01-01T00:01:00Z')
function options(query: string) {
  return logOptions(new URLSearchParams(query), now)
}

test.each([
  ['', { tail: 'all' }],
  ['follow=true&timestamps=true&tailLines=10', { follow: true, timestamps: true, tail: '10' }],
  ['tailLines=0&follow=false', { tail: '0' }],
  ['follow=True&timestamps=True', { tail: 'all', follow: true, timestamps: true }],
  ['sinceSeconds=30', { tail: 'all', since: '1735689630.000000000' }],
  ['sinceTime=2025-01-01T00:00:00.123456789Z', { tail: 'all', since: '1735689600.123456789' }],
  ['sinceTime=2025-01-01T01:00:00%2B01:00', { tail: 'all', since: '1735689600.000000000' }],
])('%s', (query, expected) => {
  expect(options(query).docker).toEqual(expected)
})

test('what the engine has no option for is ours to do', () => {
  expect(options('previous=true&limitBytes=5')).toMatchObject({ previous: true, limitBytes: 5 })
  expect(options('')).toMatchObject({ previous: false, limitBytes: undefined })
})

test.each([
  ['tailLines=-1', 'tailLines: Invalid value: -1: must be greater than or equal to 0'],
  ['limitBytes=0', 'limitBytes: Invalid value: 0: must be greater than 0'],
  ['sinceSeconds=x', 'sinceSeconds: Invalid value: "x": must be an integer'],
  ['sinceTime=yesterday', 'sinceTime: Invalid value: "yesterday"'],
  ['sinceSeconds=1&sinceTime=2025-01-01T00:00:00Z', 'at most one of `sinceTime` or `sinceSeconds` may be specified'],
])('refuses %s', (query, message) => {
  expect(() => options(query)).toThrow(message)
})
