import { existsSync, writeFileSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { FakeEngine, fakeContainer } from '../testing/fake-engine.ts'
import type { AskHealth } from './health.ts'
import { FakeMachines } from '../testing/fake-machines.ts'
import { FakeProcesses } from '../testing/fake-processes.ts'
import { someConfig, temporaryState } from '../testing/temporary-state.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import { Supervisor } from './supervisor.ts'

let state: StateDir
let processes: FakeProcesses
let clock: FakeClock
let isHeld: boolean

beforeEach(() => {
  state = temporaryState()
  processes = new FakeProcesses()
  clock = new FakeClock()
  isHeld = true
})

async function started(
  config = structuredClone(someConfig),
  askHealth = processes.askHealth,
  machines?: FakeMachines,
): Promise<Supervisor> {
  const { startProcess, hasBecomeReady } = processes
  const hold = { close: () => (isHeld = false) }
  const supervisor = new Supervisor({ config, state, clock, hold, startProcess, askHealth, hasBecomeReady, machines })
  void supervisor.start()
  await clock.advance(100)
  return supervisor
}

/** Lets real sockets answer while the clock moves. */
async function settle<T>(work: Promise<T>): Promise<T> {
  const ended = new AbortController()
  const done = work.finally(() => ended.abort())
  while (!ended.signal.aborted) await clock.advance(50)
  return done
}

const everything = [
  'api-server',
  'runtime',
  'scheduler',
  'controller',
  'node-agent-node-1',
  'proxy-node-1',
  'node-agent-node-2',
  'proxy-node-2',
  // When all others are ready.
  'ingress',
]

test('starts every component but those of a node that is switched off', async () => {
  const all = await started()
  expect(processes.started.map(({ name }) => name)).toEqual(everything)
  expect(all.ready()).toBe(true)
  await settle(all.stop({ graceMs: 0 }))
  processes = new FakeProcesses()
  const some = await started({ ...someConfig, nodes: [{ name: 'node-1' }, { name: 'node-2', stopped: true }] })
  expect(processes.started.map(({ name }) => name)).toEqual([...everything.slice(0, 6), 'ingress'])
  expect(some.ready()).toBe(true)
  await settle(some.stop({ graceMs: 0 }))
})

test.each([
  ['when the API server is ready', 'ready', 100, everything],
  // All but the one that nobody waits for, which waits for them.
  ['after a while', 'starting', 1_100, everything.filter((name) => name !== 'ingress')],
] as const)('the others are started %s', async (_when, health, afterMs, expected) => {
  processes.onStart = (process) => {
    if (process.name === 'api-server') process.health = 'starting'
  }
  const supervisor = await started()
  await clock.advance(900)
  expect(processes.started.map(({ name }) => name)).toEqual(['api-server', 'runtime'])
  expect(supervisor.ready()).toBe(false)
  processes.of('api-server').health = health
  await clock.advance(afterMs)
  expect(processes.started.map(({ name }) => name)).toEqual(expected)
  await settle(supervisor.stop({ graceMs: 0 }))
})

test('a stop before that starts nobody', async () => {
  processes.onStart = (process) => {
    if (process.name === 'api-server') process.health = 'starting'
  }
  const supervisor = await started()
  await settle(supervisor.stop({ graceMs: 0 }))
  await clock.advance(5_000)
  expect(processes.started.map(({ name }) => name)).toEqual(['api-server', 'runtime'])
})

test('a runtime that takes a few seconds to answer is not killed for that', async () => {
  const slow: AskHealth = async (runFile, pid, timeoutMs) => {
    const isRuntime = processes.started.find((process) => process.pid === pid)?.name === 'runtime'
    return isRuntime && timeoutMs < 4_000 ? 'silent' : await processes.askHealth(runFile, pid, timeoutMs)
  }
  const supervisor = await started(structuredClone(someConfig), slow)
  expect(await settle(supervisor.stop({ graceMs: 0 }))).toMatchObject({ killed: [] })
  expect(processes.of('runtime').signals).toEqual(['SIGTERM'])
})

test('is not ready while one of them is not', async () => {
  processes.onStart = (process) => (process.health = process.name === 'scheduler' ? 'not ready' : 'ready')
  const supervisor = await started()
  expect(supervisor.ready()).toBe(false)
  processes.of('scheduler').health = 'ready'
  await supervisor.refresh()
  expect(supervisor.ready()).toBe(true)
  await settle(supervisor.stop({ graceMs: 0 }))
})

test('stops healers, then containers with at most the grace, then runtime and store', async () => {
  const engine = await FakeEngine.listen(state.dockerSocket, [
    fakeContainer('patient', {
      'annotation.io.kubernetes.pod.terminationGracePeriod': '30',
      'io.kubernetes.pod.name': 'web',
    }),
    fakeContainer('quick', { 'annotation.io.kubernetes.pod.terminationGracePeriod': '1' }),
    fakeContainer('plain'),
  ])
  const supervisor = await started()
  const order: string[] = []
  for (const process of processes.started) void process.exited.then(() => order.push(process.name))
  writeFileSync(state.runFile('scheduler'), '{}')
  const report = await settle(supervisor.stop({ graceMs: 5_000 }))
  expect(report).toEqual({ killed: [], stays: [] })
  expect(engine.asked.toSorted()).toEqual([
    '/containers/patient/stop?t=5',
    '/containers/plain/stop?t=5',
    '/containers/quick/stop?t=1',
  ])
  expect(order.slice(-2)).toEqual(['runtime', 'api-server'])
  expect(order).toHaveLength(everything.length)
  expect([isHeld, existsSync(state.runFile('scheduler'))]).toEqual([false, false])
  expect(supervisor.waitingFor()).toEqual([])
})

test('with nothing to keep, all but the runtime are killed at once', async () => {
  const engine = await FakeEngine.listen(state.dockerSocket, [fakeContainer('web')])
  const supervisor = await started()
  await settle(supervisor.stop({ graceMs: 5_000, atOnce: true }))
  expect(engine.asked).toEqual(['/containers/web/kill'])
  const signals = Object.fromEntries(processes.started.map(({ name, signals }) => [name, signals[0]]))
  expect(signals).toMatchObject({ 'api-server': 'SIGKILL', scheduler: 'SIGKILL', runtime: 'SIGTERM' })
})

test('names what it waits for, and what had to be killed', async () => {
  const supervisor = await started()
  processes.of('controller').obeys = 'SIGKILL'
  processes.of('proxy-node-1').obeys = 'nothing'
  const stopping = supervisor.stop({ graceMs: 0 })
  await clock.advance(1_000)
  expect(supervisor.waitingFor()).toEqual(['controller', 'proxy-node-1'])
  expect(await settle(stopping)).toEqual({ killed: ['controller'], stays: ['proxy-node-1'] })
})

test('a runtime that hangs is replaced, so that a stop can stop its containers', async () => {
  const engine = await FakeEngine.listen(state.dockerSocket, [fakeContainer('web')])
  const supervisor = await started()
  const hung = processes.of('runtime')
  hung.health = 'silent'
  hung.obeys = 'SIGKILL'
  expect(await settle(supervisor.stop({ graceMs: 1_000 }))).toEqual({ killed: ['runtime'], stays: [] })
  expect(hung.signals).toEqual(['SIGKILL'])
  expect(engine.asked).toEqual(['/containers/web/stop?t=1'])
})

test('a stop ends also if no runtime answers, and says that containers may be left', async () => {
  const engine = await FakeEngine.listen(state.dockerSocket, [fakeContainer('web')])
  engine.isHung = true
  const { startProcess, askHealth, hasBecomeReady } = processes
  const hold = { close: () => (isHeld = false) }
  const deps = {
    config: structuredClone(someConfig),
    state,
    clock,
    hold,
    startProcess,
    askHealth,
    hasBecomeReady,
    answerWithinMs: 30,
  }
  const supervisor = new Supervisor(deps)
  void supervisor.start()
  await clock.advance(100)
  const report = await settle(supervisor.stop({ graceMs: 0 }))
  expect(report).toEqual({ killed: ['runtime'], stays: [], containersLeft: true })
  expect(isHeld).toBe(false)
  expect(processes.of('api-server').signals).toEqual(['SIGTERM'])
})

test('switching a node off kills its processes and its containers, and is remembered', async () => {
  const engine = await FakeEngine.listen(state.dockerSocket, [
    fakeContainer('here', { 'io.dinghy.node': 'node-2' }),
    fakeContainer('there', { 'io.dinghy.node': 'node-1' }),
  ])
  const supervisor = await started()
  await settle(supervisor.stopNode('node-2'))
  expect(processes.of('node-agent-node-2').signals).toEqual(['SIGKILL'])
  expect(processes.of('proxy-node-1').signals).toEqual([])
  expect(engine.asked).toEqual(['/containers/here/kill'])
  expect(state.readConfig()?.nodes).toEqual([{ name: 'node-1' }, { name: 'node-2', stopped: true }])
  await supervisor.startNode('node-2')
  await clock.advance(100)
  expect(state.readConfig()?.nodes).toEqual([{ name: 'node-1' }, { name: 'node-2' }])
  expect(supervisor.ready()).toBe(true)
  await expect(supervisor.startNode('node-9')).rejects.toThrow(
    'no node "node-9" in this cluster; it has node-1, node-2',
  )
  await settle(supervisor.stop({ graceMs: 0 }))
})

test('a cable is pulled and plugged in again, packets are late, and both are remembered', async () => {
  const machines = new FakeMachines()
  const supervisor = await started({ ...structuredClone(someConfig), network: 'machines' }, undefined, machines)
  const nodes = () => state.readConfig()?.nodes[1]
  await supervisor.cutNode('node-2', true)
  expect(nodes()).toEqual({ name: 'node-2', cut: true })
  await supervisor.cutNode('node-2', false)
  await supervisor.delayNode('node-2', '200ms')
  expect(nodes()).toEqual({ name: 'node-2', delay: '200ms' })
  await supervisor.delayNode('node-2', undefined)
  machines.failDelay = true
  await expect(supervisor.delayNode('node-2', '1s')).rejects.toThrow('netem')
  expect(nodes()).toEqual({ name: 'node-2' })
  expect(machines.calls).toEqual(['plug cables', 'plug cables', 'delay', 'hasten node-2'])
  expect(processes.of('node-agent-node-2').signals).toEqual([])
  await settle(supervisor.stop({ graceMs: 0 }))
  expect(machines.calls.at(-1)).toBe('remove')
})

test('without machines there is no cable to pull', async () => {
  const supervisor = await started()
  await expect(supervisor.cutNode('node-2', true)).rejects.toThrow('nodes have cables in a cluster whose network is')
  expect(state.readConfig()?.nodes).toEqual(someConfig.nodes)
  await settle(supervisor.stop({ graceMs: 0 }))
})

test('a node is added with all that belongs to it, and removed so that the others keep their addresses', async () => {
  const machines = new FakeMachines()
  const supervisor = await started({ ...structuredClone(someConfig), network: 'machines' }, undefined, machines)
  expect(await supervisor.addNode()).toBe('node-3')
  await clock.advance(100)
  expect(processes.of('proxy-node-3').signals).toEqual([])
  expect(supervisor.ready()).toBe(true)
  expect(existsSync(state.identity('kubelet-node-3'))).toBe(true)
  await settle(supervisor.removeNode('node-2'))
  expect(processes.of('node-agent-node-2').signals).toEqual(['SIGKILL'])
  expect(machines.calls).toEqual(['make', 'take node-2 away', 'forget 10.163.2.0/24'])
  expect(supervisor.statuses().map(({ name }) => name)).not.toContain('proxy-node-2')
  expect(state.readConfig()?.nodes).toEqual([
    { name: 'node-1', number: 1 },
    { name: 'node-3', number: 3 },
  ])
  expect(existsSync(state.identity('kubelet-node-2'))).toBe(false)
  expect(await supervisor.addNode()).toBe('node-2')
  await settle(supervisor.removeNode('node-3'))
  await settle(supervisor.removeNode('node-1'))
  await expect(supervisor.removeNode('node-2')).rejects.toThrow('a cluster keeps one node')
  await settle(supervisor.stop({ graceMs: 0 }))
})

test('one that nobody waits for does not count before it has been ready, and does after that', async () => {
  processes.onStart = (process) => {
    if (process.name === 'ingress') process.health = 'starting'
  }
  const supervisor = await started()
  expect(supervisor.statuses().find(({ name }) => name === 'ingress')?.ready).toBe(false)
  expect(supervisor.ready()).toBe(true)
  processes.of('ingress').health = 'ready'
  await clock.advance(10_000)
  expect(supervisor.statuses().find(({ name }) => name === 'ingress')?.ready).toBe(true)
  processes.of('ingress').health = 'not ready'
  await clock.advance(10_000)
  expect(supervisor.ready()).toBe(false)
  await settle(supervisor.stop({ graceMs: 0 }))
})
