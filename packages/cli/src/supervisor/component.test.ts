import { expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { FakeProcesses } from '../testing/fake-processes.ts'
import { Component } from './component.ts'

function componentOf(processes: FakeProcesses) {
  const clock = new FakeClock()
  const changes: string[] = []
  const asked: unknown[] = []
  const spec = { name: 'runtime', kind: 'runtime', fixed: [], args: [] }
  const component: Component = new Component(spec, {
    clock,
    paths: { log: '', runFile: '' },
    onChange: () => {
      const { ready, silent, pid } = component.status()
      changes.push(pid === undefined ? 'gone' : ready ? 'ready' : silent ? 'silent' : 'up')
    },
    startProcess: processes.startProcess,
    askHealth: (runFile, pid, timeoutMs) => (asked.push(pid), processes.askHealth(runFile, pid, timeoutMs)),
    hasBecomeReady: processes.hasBecomeReady,
  })
  return { component, clock, changes, asked }
}

test('is ready when its process says so, and goes when it is told to', async () => {
  const processes = new FakeProcesses()
  processes.onStart = (process) => (process.health = 'starting')
  const { component, clock, changes } = componentOf(processes)
  component.start()
  await clock.advance(100)
  expect(component.status()).toMatchObject({ pid: 1_000, ready: false, stopped: false, settled: false })
  processes.of('runtime').health = 'ready'
  await clock.advance(100)
  expect(component.status()).toMatchObject({ ready: true, settled: true, restarts: 0 })
  expect(await component.stop()).toBe('stopped')
  expect(component.status()).toMatchObject({ pid: undefined, ready: false, stopped: true })
  expect(changes).toEqual(['up', 'ready', 'gone'])
})

test('a new process is not asked: it says by itself that it is ready, and is heard at once', async () => {
  const processes = new FakeProcesses()
  processes.onStart = (process) => (process.health = 'starting')
  const { component, clock, asked } = componentOf(processes)
  component.start()
  await clock.advance(150)
  processes.of('runtime').health = 'ready'
  await clock.advance(1)
  expect(component.status().ready).toBe(false)
  component.published()
  await clock.advance(0)
  expect(component.status().ready).toBe(true)
  await clock.advance(4_999)
  expect(asked).toEqual([])
  await clock.advance(1)
  expect(asked).toEqual([1_000])
  await component.stop()
})

test('one that says nothing is asked in the end', async () => {
  const processes = new FakeProcesses()
  processes.onStart = (process) => (process.health = 'silent')
  const { component, clock, asked } = componentOf(processes)
  component.start()
  await clock.advance(4_900)
  expect([asked, component.status().silent]).toEqual([[], false])
  await clock.advance(100)
  expect([asked, component.status().silent]).toEqual([[1_000], true])
  await component.stop()
})

test('is started again at once when it dies, then with growing pauses, which end when it has lived for a while', async () => {
  const processes = new FakeProcesses()
  const { component, clock } = componentOf(processes)
  component.start()
  await clock.advance(1_000)
  const deaths = [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]
  for (const [index, pauseMs] of deaths.entries()) {
    processes.of('runtime').die()
    await clock.advance(Math.max(0, pauseMs - 1))
    expect(processes.started).toHaveLength(index + (pauseMs === 0 ? 2 : 1))
    await clock.advance(1)
    expect(processes.started).toHaveLength(index + 2)
  }
  await clock.advance(11_000)
  processes.of('runtime').die()
  await clock.advance(0)
  expect(processes.started).toHaveLength(deaths.length + 2)
  expect(component.status().restarts).toBe(deaths.length + 1)
  await component.stop()
})

test('a process that does not answer is not ready at once, and is killed when it stays silent', async () => {
  const processes = new FakeProcesses()
  const { component, clock } = componentOf(processes)
  component.start()
  await clock.advance(100)
  const hung = processes.of('runtime')
  hung.health = 'silent'
  hung.obeys = 'SIGKILL'
  await clock.advance(5_000)
  expect(component.status()).toMatchObject({ ready: false, silent: true })
  expect(hung.signals).toEqual([])
  await clock.advance(2_000)
  expect(hung.signals).toEqual(['SIGKILL'])
  expect(component.status()).toMatchObject({ ready: true, silent: false, restarts: 1, pid: 1_001 })
  await component.stop()
})

test('one slow answer is no reason to kill', async () => {
  const processes = new FakeProcesses()
  const { component, clock } = componentOf(processes)
  component.start()
  await clock.advance(100)
  processes.of('runtime').health = 'silent'
  await clock.advance(5_200)
  processes.of('runtime').health = 'ready'
  await clock.advance(60_000)
  expect(component.status()).toMatchObject({ ready: true, restarts: 0 })
  await component.stop()
})

test('a process that never says where it listens is killed, too', async () => {
  const processes = new FakeProcesses()
  processes.onStart = (process) => (process.health = processes.started.length === 1 ? 'starting' : 'ready')
  const { component, clock } = componentOf(processes)
  component.start()
  await clock.advance(121_000)
  expect(processes.started[0]?.signals).toEqual(['SIGKILL'])
  expect(component.status().ready).toBe(true)
  await component.stop()
})

test.each([
  ['SIGTERM', 'stopped', ['SIGTERM']],
  ['SIGKILL', 'killed', ['SIGTERM', 'SIGKILL']],
  ['nothing', 'stays', ['SIGTERM', 'SIGKILL']],
] as const)('a stop of a process that obeys %s always ends: %s', async (obeys, ending, signals) => {
  const processes = new FakeProcesses()
  processes.onStart = (process) => (process.obeys = obeys)
  const { component, clock } = componentOf(processes)
  component.start()
  await clock.advance(100)
  const stopping = component.stop()
  await clock.advance(20_000)
  expect(await stopping).toBe(ending)
  expect(processes.of('runtime').signals).toEqual(signals)
})

test('whoever needs a process that keeps dying gets it without the pause before its restart', async () => {
  const processes = new FakeProcesses()
  const { component, clock } = componentOf(processes)
  component.start()
  await clock.advance(100)
  for (let death = 0; death < 6; death++) {
    processes.of('runtime').die()
    await clock.advance(2_000)
  }
  processes.of('runtime').die()
  await clock.advance(10)
  expect(component.status().pid).toBeUndefined()
  const ready = component.readyWithin(20_000)
  await clock.advance(100)
  expect(await ready).toBe(true)
  await component.stop()
})

test('a process that nobody wants up is not waited for', async () => {
  const { component } = componentOf(new FakeProcesses())
  expect(await component.readyWithin(20_000)).toBe(false)
  expect(await component.stop()).toBe('stopped')
})

test('waiting for one that does not become ready ends', async () => {
  const processes = new FakeProcesses()
  processes.onStart = (process) => (process.health = 'not ready')
  const { component, clock } = componentOf(processes)
  component.start()
  const ready = component.readyWithin(1_000)
  await clock.advance(1_100)
  expect(await ready).toBe(false)
  await component.stop()
})

test('a hung process can be replaced at once; asking again tells what it is now', async () => {
  const processes = new FakeProcesses()
  const { component, clock } = componentOf(processes)
  component.start()
  await clock.advance(100)
  processes.of('runtime').health = 'silent'
  await component.refresh()
  expect(component.status()).toMatchObject({ ready: false, silent: true })
  await component.replace()
  await clock.advance(100)
  expect(component.status()).toMatchObject({ ready: true, pid: 1_001 })
  component.start()
  await clock.advance(100)
  expect(processes.started).toHaveLength(2)
  await component.stop()
  await component.refresh()
})
