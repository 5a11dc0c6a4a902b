import { afterEach, beforeEach, expect, test } from 'vitest'
import { newHouse } from '../testing/house.ts'
import type { Container } from './container.ts'

let house: ReturnType<typeof newHouse>
let container: Container
beforeEach(async () => {
  house = newHouse()
  container = await house.create(['serve'], { Env: ['A=1'], User: 'node', WorkingDir: '/app' })
  await house.lifecycle.start(container)
})
afterEach(() => house.close())

test('an exec runs as the container does, and its code is kept for a while', async () => {
  const exec = house.execs.create(container, { Cmd: ['exit', '7'], Env: ['B=2'], AttachStdout: true })
  expect([exec.running, exec.exitCode, [...container.execIds]]).toEqual([false, null, [exec.id]])
  const process = await house.execs.start(exec)
  await process.exited
  expect(house.execs.get(exec.id)).toMatchObject({ running: false, exitCode: 7 })
  const asked = house.driver.execs[0]?.process
  expect(asked).toMatchObject({ args: ['exit', '7'], user: 'node', cwd: '/app', tty: false })
  expect(asked?.env).toEqual(expect.arrayContaining(['A=1', 'B=2']))
  await house.clock.advance(5 * 60_000)
  expect(() => house.execs.get(exec.id)).toThrow('No such exec instance')
  expect(container.execIds.size).toBe(0)
})

test('its own user, directory, privileges and terminal go before the container’s', async () => {
  const request = { Cmd: ['hang'], User: 'root', WorkingDir: '/', Privileged: true, Tty: true, AttachStdin: true }
  const exec = house.execs.create(container, { ...request, ConsoleSize: [24, 80] })
  const process = await house.execs.start(exec)
  expect(house.driver.execs[0]?.process).toMatchObject({
    user: 'root',
    cwd: '/',
    privileged: true,
    tty: true,
    consoleSize: [24, 80],
  })
  expect(house.driver.execs[0]?.process.env).toContain('TERM=xterm')
  expect([process.stdin === undefined, process.stderr]).toEqual([false, undefined])
  expect(exec).toMatchObject({ running: true, pid: process.pid })
})

test('what cannot be started gets the exit code that a shell would give', async () => {
  const exec = house.execs.create(container, { Cmd: ['missing'] })
  await expect(house.execs.start(exec)).rejects.toThrow(/^OCI runtime exec failed: exec failed: .*not found in \$PATH/)
  expect(exec).toMatchObject({ running: false, exitCode: 127 })
})

test('an exec runs once, and only in what runs', async () => {
  expect(() => house.execs.create(container, { Cmd: [] })).toThrow('No exec command specified')
  const exec = house.execs.create(container, { Cmd: ['exit', '0'] })
  const late = house.execs.create(container, { Cmd: ['exit', '0'] })
  await (
    await house.execs.start(exec)
  ).exited
  await expect(house.execs.start(exec)).rejects.toThrow('has already run')
  await house.lifecycle.pause(container)
  expect(() => house.execs.create(container, { Cmd: ['exit'] })).toThrow('unpause the container before exec')
  await house.lifecycle.stop(container)
  await expect(house.execs.start(late)).rejects.toThrow('is not running')
})

test('a container that is gone takes its execs along', () => {
  const exec = house.execs.create(container, { Cmd: ['exit', '0'] })
  house.execs.forget(container)
  expect(() => house.execs.get(exec.id)).toThrow('No such exec instance')
})
