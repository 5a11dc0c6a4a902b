import { expect, test } from 'vitest'
import { formatNanos, parseMoment, parseRfc3339 } from './timestamps.ts'

const now = Date.parse('2025-01-01T00:10:00Z')
function at(text: string) {
  return BigInt(Date.parse(text)) * 1_000_000n
}

test('nanoseconds survive the way to text and back', () => {
  const nanos = at('2025-01-01T00:00:00Z') + 123_456_789n
  expect(formatNanos(nanos)).toBe('2025-01-01T00:00:00.123456789Z')
  expect(parseRfc3339(formatNanos(nanos))).toBe(nanos)
  expect(parseRfc3339('2025-01-01T01:00:00.5+01:00')).toBe(at('2025-01-01T00:00:00Z') + 500_000_000n)
})

test.each([
  [null, undefined],
  ['', undefined],
  ['0', undefined],
  ['1735689600', at('2025-01-01T00:00:00Z')],
  ['1735689600.000000001', at('2025-01-01T00:00:00Z') + 1n],
  ['1735689600.5', at('2025-01-01T00:00:00Z') + 500_000_000n],
  ['2025-01-01T00:00:00Z', at('2025-01-01T00:00:00Z')],
  ['10m', at('2025-01-01T00:00:00Z')],
])('the moment %j', (text, expected) => {
  expect(parseMoment(text, now)).toBe(expected)
})

test.each(['yesterday', '2025-13', '5 parsecs'])('%s is no moment', (text) => {
  expect(() => parseMoment(text, now)).toThrow()
})
