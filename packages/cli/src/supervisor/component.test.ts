import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Clock, systemClock } from '@dinghy/shared/api/clock'
import { Component } from './component.ts'

/** Dies at once unless the file that it is given exists; then it publishes its health endpoint, as components do. */
const program = `
const { existsSync, writeFileSync } = require('node:fs')
const [, mayLive, runFile] = process.argv
if (!existsSync(mayLive)) process.exit(1)
const server = require('node:http').createServer((_request, response) => response.end())
server.listen(0, '127.0.0.1', () => {
  const debug = 'http://127.0.0.1:' + server.address().port
  writeFileSync(runFile, JSON.stringify({ pid: process.pid, debug }))
})
`

/** On which the pause before a restart has no end of its own. */
const endlessPauses: Clock = {
  now: () => systemClock.now(),
  setTimeout: (fn, ms) => systemClock.setTimeout(fn, ms),
  clear: (timer) => systemClock.clear(timer),
  sleep: (ms, signal) => systemClock.sleep(ms >= 100 ? 1e9 : ms, signal),
}

test('whoever needs a process that keeps dying gets it without the pause before its restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'component-'))
  const mayLive = join(directory, 'may-live')
  const paths = { log: join(directory, 'log'), runFile: join(directory, 'run.json') }
  const spec = { name: 'runtime', args: ['-e', program, mayLive, paths.runFile] }
  const component = new Component(spec, paths, endlessPauses, () => undefined)
  onTestFinished(async () => {
    await component.stop()
    rmSync(directory, { recursive: true })
  })
  component.start()
  await expect.poll(() => component.status(), { timeout: 20_000 }).toMatchObject({ restarts: 2, pid: undefined })
  writeFileSync(mayLive, '')
  expect(await component.readyWithin(20_000)).toBe(true)
})

test('a process that nobody wants up is not waited for', async () => {
  const component = new Component({ name: 'runtime', args: [] }, { log: '', runFile: '' }, systemClock, () => undefined)
  expect(await component.readyWithin(20_000)).toBe(false)
})
