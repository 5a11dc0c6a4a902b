import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { LifecycleHandler } from '@dinghy/shared/api/types'
import { DockerClient } from '../docker/docker-client.ts'
import { FakeEngine, type FakeContainer } from '../testing/fake-engine.ts'
import { container, pod } from '../testing/objects.ts'
import { until } from '../testing/until.ts'
import { GracefulStops } from './graceful-stops.ts'

let directory: string
let engine: FakeEngine
let docker: DockerClient
let clock: FakeClock
let stops: GracefulStops
let stopped: number
/** What was told of hooks and in the log. */
let told: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'graceful-stops-'))
  engine = new FakeEngine()
  await engine.listen(join(directory, 'docker.sock'))
  docker = new DockerClient(join(directory, 'docker.sock'))
  clock = new FakeClock()
  stopped = 0
  told = []
  const warn = (_fields: unknown, message?: string): unknown => told.push(message ?? '')
  const log = { debug: () => undefined, info: () => undefined, warn, error: warn }
  const signal = new AbortController().signal
  stops = new GracefulStops({ docker, clock, log, signal, onStopped: () => (stopped += 1) })
})
afterEach(async () => {
  await engine.close()
  await rm(directory, { recursive: true })
})

async function run(program: string): Promise<FakeContainer> {
  const body = { Image: 'busybox:1', Cmd: [program], Labels: {}, HostConfig: { NetworkMode: 'none' } }
  const { id } = await docker.createContainer('app', body)
  await docker.startContainer(id)
  const made = engine.containers.get(id)
  if (!made) throw new Error('the engine made no container')
  return made
}

function stop(containerId: string, graceSeconds: number, preStop?: LifecycleHandler): void {
  stops.stop({
    pod: pod(),
    containerId,
    container: container(preStop ? { lifecycle: { preStop } } : {}),
    podIP: '127.0.0.1',
    graceSeconds,
    onHookFailed: (message) => told.push(message),
  })
}

test('a container is stopped once, and its end is told', async () => {
  const app = await run('serve')
  stop(app.id, 30)
  stop(app.id, 30)
  expect([...stops.stopping]).toEqual([app.id])
  await until(() => stopped === 1)
  expect(app.signals).toEqual(['TERM'])
  expect([stops.stopping.size, told, clock.pending]).toEqual([0, [], 0])
})

test('a hook that fails is told, and holds up nothing', async () => {
  const app = await run('serve')
  stop(app.id, 30, { exec: { command: ['exit', '1', 'no'] } })
  await until(() => stopped === 1)
  expect(engine.executed).toEqual([['exit', '1', 'no']])
  expect(told[0]).toContain("command 'exit 1 no' exited with 1: no")
  expect(app.state.Running).toBe(false)
})

test('a hook has the grace period, and the program two seconds more', async () => {
  const app = await run('serve')
  stop(app.id, 5, { sleep: { seconds: 60 } })
  await clock.advance(4_999)
  expect(app.state.Running).toBe(true)
  await clock.advance(1)
  await until(() => stopped === 1)
  expect(told).toEqual(['the grace period is over'])
  expect(engine.queries).toContain(`POST /containers/${app.id}/stop?t=2`)
})

test('with less patience the kill comes earlier', async () => {
  const app = await run('stubborn')
  stop(app.id, 30)
  await until(() => app.signals.includes('TERM'))
  stops.hasten(app.id, 30)
  expect(clock.pending).toBe(0)
  stops.hasten(app.id, 1)
  await clock.advance(1_000)
  await until(() => stopped === 1)
  expect(app.signals).toEqual(['TERM', 'KILL'])
})

test('what is gone already has stopped; what cannot be asked is tried again later', async () => {
  stop('nothing', 30)
  await until(() => stopped === 1)
  expect(told).toEqual([])
  const app = await run('serve')
  await engine.close()
  stop(app.id, 30)
  await until(() => told.length === 1)
  expect([told[0], stopped]).toEqual(['stopping a container failed: it will be tried again', 1])
  await clock.advance(1_000)
  await until(() => stopped === 2)
  await engine.listen(join(directory, 'docker.sock'))
})
