import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { newHouse } from '../testing/house.ts'
import type { Container } from './container.ts'

let house: ReturnType<typeof newHouse>
beforeEach(() => {
  house = newHouse()
})
afterEach(() => house.close())

const never = new AbortController().signal
function policy(Name: 'always' | 'on-failure' | 'no', MaximumRetryCount = 0) {
  return { HostConfig: { RestartPolicy: { Name, MaximumRetryCount } } }
}
async function started(command: string[], body = {}, name = ''): Promise<Container> {
  const container = await house.create(command, body, name)
  await house.lifecycle.start(container)
  return container
}
function readLog(container: Container | undefined): string {
  return container?.log === undefined ? '' : readFileSync(container.log.path, 'utf8')
}

test('a container runs from start to stop, and says so', async () => {
  const container = await started(['serve'])
  expect(container.state).toMatchObject({ status: 'running', startedAt: '2025-01-01T00:00:00.000000000Z' })
  expect(await house.lifecycle.start(container)).toBe(false)
  expect(await house.lifecycle.stop(container)).toBe(true)
  expect(container.state).toMatchObject({ status: 'exited', exitCode: 143 })
  expect(container.state.running).toBeUndefined()
  expect(await house.lifecycle.stop(container)).toBe(false)
  expect(house.told).toEqual(['create', 'connect', 'start', 'kill', 'disconnect', 'die', 'stop'])
})

test('what does not stop in time is killed', async () => {
  const container = await started(['stubborn'])
  const stopping = house.lifecycle.stop(container, { seconds: 3 })
  await house.clock.advance(2_999)
  expect(container.state.status).toBe('running')
  await house.clock.advance(1)
  await stopping
  expect(house.driver.calls).toEqual(['start stubborn', 'signal 15', 'killAll'])
  expect(container.state.exitCode).toBe(137)
})

test('the stop signal and the time are the container’s own, unless the request says others', async () => {
  const container = await started(['serve'], { StopSignal: 'SIGINT', StopTimeout: 1 })
  const stopping = house.lifecycle.stop(container)
  await house.clock.advance(1_000)
  await stopping
  expect(house.driver.calls).toEqual(['start serve', 'signal 2', 'killAll'])
  const other = await started(['serve'], { StopSignal: 'SIGINT' })
  await house.lifecycle.stop(other, { signal: 'SIGTERM' })
  expect(house.driver.calls.at(-1)).toBe('signal 15')
})

test('an output is in the log before the exit is told', async () => {
  const container = await house.create(['exit', '3', 'bye'])
  const waiting = container.wait('next-exit', never)
  await house.lifecycle.start(container)
  expect(await waiting).toEqual({ exitCode: 3 })
  const seen = readLog(container)
  expect(seen).toContain('"log":"bye"')
})

test('what cannot start has Docker’s words and exit code, and leaves nothing', async () => {
  const container = await house.create(['missing'])
  await expect(house.lifecycle.start(container)).rejects.toThrow('executable file not found in $PATH')
  expect(container.state).toMatchObject({ status: 'created', exitCode: 127 })
  expect(container.state.error).toContain('"missing"')
  expect(house.networks.get('bridge').endpoints).toEqual({})
})

test('with --rm a container goes at its end with its anonymous volumes', async () => {
  const body = { Volumes: { '/data': {} }, HostConfig: { AutoRemove: true } }
  const container = await started(['serve'], body)
  expect(house.volumes.list()).toHaveLength(1)
  const removed = container.wait('removed', never)
  house.driver.end(4)
  expect(await removed).toEqual({ exitCode: 4 })
  expect(house.containers.list()).toEqual([])
  expect(house.volumes.list()).toEqual([])
  expect(existsSync(container.dir)).toBe(false)
})

test('with --rm also one goes that cannot start', async () => {
  const container = await house.create(['missing'], { HostConfig: { AutoRemove: true } })
  const removed = container.wait('removed', never)
  await expect(house.lifecycle.start(container)).rejects.toThrow('not found')
  expect(await removed).toEqual({ exitCode: 127 })
  expect(house.containers.list()).toEqual([])
})

test('a restart keeps a container with --rm; its end after that does not', async () => {
  const container = await started(['serve'], { HostConfig: { AutoRemove: true } })
  await house.lifecycle.restart(container)
  expect(container.state.status).toBe('running')
  expect(house.containers.list()).toEqual([container])
  const removed = container.wait('removed', never)
  house.driver.end(0)
  await removed
  expect(house.containers.list()).toEqual([])
})

test('a restart policy starts again, each time later, and counts', async () => {
  const container = await started(['exit', '1'], policy('on-failure', 2))
  await vi.waitFor(() => expect(container.state.status).toBe('restarting'))
  await house.clock.advance(100)
  await vi.waitFor(() => expect(house.driver.runs).toHaveLength(2))
  await vi.waitFor(() => expect(container.state.status).toBe('restarting'))
  await house.clock.advance(199)
  expect(house.driver.runs).toHaveLength(2)
  await house.clock.advance(1)
  await vi.waitFor(() => expect(container.state.status).toBe('exited'))
  expect(house.driver.runs).toHaveLength(3)
  expect(container.record.restartCount).toBe(2)
})

test('a stop ends the wait for a restart', async () => {
  const container = await started(['exit', '1'], policy('always'))
  await vi.waitFor(() => expect(container.state.status).toBe('restarting'))
  const exited = container.wait('next-exit', never)
  expect(await house.lifecycle.stop(container)).toBe(true)
  expect(await exited).toEqual({ exitCode: 1 })
  await house.clock.advance(60_000)
  expect([container.state.status, house.driver.runs.length]).toEqual(['exited', 1])
})

test('a restart that fails says so in the log', async () => {
  const container = await started(['exit', '1'], policy('always'))
  await vi.waitFor(() => expect(container.state.status).toBe('restarting'))
  container.record.config.Cmd = ['missing']
  await house.clock.advance(100)
  await vi.waitFor(() => expect(house.logged.join('')).toContain('could not restart a container'))
  expect(container.state).toMatchObject({ status: 'exited', exitCode: 127 })
})

test('kill sends any signal; SIGKILL waits for the end', async () => {
  const container = await started(['serve'])
  await house.lifecycle.kill(container, 'SIGHUP')
  expect(container.state.status).toBe('running')
  await house.lifecycle.kill(container)
  expect(container.state).toMatchObject({ status: 'exited', exitCode: 137 })
  await expect(house.lifecycle.kill(container)).rejects.toThrow('is not running')
  await expect(house.lifecycle.kill(container, 'SIGNONE')).rejects.toThrow('Invalid signal: SIGNONE')
})

test('a paused container is thawed to be stopped, and cannot be started', async () => {
  const container = await started(['serve'])
  await house.lifecycle.pause(container)
  expect(container.state.status).toBe('paused')
  await expect(house.lifecycle.pause(container)).rejects.toThrow('already paused')
  await expect(house.lifecycle.start(container)).rejects.toThrow('cannot start a paused container')
  await house.lifecycle.unpause(container)
  expect(container.state.status).toBe('running')
  await expect(house.lifecycle.unpause(container)).rejects.toThrow('is not paused')
  await house.lifecycle.pause(container)
  await house.lifecycle.stop(container)
  expect(container.state.status).toBe('exited')
  expect(house.driver.calls).toEqual(['start serve', 'pause', 'resume', 'pause', 'signal 15', 'resume'])
})

test('a running container is removed only by force', async () => {
  const container = await started(['stubborn'], policy('always'))
  await expect(house.lifecycle.remove(container, { force: false, volumes: false })).rejects.toThrow(
    'stop the container',
  )
  await house.lifecycle.remove(container, { force: true, volumes: false })
  expect(house.containers.list()).toEqual([])
  expect(house.told.slice(-4)).toEqual(['kill', 'disconnect', 'die', 'destroy'])
})

test('a container that waits for its restart is removed by force', async () => {
  const container = await started(['exit', '1'], policy('always'))
  await vi.waitFor(() => expect(container.state.status).toBe('restarting'))
  await house.lifecycle.remove(container, { force: true, volumes: false })
  await house.clock.advance(1_000)
  expect([house.containers.list(), house.driver.runs.length]).toEqual([[], 1])
})

test('out of memory is told apart', async () => {
  const container = await started(['serve'])
  house.driver.end(137, true)
  await container.ended
  expect(container.state.oomKilled).toBe(true)
  expect(house.told).toContain('oom')
})

test('a pid namespace of another container is that of its process, if it has one', async () => {
  const other = await house.create(['serve'], {}, 'other')
  const container = await house.create(['serve'], { HostConfig: { PidMode: 'container:other' } })
  await expect(house.lifecycle.start(container)).rejects.toThrow('non running container')
  await house.lifecycle.start(other)
  await house.lifecycle.start(container)
  expect(house.driver.runs.at(-1)?.spec.namespaces?.pid).toEqual({ pid: other.state.running?.pid })
})

test('the end of a client’s input is the program’s, but not on a terminal', async () => {
  await started(['cat'], { OpenStdin: true, StdinOnce: true })
  expect(house.driver.runs.at(-1)?.spec.stdin).toBe('once')
  await started(['cat'], { OpenStdin: true, StdinOnce: true, Tty: true })
  expect(house.driver.runs.at(-1)?.spec.stdin).toBe('keep')
})

describe('the next runtime', () => {
  async function nextRuntime() {
    await house.close(true)
    const { root, driver, clock } = house
    house = newHouse({ root, driver, clock })
    await house.recover()
    return house.containers.list()
  }

  test('takes up what runs, with what it says meanwhile', async () => {
    const before = await started(['serve'], {}, 'web')
    writeRun(before)
    const [container] = await nextRuntime()
    expect(container?.state.status).toBe('running')
    house.driver.say('still here\n')
    await vi.waitFor(() => expect(readLog(container)).toContain('still here'))
    house.driver.end(5)
    await container?.ended
    expect(container?.state).toMatchObject({ status: 'exited', exitCode: 5 })
  })

  test('a start that is not settled is ended before it is said to have ended', async () => {
    const before = await started(['serve'])
    writeFileSync(join(before.runDir, 'shim'), '')
    const [container] = await nextRuntime()
    expect(house.driver.endedRuns).toEqual([before.id])
    expect(container?.state).toMatchObject({ status: 'exited', exitCode: 255 })
  })

  test('a wait for a restart goes on', async () => {
    const before = await started(['exit', '0'], policy('always'))
    await vi.waitFor(() => expect(before.state.status).toBe('restarting'))
    const [container] = await nextRuntime()
    await house.clock.advance(0)
    await vi.waitFor(() => expect(house.driver.runs).toHaveLength(2))
    expect(container?.record.restartCount).toBe(1)
  })

  test('what had been removed half is removed', async () => {
    const before = await house.create(['serve'])
    before.beginRemoval()
    expect(await nextRuntime()).toEqual([])
    expect(existsSync(before.dir)).toBe(false)
  })
})

/** As shim.sh and init.sh do. */
function writeRun({ runDir, state }: Container): void {
  writeFileSync(join(runDir, 'pid'), `${state.running?.pid} ${state.running?.startTime}\n`)
}
