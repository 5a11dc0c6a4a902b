import { setImmediate } from 'node:timers/promises'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newConnection, type Connection } from '../testing/connection.ts'
import { newHouse } from '../testing/house.ts'
import { attach, type AttachOptions } from './attach.ts'
import type { Container } from './container.ts'
import { parseDetachKeys } from './detach-keys.ts'

let house: ReturnType<typeof newHouse>
beforeEach(() => {
  house = newHouse()
})
afterEach(() => house.close())

const output: AttachOptions = {
  streams: ['stdout', 'stderr'],
  stdin: false,
  logs: false,
  stream: true,
  detachKeys: parseDetachKeys('ctrl-x,d'),
  onDetach: () => undefined,
}

/** Resolves when the runtime has done its part, which is before it looks at what clients send next. */
async function attachTo(container: Container, options: Partial<AttachOptions> = {}): Promise<Connection> {
  const connection = newConnection()
  attach(container, connection.server, { ...output, ...options })
  await setImmediate()
  return connection
}

/** "o:text" and "e:text", a piece a frame. */
function frames({ received }: Connection): string[] {
  return new StdcopyParser().push(received()).map(({ stream, data }) => `${stream[3]}:${data.toString()}`)
}

test('one who attaches before the start gets everything, to the end', async () => {
  const container = await house.create(['exit', '0', 'hello'])
  const client = await attachTo(container)
  await house.lifecycle.start(container)
  await vi.waitFor(() => expect(client.hasEnded()).toBe(true))
  expect(frames(client)).toEqual(['o:hello'])
})

test('the headers go out before anything else is written', async () => {
  const container = await house.create(['exit', '0', 'hello'])
  await house.lifecycle.start(container)
  await container.ended
  const client = newConnection()
  attach(container, client.server, { ...output, logs: true })
  expect(client.server.writableLength + client.received().length).toBe(0)
  await vi.waitFor(() => expect(client.hasEnded()).toBe(true))
  expect(frames(client)).toEqual(['o:hello'])
})

test('with logs every byte comes once: what was said, a begun line, and what follows', async () => {
  const container = await house.create(['serve'])
  await house.lifecycle.start(container)
  const first = await attachTo(container)
  house.driver.say('one\ntwo\nthr')
  house.driver.say('oops\n', 'stderr')
  await vi.waitFor(() => expect(frames(first).join('')).toMatch(/thr.*oops|oops.*thr/s))
  const client = await attachTo(container, { logs: true })
  await vi.waitFor(() => expect(client.received().toString()).toContain('thr'))
  house.driver.say('ee\n')
  await vi.waitFor(() => expect(client.received().toString()).toContain('ee\n'))
  const stdout = frames(client).filter((piece) => piece.startsWith('o:'))
  expect(stdout).toEqual(['o:one\n', 'o:two\n', 'o:thr', 'o:ee\n'])
  expect(frames(client).filter((piece) => piece.startsWith('e:'))).toEqual(['e:oops\n'])
})

test('only the streams that were asked for', async () => {
  const container = await house.create(['serve'])
  await house.lifecycle.start(container)
  const client = await attachTo(container, { streams: ['stderr'] })
  const all = await attachTo(container)
  house.driver.say('out\n')
  house.driver.say('err\n', 'stderr')
  await vi.waitFor(() => expect(all.received().length).toBe(2 * (8 + 4)))
  expect(frames(client)).toEqual(['e:err\n'])
})

test('a terminal’s output is bare', async () => {
  const container = await house.create(['exit', '0', 'hello'], { Tty: true })
  const client = await attachTo(container)
  await house.lifecycle.start(container)
  await vi.waitFor(() => expect(client.hasEnded()).toBe(true))
  expect(client.received().toString()).toBe('hello')
})

test('without stream it is what has been said', async () => {
  const container = await house.create(['serve'])
  await house.lifecycle.start(container)
  const client = await attachTo(container, { stream: false, logs: true })
  await vi.waitFor(() => expect(client.hasEnded()).toBe(true))
  expect(client.received().length).toBe(0)
})

test('input reaches the program; on a terminal it does not end with the client', async () => {
  const container = await house.create(['serve'], { OpenStdin: true, StdinOnce: true, Tty: true })
  await house.lifecycle.start(container)
  const leaving = await attachTo(container, { stdin: true })
  leaving.client.end('first\n')
  await vi.waitFor(() => expect(house.driver.read()).toBe('first\n'))
  expect(container.stdio?.stdin).toBeDefined()
  const { client } = await attachTo(container, { stdin: true })
  client.write('second\n')
  await vi.waitFor(() => expect(house.driver.read()).toBe('second\n'))
  expect(container.state.status).toBe('running')
})

test('without a terminal the first client that ends its input ends the program’s', async () => {
  const container = await house.create(['serve'], { OpenStdin: true, StdinOnce: true })
  await house.lifecycle.start(container)
  const { client } = await attachTo(container, { stdin: true })
  client.end('all of it')
  await vi.waitFor(() => expect(container.stdio?.stdin).toBeUndefined())
})

test('the detach keys leave the terminal and the program on it', async () => {
  const container = await house.create(['serve'], { OpenStdin: true, StdinOnce: true, Tty: true })
  await house.lifecycle.start(container)
  const onDetach = vi.fn()
  const connection = await attachTo(container, { stdin: true, onDetach })
  connection.client.write('ls\x18d')
  await vi.waitFor(() => expect(connection.hasEnded()).toBe(true))
  expect(onDetach).toHaveBeenCalledTimes(1)
  expect(house.driver.read()).toBe('ls')
  house.driver.say('more')
  connection.client.end('never')
  const next = await attachTo(container, { stdin: true, logs: true })
  next.client.write('again')
  await vi.waitFor(() => expect(house.driver.read()).toBe('again'))
  expect(container.state.status).toBe('running')
  expect(connection.received().toString()).toBe('')
})
