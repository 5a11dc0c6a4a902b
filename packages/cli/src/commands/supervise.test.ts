/** `dinghy up` from its start to its end, with processes that only seem to run. */
import { EventEmitter } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { type Clock, systemClock } from '@dinghy/shared/api/clock'
import type { StateDir } from '../cluster/state-dir.ts'
import { askStatus, stopCluster } from '../supervisor/control-client.ts'
import { FakeProcesses } from '../testing/fake-processes.ts'
import { someConfig, temporaryState } from '../testing/temporary-state.ts'
import { supervise } from './supervise.ts'

class FakeHost extends EventEmitter {
  readonly sent: string[] = []
  send: ((message: string) => unknown) | undefined = (message) => this.sent.push(message)
}

/** On which pauses take no time. */
const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 1), signal) }

let state: StateDir
let processes: FakeProcesses
let host: FakeHost
let printed: string[]

beforeEach(() => {
  state = temporaryState()
  processes = new FakeProcesses()
  host = new FakeHost()
  printed = []
  const spy = vi.spyOn(console, 'log').mockImplementation((text: string) => void printed.push(text))
  onTestFinished(() => spy.mockRestore())
})

function up(clock = systemClock): Promise<number> {
  const { startProcess, askHealth, hasBecomeReady } = processes
  return supervise(someConfig, state, ' --state-dir X', { clock, host, startProcess, askHealth, hasBecomeReady })
}

/** One whose nodes never become Ready. */
function upForEver(): Promise<number> {
  processes.onStart = (process) => {
    if (process.name.startsWith('node-agent-')) process.health = 'not ready'
  }
  return up()
}

test('starts, says so to whoever waits, answers, and ends when it is asked to', async () => {
  const running = up()
  await vi.waitFor(() => expect(host.sent).toEqual(['ready']), 20_000)
  expect(await askStatus(state)).toMatchObject({ cluster: 'two', ready: true })
  expect(readFileSync(state.kubeconfig, 'utf8')).toContain(`https://127.0.0.1:${state.readConfig()?.apiPort}`)
  expect(Number(readFileSync(state.supervisorPid, 'utf8'))).toBe(process.pid)
  await stopCluster(state, { graceMs: 0 })
  expect(await running).toBe(0)
  expect([existsSync(state.supervisorPid), await askStatus(state)]).toEqual([false, undefined])
  expect(printed.at(-1)).toContain('stopped; everything is kept')
})

test('Ctrl-C stops it, also before it is ready', async () => {
  host.send = undefined
  const running = upForEver()
  await vi.waitFor(() => expect(processes.started).toHaveLength(8), 20_000)
  host.emit('SIGINT')
  host.emit('SIGINT')
  expect(await running).toBe(0)
  expect(printed.join('\n')).toContain('stopping: controllers')
})

test('gives up when whoever asked for it has given up before it was ready', async () => {
  const running = upForEver()
  await vi.waitFor(() => expect(processes.started).toHaveLength(8), 20_000)
  host.emit('disconnect')
  expect(await running).toBe(0)
  expect(host.sent).toEqual([])
})

test('a start that fails for good ends, and says why', async () => {
  writeFileSync(state.log('api-server'), '{"level":60,"msg":"the port is taken"}\n')
  processes.onStart = (process) => {
    if (process.name !== 'api-server') return
    process.health = 'starting'
    process.die()
  }
  await expect(up(hurried)).rejects.toThrow(
    /the cluster did not start: api-server ended 6 times \((the port is taken|the disk of .*)\)/,
  )
  expect(await askStatus(state)).toBeUndefined()
})
