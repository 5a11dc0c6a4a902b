import { expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { RuntimeHealth } from './runtime-health.ts'

function start() {
  const clock = new FakeClock()
  const health = new RuntimeHealth(clock, 5000)
  let changes = 0
  health.onChange(() => (changes += 1))
  return { clock, health, changes: () => changes }
}

test('a runtime that fails once and answers again was never down, but is to be prepared anew', async () => {
  const { clock, health, changes } = start()
  health.answered()
  health.failed(clock.now())
  await clock.advance(4999)
  health.failed(clock.now())
  expect(health).toMatchObject({ down: undefined, isSilent: true })
  health.answered()
  expect(health).toMatchObject({ down: undefined, isSilent: false })
  // The grace begins anew.
  await clock.advance(4999)
  health.failed(clock.now())
  expect(health.down).toBeUndefined()
  expect(changes()).toBe(0)
})

test('a runtime that is silent for the grace period is down, which is told once, and up with its first answer', async () => {
  const { clock, health, changes } = start()
  health.answered()
  health.failed(clock.now())
  await clock.advance(5000)
  health.failed(clock.now())
  health.failed(clock.now())
  expect(health.down).toBe('container runtime is down')
  expect(changes()).toBe(1)
  health.answered()
  expect(health.down).toBeUndefined()
  expect(changes()).toBe(2)
})

test('a runtime that has never answered is down when the grace period is over', async () => {
  const { clock, health } = start()
  expect(health).toMatchObject({ down: undefined, isSilent: true })
  await clock.advance(5000)
  expect(health.down).toBe('container runtime is down')
})
