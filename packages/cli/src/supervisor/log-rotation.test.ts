import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { temporaryState } from '../testing/temporary-state.ts'
import { rotate, rotateLogs } from './log-rotation.ts'

test('a log that has grown too long begins anew, and what it held is kept once', () => {
  const log = temporaryState().log('scheduler')
  writeFileSync(log, 'one two three')
  expect(rotate(log, 100)).toBe(false)
  expect(rotate(log, 10)).toBe(true)
  expect([readFileSync(log, 'utf8'), readFileSync(`${log}.1`, 'utf8')]).toEqual(['', 'one two three'])
  writeFileSync(log, 'four five six')
  rotate(log, 10)
  expect(readFileSync(`${log}.1`, 'utf8')).toBe('four five six')
})

test('looks at every log from time to time, until it is told to stop', async () => {
  const state = temporaryState()
  const clock = new FakeClock()
  const stop = new AbortController()
  const rotating = rotateLogs(dirname(state.log('any')), clock, stop.signal)
  writeFileSync(state.log('runtime'), Buffer.alloc((10 << 20) + 1))
  await clock.advance(14_000)
  expect(existsSync(`${state.log('runtime')}.1`)).toBe(false)
  await clock.advance(2_000)
  expect(existsSync(`${state.log('runtime')}.1`)).toBe(true)
  stop.abort()
  await rotating
})
