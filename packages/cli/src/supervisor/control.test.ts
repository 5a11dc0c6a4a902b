/** The control server and its client, over a real socket: what `dinghy` and the supervisor say to one another. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { writeFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { StateDir } from '../cluster/state-dir.ts'
import { FakeProcesses } from '../testing/fake-processes.ts'
import { someConfig, temporaryState } from '../testing/temporary-state.ts'
import {
  askStatus,
  askWaiting,
  HungSupervisor,
  killSupervisor,
  NotRunning,
  statusOfRunning,
  stopCluster,
  changeNode,
  writeSupervisorPid,
} from './control-client.ts'
import { serveControl } from './control-server.ts'
import { type StopOptions, Supervisor } from './supervisor.ts'

async function serving(state: StateDir) {
  const processes = new FakeProcesses()
  const clock = new FakeClock()
  const { startProcess, askHealth, hasBecomeReady } = processes
  const config = structuredClone(someConfig)
  const supervisor = new Supervisor({
    config,
    state,
    clock,
    hold: { close: () => undefined },
    startProcess,
    askHealth,
    hasBecomeReady,
  })
  const stops: StopOptions[] = []
  const stop = (options: StopOptions) => {
    stops.push(options)
    return Promise.resolve({ killed: ['runtime'], stays: [] })
  }
  const server = await serveControl({ supervisor, state, stop })
  onTestFinished(() => server.close(0))
  void supervisor.start()
  await clock.advance(100)
  return { supervisor, processes, stops }
}

test('tells what runs, where, and what waits', async () => {
  const state = temporaryState()
  await serving(state)
  const status = await statusOfRunning(state)
  expect(status).toMatchObject({ cluster: 'two', ready: true, slot: 31, server: 'https://127.0.0.1:6474' })
  expect(status.components[0]).toMatchObject({ name: 'api-server', pid: 1_000, ready: true, paused: [] })
  expect(status.pid).toBe(process.pid)
  expect(await askWaiting(state)).toEqual([])
})

test('hands on a stop with its grace, and what it had to kill', async () => {
  const state = temporaryState()
  const { stops } = await serving(state)
  expect(await stopCluster(state, { graceMs: 3_000, atOnce: true })).toEqual({ killed: ['runtime'], stays: [] })
  expect(stops).toEqual([{ graceMs: 3_000, atOnce: true }])
})

test('switches nodes, and refuses those that are not there in a sentence', async () => {
  const state = temporaryState()
  const { processes } = await serving(state)
  await changeNode(state, 'node-2', 'stop')
  expect(processes.of('node-agent-node-2').signals).toEqual(['SIGKILL'])
  await changeNode(state, 'node-2', 'start')
  await expect(changeNode(state, 'node-9', 'stop')).rejects.toThrow('no node "node-9" in this cluster')
})

test('nobody there is no error to whoever asks, and a sentence to whoever needs it', async () => {
  const state = temporaryState()
  expect(await askStatus(state)).toBeUndefined()
  expect(await askWaiting(state)).toEqual([])
  await expect(statusOfRunning(state)).rejects.toThrow(NotRunning)
  await expect(changeNode(state, 'node-1', 'stop')).rejects.toThrow('start one with `dinghy up`')
})

test('one that listens and says nothing is told from one that is not there', async () => {
  const state = temporaryState()
  const silent = createServer()
  silent.listen(state.supervisorSocket)
  onTestFinished(() => void silent.close())
  await once(silent, 'listening')
  await expect(askStatus(state, 50)).rejects.toThrow(HungSupervisor)
})

test('a hung supervisor is killed by the pid that it wrote', async () => {
  const state = temporaryState()
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'])
  writeFileSync(state.supervisorPid, `${child.pid}\n`)
  const exited = once(child, 'exit')
  expect(killSupervisor(state)).toBe(child.pid)
  expect(await exited).toEqual([null, 'SIGKILL'])
  writeSupervisorPid(state)
})
