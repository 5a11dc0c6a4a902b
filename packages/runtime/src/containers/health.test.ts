import { expect, test } from 'vitest'
import { afterCheck, healthPlan, type HealthPlan } from './health.ts'
import type { Health } from './record.ts'

test('durations are nanoseconds, zero means the default', () => {
  expect(healthPlan({ Test: ['CMD-SHELL', 'curl x || exit 1'], Interval: 5e9, Timeout: 0, Retries: 0 })).toEqual({
    command: ['/bin/sh', '-c', 'curl x || exit 1'],
    intervalMs: 5000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5000,
    retries: 3,
  })
  expect(healthPlan({ Test: ['CMD', 'a', 'b'] })?.command).toEqual(['a', 'b'])
  expect(healthPlan({ Test: ['NONE'] })).toBeUndefined()
  expect(healthPlan(undefined)).toBeUndefined()
})

const plan = { retries: 2, startPeriodMs: 1000 } as HealthPlan
function result(ExitCode: number) {
  return { Start: '', End: '', ExitCode, Output: '' }
}
const starting: Health = { Status: 'starting', FailingStreak: 0, Log: [] }

test('it takes `retries` failures in a row to be unhealthy, one success to be healthy', () => {
  const once = afterCheck(starting, result(1), plan, 2000)
  expect(once).toMatchObject({ Status: 'starting', FailingStreak: 1 })
  const twice = afterCheck(once, result(1), plan, 3000)
  expect(twice).toMatchObject({ Status: 'unhealthy', FailingStreak: 2 })
  expect(afterCheck(twice, result(0), plan, 4000)).toMatchObject({ Status: 'healthy', FailingStreak: 0 })
})

test('failures while it starts do not count', () => {
  expect(afterCheck(starting, result(1), plan, 999)).toMatchObject({ Status: 'starting', FailingStreak: 0 })
})

test('the last five results are kept', () => {
  let health = starting
  for (let code = 1; code <= 7; code++) health = afterCheck(health, result(code), plan, 5000)
  expect(health.Log.map(({ ExitCode }) => ExitCode)).toEqual([3, 4, 5, 6, 7])
})
