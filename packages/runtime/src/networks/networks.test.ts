import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { EventBus } from '../events.ts'
import { loopback } from './loopback.ts'
import { Networks } from './networks.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'networks-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function open(): Networks {
  const clock = new FakeClock()
  return new Networks({ file: join(directory, 'networks.json'), clock, events: new EventBus(clock), space: loopback })
}

const container = (id: string) => ({ id, name: `name-${id}` })

test('the three predefined networks are there and stay', () => {
  const networks = open()
  expect(networks.list().map(({ name, driver }) => `${name}/${driver}`)).toEqual([
    'bridge/bridge',
    'host/host',
    'none/null',
  ])
  expect(() => networks.remove('bridge')).toThrow('bridge is a pre-defined network and cannot be removed')
})

test('addresses are given, freed and given again, and survive the runtime', () => {
  const networks = open()
  networks.create({ Name: 'n1', Driver: 'loopback', IPAM: { Config: [{ Subnet: '127.64.1.0/24' }] } })
  expect(networks.attach('n1', container('a')).ip).toBe('127.64.1.2')
  expect(networks.attach('n1', container('b')).ip).toBe('127.64.1.3')
  const reopened = open()
  expect(reopened.attach('n1', container('b')).ip).toBe('127.64.1.3')
  reopened.detach('n1', 'a')
  expect(reopened.attach('n1', container('c')).ip).toBe('127.64.1.2')
  expect(() => reopened.attach('n1', { ...container('d'), requestedIp: '127.64.1.3' })).toThrow(
    'Address already in use',
  )
  expect(() => reopened.remove('n1')).toThrow('has active endpoints')
  reopened.retain(new Set())
  reopened.remove('n1')
  expect(() => reopened.get('n1')).toThrow('network n1 not found')
})

test.each([
  [{ Name: '' }, 'name is empty'],
  [{ Name: 'bridge' }, 'network with name bridge already exists'],
  [{ Name: 'x', Driver: 'overlay' }, 'plugin "overlay" not found'],
  [{ Name: 'x', Driver: 'host' }, 'only one instance of "host" network is allowed'],
  [{ Name: 'x', IPAM: { Config: [{ Subnet: '10.1.0.0/16' }] } }, 'networks lie in 127.0.0.0/8'],
  [{ Name: 'x', IPAM: { Config: [{ Subnet: '127.17.3.0/24' }] } }, 'Pool overlaps'],
  [
    { Name: 'x', IPAM: { Config: [{ Subnet: '127.20.0.0/24', Gateway: '127.21.0.1' }] } },
    'no matching subnet for gateway',
  ],
])('%o is refused: %s', (request, message) => {
  expect(() => open().create(request)).toThrow(message)
})

test('networks are found by the beginning of their id', () => {
  const networks = open()
  const { id } = networks.create({ Name: 'n1' })
  expect(networks.get(id.slice(0, 10)).name).toBe('n1')
})
