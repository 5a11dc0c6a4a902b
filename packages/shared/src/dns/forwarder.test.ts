/** Name servers of the test on real sockets; time stands still until a test turns it. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { createLogger } from '../process/logger.ts'
import { Forwarder, ttlOffsets } from './forwarder.ts'
import { codes, readQuery } from './reply.ts'
import { nameServersIn } from './resolv-conf.ts'

class NameServer {
  readonly socket: Socket = createSocket('udp4')
  readonly heard: Packet[] = []
  /** The answers to a question, one after the other. */
  answers: (name: string, packet: Packet) => Packet[] = (name) => [addressOf(name)]

  async open(): Promise<void> {
    this.socket.bind(0, '127.0.0.1')
    await once(this.socket, 'listening')
    this.socket.on('message', (message, from) => {
      const packet = decode(message)
      this.heard.push(packet)
      for (const answer of this.answers(packet.questions?.[0]?.name ?? '', packet)) {
        const { id = 0, questions = [] } = packet
        this.socket.send(encode({ type: 'response', id, questions, ...answer }), from.port, from.address)
      }
    })
  }
  get names(): string[] {
    return this.heard.map(({ questions }) => questions?.[0]?.name ?? '')
  }
}

function addressOf(name: string, data = '192.0.2.1'): Packet {
  return { answers: [{ name, type: 'A', ttl: 60, data }] }
}

let servers: [NameServer, NameServer]
let clock: FakeClock
let forwarder: Forwarder

beforeEach(async () => {
  clock = new FakeClock()
  servers = [new NameServer(), new NameServer()]
  await Promise.all(servers.map((server) => server.open()))
  const log = createLogger({ name: 'dns', clock, write: () => undefined })
  const addresses = servers.map(({ socket }) => `127.0.0.1:${socket.address().port}`)
  forwarder = new Forwarder({ upstreams: new Map([['', addresses]]), clock, log })
})
afterEach(() => {
  for (const { socket } of servers) socket.close()
})

/** As somebody's bytes. */
async function ask(packet: Packet): Promise<Buffer | undefined> {
  const query = readQuery(encode({ type: 'query', id: 7, flags: RECURSION_DESIRED, ...packet }))
  if (!query) throw new Error('not a question')
  return await forwarder.ask(query, new AbortController().signal)
}
async function addressesOf(name: string): Promise<unknown> {
  const reply = await ask({ questions: [{ type: 'A', name }] })
  return reply && decode(reply).answers?.map((record) => 'data' in record && record.data)
}

test('an answer is given to everyone with the id and the spelling of their own question', async () => {
  await ask({ id: 1, questions: [{ type: 'A', name: 'example.com' }] })
  await clock.advance(10_000)
  const again = decode((await ask({ id: 2, questions: [{ type: 'A', name: 'eXample.COM' }] })) ?? Buffer.alloc(0))
  expect(again).toMatchObject({ id: 2, questions: [{ name: 'eXample.COM' }], answers: [{ ttl: 50 }] })
  expect(servers[0].names).toEqual(['example.com'])
})

test('nobody can ask in a way that leaves a wrong answer for others', async () => {
  servers[0].answers = (name, { questions, flags = 0 }) =>
    questions?.[0]?.class === 'IN' && flags & RECURSION_DESIRED ? [addressOf(name)] : [{ flags: codes.nameError }]
  // The Chaos class has no such name, and without recursion there would be no answer.
  await ask({ questions: [{ type: 'A', name: 'example.com', class: 'CH' }] })
  await ask({ flags: 0, questions: [{ type: 'A', name: 'example.com' }] })
  expect(await addressesOf('example.com')).toEqual(['192.0.2.1'])
  // The id that goes out is not the one that came in: nobody can prepare an answer.
  expect(servers[0].heard.every(({ id }) => id === 7)).toBe(false)
})

test('an answer to something else is not taken', async () => {
  servers[0].answers = (name, { id = 0 }) => [
    { ...addressOf('other.example', '203.0.113.1'), questions: [{ type: 'A', name: 'other.example' }] },
    { ...addressOf(name, '203.0.113.2'), id: (id + 1) % 65_536 },
    { ...addressOf(name, '203.0.113.3'), type: 'query' },
    { questions: [], flags: codes.nameError },
    addressOf(name),
  ]
  expect(await addressesOf('example.com')).toEqual(['192.0.2.1'])
})

test('a name server that fails is followed by the next; one that knows of no such name is not', async () => {
  servers[0].answers = (name) => [{ flags: name === 'gone.example' ? codes.nameError : codes.serverFailure }]
  expect(await addressesOf('example.com')).toEqual(['192.0.2.1'])
  expect(await addressesOf('gone.example')).toEqual([])
  expect(servers[1].names).toEqual(['example.com'])
  servers[1].answers = () => [{ flags: codes.refused }]
  expect((await ask({ questions: [{ type: 'A', name: 'b.example' }] }))?.readUInt16BE(2)).toBe(0x8000 | codes.refused)
})

test('a name server that is silent is left alone for a while', async () => {
  servers[0].answers = () => []
  const asking = addressesOf('a.example')
  await clock.advance(2000)
  expect(await asking).toEqual(['192.0.2.1'])
  expect(servers[0].names).toEqual(['a.example', '.'])
  expect(await addressesOf('b.example')).toEqual(['192.0.2.1'])
  expect(servers[0].names).not.toContain('b.example')
  await clock.advance(10_000)
  servers[0].answers = (name) => [addressOf(name, '192.0.2.2')]
  expect(await addressesOf('c.example')).toEqual(['192.0.2.2'])
})

test('one that is slow with a single name is not', async () => {
  servers[0].answers = (name) => (name === 'slow.example' ? [] : [addressOf(name, '192.0.2.2')])
  const asking = addressesOf('slow.example')
  await clock.advance(1000)
  while (!servers[0].names.includes('.')) await setImmediate()
  // What was sent on the loopback interface has arrived; it takes a turn to be read.
  for (let turn = 0; turn < 10; turn++) await setImmediate()
  await clock.advance(1000)
  expect(await asking).toEqual(['192.0.2.1'])
  expect(await addressesOf('b.example')).toEqual(['192.0.2.2'])
})

test('a name server that this machine has no way to is one that does not answer', async () => {
  const log = createLogger({ name: 'dns', clock, write: () => undefined })
  // Nobody may send to all of a network without asking for that right.
  const upstreams = new Map([['', ['255.255.255.255', `127.0.0.1:${servers[0].socket.address().port}`]]])
  forwarder = new Forwarder({ upstreams, clock, log })
  expect(await addressesOf('example.com')).toEqual(['192.0.2.1'])
})

test('a bounded number of questions is under way', async () => {
  for (const server of servers) server.answers = () => []
  const asking = Array.from({ length: 400 }, (_, i) => addressesOf(`${i}.example`))
  expect(await addressesOf('one-more.example')).toBeUndefined()
  await clock.advance(4000)
  expect(new Set(await Promise.all(asking))).toEqual(new Set([undefined]))
})

test('the name servers of a machine', () => {
  expect(nameServersIn('# comment\nsearch home\nnameserver 192.0.2.1\n nameserver  2001:db8::1 # b\n')).toEqual([
    '192.0.2.1',
    '2001:db8::1',
  ])
})

test('where the times to live stand in a message, EDNS left out', () => {
  const message = encode({
    type: 'response',
    questions: [{ type: 'A', name: 'example.com' }],
    answers: [
      { type: 'CNAME', name: 'example.com', ttl: 77, data: 'www.example.com' },
      { type: 'A', name: 'www.example.com', ttl: 88, data: '192.0.2.1' },
    ],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  })
  expect(ttlOffsets(message).map((offset) => message.readUInt32BE(offset))).toEqual([77, 88])
})
