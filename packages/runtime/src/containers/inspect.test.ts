import { expect, test } from 'vitest'
import { commandLine, humanDuration, statusText } from './inspect.ts'
import { never, type State } from './record.ts'

const now = Date.parse('2025-01-01T01:00:00Z')
function state(change: Partial<State>): State {
  return {
    status: 'running',
    exitCode: 0,
    error: '',
    oomKilled: false,
    startedAt: '2025-01-01T00:55:00Z',
    finishedAt: never,
    ...change,
  }
}

test.each<[Partial<State>, string]>([
  [{}, 'Up 5 minutes'],
  [{ status: 'paused' }, 'Up 5 minutes (Paused)'],
  [{ health: { Status: 'starting', FailingStreak: 0, Log: [] } }, 'Up 5 minutes (health: starting)'],
  [{ health: { Status: 'healthy', FailingStreak: 0, Log: [] } }, 'Up 5 minutes (healthy)'],
  [{ status: 'exited', exitCode: 137, finishedAt: '2025-01-01T00:59:58Z' }, 'Exited (137) 2 seconds ago'],
  [{ status: 'restarting', exitCode: 1, finishedAt: '2025-01-01T00:59:59Z' }, 'Restarting (1) 1 second ago'],
  [{ status: 'created', startedAt: never }, 'Created'],
  [{ status: 'dead' }, 'Dead'],
])('%o shows as %s', (change, text) => {
  expect(statusText(state(change), now)).toBe(text)
})

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000]
test.each([
  [0, 'Less than a second'],
  [SECOND, '1 second'],
  [59 * SECOND, '59 seconds'],
  [MINUTE, 'About a minute'],
  [59 * MINUTE, '59 minutes'],
  [HOUR, 'About an hour'],
  [47 * HOUR, '47 hours'],
  [3 * DAY, '3 days'],
  [20 * DAY, '2 weeks'],
  [70 * DAY, '2 months'],
  [800 * DAY, '2 years'],
])('%d ms is %s', (ms, text) => {
  expect(humanDuration(ms)).toBe(text)
})

test('a command is listed with quotes around what holds a blank', () => {
  expect(commandLine(['sh', '-c', 'echo hi; exit'])).toBe("sh -c 'echo hi; exit'")
  expect(commandLine(['/my program', 'x'])).toBe('/my program x')
})
