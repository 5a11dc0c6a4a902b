import { expect, test } from 'vitest'
import { descendantsOf, isSameProcess, parseStat, startTimeOf } from './process-table.ts'

test('a command with blanks and parentheses does not confuse the fields', () => {
  const text = '42 (tricky) name) S 7 42 40 34816 -1 4194304 1 2 3 4 150 50 0 0 20 0 1 0 987654 1000 10 1844'
  expect(parseStat(text)).toEqual({
    pid: 42,
    state: 'S',
    ppid: 7,
    session: 40,
    terminal: 34816,
    userTicks: 150,
    systemTicks: 50,
    startTime: '987654',
  })
})

test('a pid is the same process only with the same start time', () => {
  const startTime = startTimeOf(process.pid) ?? ''
  expect(isSameProcess(process.pid, startTime)).toBe(true)
  expect(isSameProcess(process.pid, 'earlier')).toBe(false)
  expect(isSameProcess(2 ** 22 + 1, startTime)).toBe(false)
})

test('we are among the descendants of our parent', () => {
  expect(descendantsOf(process.ppid)).toContain(process.pid)
})
