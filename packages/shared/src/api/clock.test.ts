import { describe, expect, test, vi } from 'vitest'
import { FakeClock, systemClock } from './clock.ts'

describe('FakeClock', () => {
  test('fires due timers in order and no others', async () => {
    const clock = new FakeClock(0)
    const fired: string[] = []
    clock.setTimeout(() => fired.push(`b@${clock.now()}`), 20)
    clock.setTimeout(() => fired.push(`a@${clock.now()}`), 10)
    clock.setTimeout(() => fired.push(`c@${clock.now()}`), 20)
    clock.setTimeout(() => fired.push('late'), 31)
    clock.clear(clock.setTimeout(() => fired.push('cleared'), 5))
    await clock.advance(30)
    expect(fired).toEqual(['a@10', 'b@20', 'c@20'])
    expect(clock.now()).toBe(30)
    expect(clock.pending).toBe(1)
  })

  test('a chain of sleeps inside one advance all happens', async () => {
    const clock = new FakeClock(0)
    const woke: number[] = []
    const loop = (async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(10)
        woke.push(clock.now())
      }
    })()
    await clock.advance(30)
    await loop
    expect(woke).toEqual([10, 20, 30])
  })

  test('an aborted sleep rejects with the reason and leaves no timer', async () => {
    const clock = new FakeClock()
    const controller = new AbortController()
    const sleep = clock.sleep(1000, controller.signal)
    controller.abort(new Error('stop'))
    await expect(sleep).rejects.toThrow('stop')
    expect(clock.pending).toBe(0)
    await expect(clock.sleep(1, controller.signal)).rejects.toThrow('stop')
  })
})

test('the system clock sleeps', async () => {
  const before = performance.now()
  await systemClock.sleep(5)
  expect(performance.now() - before).toBeGreaterThan(3)
})

test('a timer beyond 25 days does not fire at once, and can be cleared on the way', () => {
  vi.useFakeTimers()
  try {
    const fired: string[] = []
    const year = 365 * 86_400_000
    systemClock.setTimeout(() => fired.push('a year'), year)
    systemClock.setTimeout(() => fired.push('the end'), Infinity)
    const cleared = systemClock.setTimeout(() => fired.push('cleared'), year)
    vi.advanceTimersByTime(year - 1)
    systemClock.clear(cleared)
    expect(fired).toEqual([])
    vi.advanceTimersByTime(1)
    expect(fired).toEqual(['a year'])
  } finally {
    vi.useRealTimers()
  }
})
