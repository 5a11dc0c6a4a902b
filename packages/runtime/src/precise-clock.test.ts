import { FakeClock } from '@dinghy/shared/api/clock'
import { expect, test } from 'vitest'
import { preciseClock } from './precise-clock.ts'

test('counts on within a millisecond, and follows a clock that was set', () => {
  let [system, counted] = [1_000_000, 50.25]
  const source = Object.assign(new FakeClock(), { now: () => system })
  const clock = preciseClock(source, () => counted)
  expect(clock.now()).toBe(1_000_000)
  counted += 0.125
  expect(clock.now()).toBe(1_000_000.125)
  counted += 1
  system += 1
  expect(clock.now()).toBe(1_000_001.125)
  system -= 5_000
  expect(clock.now()).toBe(995_001)
})
