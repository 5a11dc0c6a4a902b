import { expect, test } from 'vitest'
import { checkRestartPolicy, restartDelay, startsAtBoot, type Ended } from './restart-policy.ts'

function ended(name: Ended['policy']['Name'], change: Partial<Ended> = {}, max = 0): Ended {
  return {
    policy: { Name: name, MaximumRetryCount: max },
    exitCode: 1,
    restartCount: 0,
    stoppedByUser: false,
    ranMs: 0,
    previousDelayMs: 0,
    ...change,
  }
}

test.each([
  ['no', ended('no'), undefined],
  ['always', ended('always', { exitCode: 0 }), 100],
  ['always, stopped by a user', ended('always', { stoppedByUser: true }), undefined],
  ['unless-stopped', ended('unless-stopped'), 100],
  ['on-failure, success', ended('on-failure', { exitCode: 0 }), undefined],
  ['on-failure, failure', ended('on-failure'), 100],
  ['on-failure:3, third failure', ended('on-failure', { restartCount: 2 }, 3), 100],
  ['on-failure:3, fourth failure', ended('on-failure', { restartCount: 3 }, 3), undefined],
  ['waits twice as long each time', ended('always', { previousDelayMs: 400 }), 800],
  ['but a minute at most', ended('always', { previousDelayMs: 51_200 }), 60_000],
  ['and starts over after a long run', ended('always', { previousDelayMs: 51_200, ranMs: 10_000 }), 100],
] as const)('%s', (_name, input, delay) => {
  expect(restartDelay(input)).toBe(delay)
})

test.each([
  ['always', true, true, true],
  ['always', false, false, false],
  ['unless-stopped', true, false, true],
  ['unless-stopped', true, true, false],
  ['on-failure', true, false, false],
  ['no', true, false, false],
] as const)('at boot, %s (started %s, stopped %s): %s', (Name, started, stopped, expected) => {
  expect(startsAtBoot({ Name, MaximumRetryCount: 0 }, started, stopped)).toBe(expected)
})

test('what makes no sense is refused', () => {
  expect(checkRestartPolicy(undefined, false)).toEqual({ Name: 'no', MaximumRetryCount: 0 })
  expect(() => checkRestartPolicy({ Name: 'sometimes' as 'no' }, false)).toThrow("unknown policy 'sometimes'")
  expect(() => checkRestartPolicy({ Name: 'always', MaximumRetryCount: 2 }, false)).toThrow(
    "can only be used with 'on-failure'",
  )
  expect(() => checkRestartPolicy({ Name: 'always' }, true)).toThrow(
    "can't create 'AutoRemove' container with restart policy",
  )
})
