import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Listeners } from './listeners.ts'
import type { Backend } from '../rules/endpoints.ts'
import type { Rule } from './rules.ts'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

let clock: FakeClock
let refused: string[]
let proxies: Listeners[]
let servers: Server[]
let port: number

beforeEach(async () => {
  clock = new FakeClock()
  refused = []
  proxies = []
  servers = []
  port = (await serving('')).port
  await new Promise((resolve) => servers.pop()?.close(resolve))
})
afterEach(async () => {
  await Promise.all(proxies.map((one) => one.close(0)))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
})

function proxy(): Listeners {
  const onRefused = ({ service }: Rule, reason: string): void => void refused.push(`${service}: ${reason}`)
  const one = new Listeners({ clock, log: quiet, nodeOf: () => undefined, onRefused })
  proxies.push(one)
  return one
}

async function serving(words: string): Promise<Backend> {
  const server = createServer((socket) => socket.end(words))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

function rule(service: string, backend: Backend, more: Partial<Rule> = {}): Rule {
  return {
    address: '127.0.0.1',
    port,
    protocol: 'TCP',
    kind: 'ClusterIP',
    service,
    portName: '',
    backends: [backend],
    keepsToClientNode: false,
    ...more,
  }
}

function hear(): Promise<string> {
  return text(connect({ host: '127.0.0.1', port }))
}
function states(one: Listeners): string[] {
  return one.view().map(({ service, state }) => `${service} ${state}`)
}

test('serves what is wanted, follows changes, and stops', async () => {
  const one = proxy()
  await one.apply('shop/web', [rule('shop/web', await serving('a'))])
  expect(await hear()).toBe('a')
  await one.apply('shop/web', [rule('shop/web', await serving('b'))])
  expect(await hear()).toBe('b')
  await one.apply('shop/web', [])
  expect(one.view()).toEqual([])
  await expect(hear()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('what another proxy serves is waited for, and taken over when that proxy ends', async () => {
  const [one, two] = [proxy(), proxy()]
  await one.apply('shop/web', [rule('shop/web', await serving('one'))])
  await two.apply('shop/web', [rule('shop/web', await serving('two'))])
  expect([states(one), states(two)]).toEqual([['shop/web serving'], ['shop/web waiting']])
  await clock.advance(5_000)
  expect(await hear()).toBe('one')
  await one.close(0)
  await clock.advance(1_000)
  await expect.poll(() => states(two)).toEqual(['shop/web serving'])
  expect(await hear()).toBe('two')
  expect(refused).toEqual([])
})

test('a rule that is removed while it waits is not taken over', async () => {
  const [one, two] = [proxy(), proxy()]
  await one.apply('shop/web', [rule('shop/web', await serving('one'))])
  await two.apply('shop/web', [rule('shop/web', await serving('two'))])
  await two.apply('shop/web', [])
  expect(clock.pending).toBe(0)
})

test('of two Services that want one address the first is served, and then the other', async () => {
  const one = proxy()
  await one.apply('shop/a', [rule('shop/a', await serving('a'))])
  await one.apply('shop/b', [rule('shop/b', await serving('b'))])
  expect(states(one)).toEqual(['shop/a serving'])
  await one.apply('shop/a', [])
  expect(states(one)).toEqual(['shop/b serving'])
  expect(await hear()).toBe('b')
})

test('what cannot be served is said once, and keeps nothing else from being served', async () => {
  const one = proxy()
  const backend = await serving('a')
  const rules = [
    rule('shop/web', backend),
    rule('shop/web', backend, { protocol: 'SCTP' }),
    rule('shop/web', backend, { address: '192.0.2.1', kind: 'ExternalIP' }),
  ]
  await one.apply('shop/web', rules)
  await one.apply('shop/web', rules)
  await clock.advance(10_000)
  expect(states(one)).toEqual(['shop/web serving', 'shop/web refused', 'shop/web refused'])
  expect(refused.toSorted()).toEqual([
    'shop/web: 192.0.2.1 is not an address of this machine',
    'shop/web: SCTP cannot be forwarded in user space',
  ])
})

test('closing waits for what is established, but not for ever', async () => {
  const held = createServer(() => undefined)
  await new Promise<void>((resolve) => held.listen(0, '127.0.0.1', resolve))
  const one = proxy()
  await one.apply('shop/web', [rule('shop/web', { address: '127.0.0.1', port: (held.address() as AddressInfo).port })])
  const client = connect({ host: '127.0.0.1', port })
  await expect.poll(() => one.view()[0]?.connections).toBe(1)
  let isClosed = false
  const closing = one.close(1_000).then(() => (isClosed = true))
  await clock.advance(900)
  expect(isClosed).toBe(false)
  const ended = new Promise((resolve) => client.once('close', resolve).resume())
  await clock.advance(200)
  await Promise.all([closing, ended])
  await new Promise((resolve) => held.close(resolve))
})
