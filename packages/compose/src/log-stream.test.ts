import { expect, test } from 'vitest'
import { parseMoment } from './log-stream.ts'

test.each([
  ['10m', 1_000_000 - 600],
  ['1h30m', 1_000_000 - 5400],
  ['1234.5', 1234.5],
  ['1970-01-01T00:00:01Z', 1],
])('%s', (text, seconds) => {
  expect(parseMoment(text, 1_000_000_000)).toBe(seconds)
})
