/** Over real sockets of this machine, at addresses of 127.0.0.0/8; the name server of the world is the test's. */

import { createSocket, type Socket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { decode, encode } from 'dns-packet'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { createLogger } from '@dinghy/shared/process/logger'
import { type Asker, NameServers } from './name-servers.ts'
import type { Network } from './network.ts'

const gateway = '127.0.77.1'
const network = { id: 'n', name: 'back', gateway } as Network
const web: Asker = {
  id: 'web',
  networks: [{ name: 'back', members: [{ name: 'db', ip: '10.1.0.3', names: ['db'], links: [] }] }],
  servers: [],
  canLeave: true,
  keepsDotless: false,
}

let clock: FakeClock
let asked: string[]
let world: Socket
let askers: Record<string, Asker>
let nameServers: NameServers
let machine: string[]
const stop = new AbortController()

function start(): NameServers {
  return new NameServers({
    networks: { setDnsPort: (each, port) => void Object.assign(each, { dnsPort: port }) },
    askerAt: ({ id }, address) => (id === 'n' ? askers[address] : undefined),
    clock,
    log: createLogger({ name: 'runtime', clock, write: () => undefined }),
    signal: stop.signal,
    machineServers: () => machine,
  })
}

beforeEach(async () => {
  clock = new FakeClock()
  asked = []
  askers = { '127.0.77.2': web }
  delete network.dnsPort
  world = createSocket('udp4')
  world.bind(0, '127.0.0.1')
  await once(world, 'listening')
  world.on('message', (message, from) => {
    const { id = 0, questions = [] } = decode(message)
    const name = questions[0]?.name ?? ''
    asked.push(name)
    const answers = [{ name, type: 'A' as const, ttl: 60, data: '192.0.2.1' }]
    world.send(encode({ type: 'response', id, questions, answers }), from.port, from.address)
  })
  machine = [`127.0.0.1:${world.address().port}`]
  nameServers = start()
  await nameServers.open(network)
})
afterEach(async () => {
  await nameServers.closeAll()
  world.close()
})

function client(address: string, timeout = 20_000): Resolver {
  const resolver = new Resolver({ timeout, tries: 1 })
  resolver.setServers([`${gateway}:${network.dnsPort}`])
  resolver.setLocalAddress(address)
  return resolver
}

test('names of the network, and the rest of the world', async () => {
  const dns = client('127.0.77.2')
  expect(await dns.resolve4('DB', { ttl: true })).toEqual([{ address: '10.1.0.3', ttl: 600 }])
  await expect(dns.resolve6('db')).rejects.toMatchObject({ code: 'ENODATA' })
  expect(await dns.reverse('10.1.0.3')).toEqual(['db.back'])
  expect(await dns.resolve4('example.com')).toEqual(['192.0.2.1'])
  expect(asked).toEqual(['example.com'])
})

test('who is not on the network gets no answer', async () => {
  await expect(client('127.0.77.9', 100).resolve4('db')).rejects.toMatchObject({ code: 'ETIMEOUT' })
  expect(asked).toEqual([])
})

test('on an internal network nothing is asked outside', async () => {
  askers['127.0.77.2'] = { ...web, canLeave: false }
  expect(await client('127.0.77.2').resolve4('db')).toEqual(['10.1.0.3'])
  await expect(client('127.0.77.2').resolve4('secret.example.com')).rejects.toMatchObject({ code: 'ESERVFAIL' })
  expect(asked).toEqual([])
})

test('without any name server there is no such name, at once', async () => {
  machine = []
  await expect(client('127.0.77.2').resolve4('dbb')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  await expect(client('127.0.77.2').resolve4('example.com')).rejects.toMatchObject({ code: 'ESERVFAIL' })
})

test('with ndots of one’s own a name without a dot stays here', async () => {
  askers['127.0.77.2'] = { ...web, keepsDotless: true }
  await expect(client('127.0.77.2').resolve4('dbb')).rejects.toMatchObject({ code: 'ENODATA' })
  expect(asked).toEqual([])
})

test('--dns is asked in place of the machine’s', async () => {
  askers['127.0.77.2'] = { ...web, servers: machine }
  machine = []
  expect(await client('127.0.77.2').resolve4('example.com')).toEqual(['192.0.2.1'])
})

test('the next runtime takes the same port; when that is taken, it says so', async () => {
  const port = network.dnsPort
  await nameServers.closeAll()
  nameServers = start()
  expect([await nameServers.open(network), network.dnsPort]).toEqual([false, port])
  await nameServers.closeAll()
  const thief = createSocket('udp4')
  thief.bind(port, gateway)
  await once(thief, 'listening')
  nameServers = start()
  // Each of those that run must hear of it.
  expect([await nameServers.open(network), await nameServers.open(network)]).toEqual([true, true])
  expect(network.dnsPort).not.toBe(port)
  expect(await client('127.0.77.2').resolve4('db')).toEqual(['10.1.0.3'])
  thief.close()
})

test('a network that got another gateway is served there', async () => {
  network.gateway = '127.0.78.1'
  await nameServers.open(network)
  const dns = client('127.0.77.2')
  dns.setServers([`127.0.78.1:${network.dnsPort}`])
  expect(await dns.resolve4('db')).toEqual(['10.1.0.3'])
  network.gateway = gateway
})

test('a flood is cut to what leaves time for the others, and ends with its second', async () => {
  askers['127.0.77.3'] = { ...web, id: 'other' }
  const flood = createSocket('udp4')
  flood.bind(0, '127.0.77.2')
  await once(flood, 'listening')
  let answered = 0
  flood.on('message', () => answered++)
  const question = encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'db' }] })
  for (let i = 0; i < 30; i++) {
    for (let j = 0; j < 100; j++) flood.send(question, network.dnsPort, gateway)
    // The kernel keeps only so many for a socket that is not read.
    expect(await client('127.0.77.3').resolve4('db')).toEqual(['10.1.0.3'])
  }
  expect(answered).toBeLessThanOrEqual(2000)
  await expect(client('127.0.77.2', 100).resolve4('db')).rejects.toMatchObject({ code: 'ETIMEOUT' })
  await clock.advance(1000)
  expect(await client('127.0.77.2').resolve4('db')).toEqual(['10.1.0.3'])
  flood.close()
})
