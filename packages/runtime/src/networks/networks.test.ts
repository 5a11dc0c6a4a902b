import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { EventBus } from '../events.ts'
import { bridgeSpace } from './bridge/address-space.ts'
import { parseSubnet } from './ipam.ts'
import { loopback } from './loopback.ts'
import { kindOf, type AddressSpace } from './network.ts'
import { Networks } from './networks.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'networks-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function open(bridge: AddressSpace = loopback): Networks {
  const clock = new FakeClock()
  const spaces = { bridge, loopback }
  return new Networks({ file: join(directory, 'networks.json'), clock, events: new EventBus(clock), spaces })
}

/** Docker's pools, on a machine that has routes of its own. */
function bridge(...routes: string[]): AddressSpace {
  return {
    ...bridgeSpace({ canMasquerade: true }),
    taken: () => routes.map(parseSubnet),
  }
}

function container(id: string) {
  return { id, name: `name-${id}` }
}

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

test('networks get subnets that neither another network nor the machine has', () => {
  const networks = open(bridge('172.17.0.0/16', '172.19.3.0/24'))
  const subnetOf = (name: string) => networks.get(name).subnet
  for (const Name of ['n1', 'n2']) networks.create({ Name })
  networks.create({ Name: 'l1', Driver: 'loopback' })
  expect(['bridge', 'n1', 'n2', 'l1'].map(subnetOf)).toEqual([
    '172.18.0.0/16',
    '172.20.0.0/16',
    '172.21.0.0/16',
    '127.17.0.0/16',
  ])
  const n1 = networks.get('n1')
  networks.chooseAnotherSubnet(n1, [parseSubnet('172.20.0.0/16')])
  expect([n1.subnet, n1.gateway]).toEqual(['172.22.0.0/16', '172.22.0.1'])
  expect(() => networks.create({ Name: 'x', IPAM: { Config: [{ Subnet: '127.1.0.0/16' }] } })).toThrow(
    'cannot be served by a bridge',
  )
})

test('addresses come from the range and are nobody else’s', () => {
  const networks = open(bridge())
  const Config = [{ Subnet: '10.1.0.0/16', IPRange: '10.1.4.0/24', AuxiliaryAddresses: { router: '10.1.4.0' } }]
  networks.create({ Name: 'n1', IPAM: { Config } })
  expect(networks.attach('n1', container('a')).ip).toBe('10.1.4.1')
  expect(() =>
    networks.create({ Name: 'x', IPAM: { Config: [{ Subnet: '10.2.0.0/16', IPRange: '10.3.0.0/24' }] } }),
  ).toThrow('it is not within 10.2.0.0/16')
})

test('on bridges a container gets an interface and a MAC for each network', () => {
  const networks = open(bridge())
  networks.create({ Name: 'n1' })
  expect(networks.attach('bridge', container('a'))).toMatchObject({
    ip: '172.17.0.2',
    mac: '02:42:ac:11:00:02',
    interface: 'eth0',
  })
  const requestedMac = '02:00:00:00:00:01'
  expect(networks.attach('n1', { ...container('a'), requestedMac })).toMatchObject({
    mac: requestedMac,
    interface: 'eth1',
  })
  networks.detach('bridge', 'a')
  expect(networks.attach('bridge', container('a')).interface).toBe('eth0')
})

test('the default network follows the mode once nobody is on it, the others stay what they are', () => {
  const before = open()
  before.create({ Name: 'n1' })
  before.attach('bridge', container('a'))
  const kinds = (networks: Networks) => ['bridge', 'n1'].map((name) => kindOf(networks.get(name)))
  const after = open(bridge())
  after.retain(new Set(['a']))
  expect(kinds(after)).toEqual(['loopback', 'loopback'])
  after.retain(new Set())
  expect(kinds(after)).toEqual(['bridge', 'loopback'])
})
