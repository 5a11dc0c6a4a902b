import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newHouse } from '../testing/house.ts'
import { afterCheck, healthPlan, type HealthPlan } from './health.ts'
import type { Health } from './record.ts'

let house: ReturnType<typeof newHouse>
beforeEach(() => {
  house = newHouse()
})
afterEach(() => house.close())

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

/** Of a container whose health is checked every second. */
async function checked(command: string[], more = {}) {
  const second = 1e9
  const Healthcheck = { Test: ['CMD', ...command], Interval: second, Timeout: 2 * second, Retries: 2, ...more }
  const container = await house.create(['serve'], { Healthcheck })
  await house.lifecycle.start(container)
  return container
}

test('a check’s output is all that it wrote, also what comes after its exit', async () => {
  const container = await checked(['hang'])
  await house.clock.advance(1_000)
  const exec = house.driver.execs[0]
  exec?.exit(0)
  await house.clock.advance(0)
  expect(container.state.health?.Status).toBe('starting')
  exec?.stdout.end('late words')
  exec?.stderr.end()
  await vi.waitFor(() => expect(container.state.health?.Status).toBe('healthy'))
  expect(container.state.health?.Log.map(({ Output }) => Output)).toEqual(['late words'])
  expect(house.told).toContain('health_status: healthy')
})

test('streams that a check has left open are not waited for longer than the check', async () => {
  const container = await checked(['hang'])
  await house.clock.advance(1_000)
  house.driver.execs[0]?.exit(0)
  await house.clock.advance(2_000)
  await vi.waitFor(() => expect(container.state.health?.Status).toBe('healthy'))
})

test('a check that takes too long is killed and counts as failed', async () => {
  const container = await checked(['hang'])
  await house.clock.advance(3_000)
  await vi.waitFor(() => expect(container.state.health?.Log).toHaveLength(1))
  expect(house.driver.execs[0]?.killed).toBe(true)
  expect(container.state.health?.Log[0]).toMatchObject({ ExitCode: -1, Output: 'Health check exceeded timeout (2s)' })
})

test('health ends with the run: nobody shall take it for healthy', async () => {
  const container = await checked(['exit', '0'])
  await house.clock.advance(1_000)
  await vi.waitFor(() => expect(container.state.health?.Status).toBe('healthy'))
  await house.lifecycle.stop(container)
  expect(container.state.health?.Status).toBe('unhealthy')
  await house.clock.advance(5_000)
  expect(house.driver.execs).toHaveLength(1)
})

test('a paused container is not checked', async () => {
  const container = await checked(['exit', '1'])
  await house.lifecycle.pause(container)
  await house.clock.advance(3_000)
  expect(house.driver.execs).toHaveLength(0)
  await house.lifecycle.unpause(container)
  await house.clock.advance(1_000)
  await house.clock.advance(1_000)
  await vi.waitFor(() => expect(container.state.health?.Status).toBe('unhealthy'))
})
