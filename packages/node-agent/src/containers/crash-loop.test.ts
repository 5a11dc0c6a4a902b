import { expect, test } from 'vitest'
import { goDuration, restartDelay, upstreamCrashLoop } from './crash-loop.ts'

const second = 1000
const minute = 60 * second

test('the delays of a container that always ends at once', () => {
  const delays: string[] = []
  let crashLoopDelayMs = 0
  for (let restart = 0; restart < 8; restart++) {
    const ended = { startedAt: 0, finishedAt: second, crashLoopDelayMs }
    const { delayMs, nextDelayMs } = restartDelay(ended, upstreamCrashLoop)
    delays.push(goDuration(delayMs))
    crashLoopDelayMs = nextDelayMs
  }
  expect(delays).toEqual(['0ms', '10s', '20s', '40s', '1m20s', '2m40s', '5m0s', '5m0s'])
})

test.each([
  ['ten minutes are not enough', 10 * minute, { delayMs: 40_000, nextDelayMs: 80_000 }],
  ['longer than ten minutes begins anew', 10 * minute + 1, { delayMs: 0, nextDelayMs: 10_000 }],
])('%s', (_name, finishedAt, expected) => {
  expect(restartDelay({ startedAt: 0, finishedAt, crashLoopDelayMs: 40_000 }, upstreamCrashLoop)).toEqual(expected)
})

test('a container that never started counts as one that ended at once', () => {
  const ended = { finishedAt: 60 * minute, crashLoopDelayMs: 10_000 }
  expect(restartDelay(ended, upstreamCrashLoop)).toEqual({ delayMs: 10_000, nextDelayMs: 20_000 })
})

test.each([
  [1500, '1.5s'],
  [61_020, '1m1.02s'],
  [3_600_000, '1h0m0s'],
])('%i ms is %s', (ms, text) => {
  expect(goDuration(ms)).toBe(text)
})
