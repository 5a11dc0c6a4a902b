import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FakeClock, systemClock } from '@dinghy/shared/api/clock'
import { temporaryState } from '../testing/temporary-state.ts'
import { waitForLeftovers } from './leftovers.ts'

test('waits until the components of an earlier supervisor are gone, and kills one that stays', async () => {
  const state = temporaryState()
  const runFile = state.runFile('scheduler')
  const left = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', runFile])
  const exited = once(left, 'exit')
  await once(left, 'spawn')
  writeFileSync(runFile, JSON.stringify({ pid: left.pid }))
  writeFileSync(state.runFile('controller').replace('.json', '.json.9.tmp'), '{"pi')
  // Each look at the process takes real time; the patience is the clock's.
  const clock = new FakeClock()
  const waiting = waitForLeftovers(state, clock)
  const ended = new AbortController()
  void waiting.then(() => ended.abort())
  while (!ended.signal.aborted) {
    await clock.advance(1_000)
    await systemClock.sleep(5)
  }
  expect(await exited).toEqual([null, 'SIGKILL'])
  expect(existsSync(runFile)).toBe(false)
})

test('a process that only has the same number is left alone', async () => {
  const state = temporaryState()
  writeFileSync(state.runFile('scheduler'), JSON.stringify({ pid: process.pid }))
  await waitForLeftovers(state, new FakeClock())
  expect(existsSync(state.runFile('scheduler'))).toBe(false)
})
