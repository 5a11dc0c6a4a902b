import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Forwarder } from './forwarder.ts'
import type { Backend } from '../rules/endpoints.ts'
import type { Rule } from './rules.ts'
import { listenUdp } from './udp-forwarder.ts'

const said: string[] = []
const log: Logger = { debug: (_, text) => void said.push(text), info: () => {}, warn: () => {}, error: () => {} }
const sockets: Socket[] = []
const forwarders: Forwarder[] = []
let clock: FakeClock

beforeEach(() => void (clock = new FakeClock()))
afterEach(() => {
  for (const forwarder of forwarders.splice(0)) forwarder.close()
  for (const socket of sockets.splice(0)) socket.close()
})

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4')
  sockets.push(socket)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

/** Answers each datagram with its own name before it. */
async function backend(name: string): Promise<Backend> {
  const socket = await bound()
  socket.on('message', (datagram, { port, address }) => socket.send(`${name}:${String(datagram)}`, port, address))
  return { address: '127.0.0.1', port: socket.address().port }
}

async function nobody(): Promise<Backend> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return { address: '127.0.0.1', port }
}

async function forward(...backends: Backend[]): Promise<{ forwarder: Forwarder; rule: Rule }> {
  const rule: Rule = {
    ...(await nobody()),
    protocol: 'UDP',
    kind: 'ClusterIP',
    service: 'kube-system/dns',
    portName: '',
    backends,
    keepsToClientNode: false,
  }
  const forwarder = await listenUdp(rule, { clock, log, nodeOf: () => 'node-1' })
  forwarders.push(forwarder)
  return { forwarder, rule }
}

async function ask(client: Socket, rule: Rule, question: string): Promise<string> {
  const answer = once(client, 'message') as Promise<[Buffer, { address: string; port: number }]>
  client.send(question, rule.port, rule.address)
  const [datagram, from] = await answer
  // A client of UDP believes only an answer from the address that it asked.
  expect([from.address, from.port]).toEqual([rule.address, rule.port])
  return String(datagram)
}

test('a client keeps its backend, another client gets the next', async () => {
  const { rule, forwarder } = await forward(await backend('a'), await backend('b'))
  const [one, two] = [await bound(), await bound()]
  expect([await ask(one, rule, '1'), await ask(one, rule, '2'), await ask(two, rule, '3')]).toEqual([
    'a:1',
    'a:2',
    'b:3',
  ])
  expect(forwarder.connections).toBe(2)
})

test('when its backend is removed, the next datagram goes elsewhere', async () => {
  const [a, b] = [await backend('a'), await backend('b')]
  const { rule, forwarder } = await forward(a, b)
  const client = await bound()
  expect(await ask(client, rule, '1')).toBe('a:1')
  forwarder.update({ ...rule, backends: [b] })
  expect(await ask(client, rule, '2')).toBe('b:2')
})

test.runIf(process.platform === 'linux')('when its backend refuses, the next datagram goes elsewhere', async () => {
  const { rule } = await forward(await nobody(), await backend('b'))
  const client = await bound()
  client.send('lost', rule.port, rule.address)
  await expect.poll(() => said).toContain('backend does not answer')
  expect(await ask(client, rule, '2')).toBe('b:2')
})

test('a silent client is forgotten after two minutes', async () => {
  const { rule, forwarder } = await forward(await backend('a'))
  const client = await bound()
  await ask(client, rule, '1')
  await clock.advance(119_000)
  await ask(client, rule, '2')
  await clock.advance(119_000)
  expect(forwarder.connections).toBe(1)
  await clock.advance(2_000)
  expect(forwarder.connections).toBe(0)
  expect(clock.pending).toBe(0)
})

test('an address that is taken is an error', async () => {
  const { rule } = await forward(await backend('a'))
  await expect(listenUdp(rule, { clock, log, nodeOf: () => '' })).rejects.toMatchObject({ code: 'EADDRINUSE' })
})
