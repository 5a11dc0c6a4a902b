import { expect, test } from 'vitest'
import { bridgeName, gatewayOf, interfacesOf, mtuOf } from './interfaces.ts'
import type { Network } from '../network.ts'

function network(name: string, change: Partial<Network> = {}): Network {
  return {
    id: `${name}0123456789abcdef`,
    name,
    driver: 'bridge',
    createdAt: '',
    subnet: '172.18.0.0/16',
    gateway: '172.18.0.1',
    internal: false,
    attachable: false,
    enableIPv6: false,
    labels: {},
    options: {},
    ipamOptions: {},
    ipamDriver: 'default',
    predefined: false,
    endpoints: {},
    ...change,
  }
}
function on(net: Network, priority = 0) {
  return { network: net, priority }
}

test.each([
  ['the first by name', [on(network('b')), on(network('a'))], 'a'],
  ['the highest priority', [on(network('b'), 1), on(network('a'))], 'b'],
  ['none that is internal', [on(network('b')), on(network('a', { internal: true }), 5)], 'b'],
  ['perhaps nobody', [on(network('a', { internal: true }))], undefined],
])('the way out: %s', (_name, plugged, expected) => {
  expect(gatewayOf(plugged)?.name).toBe(expected)
})

test('interfaces in the order of their names, with what belongs to them', () => {
  const endpoint = (name: string, ip: string) => ({
    c: { ip, mac: 'm', interface: name, endpointId: '0123456789', name: 'web' },
  })
  const front = network('front', { endpoints: endpoint('eth1', '172.18.0.2') })
  const inside = network('inside', { internal: true, endpoints: endpoint('eth0', '172.18.0.3') })
  const common = { bridge: 'br-front0123456', port: 'veth01234567', mac: 'm', mtu: 1500 }
  expect(interfacesOf('c', [on(front), on(inside)])).toEqual([
    { ...common, name: 'eth0', bridge: 'br-inside012345', address: '172.18.0.3/16' },
    { ...common, name: 'eth1', address: '172.18.0.2/16', gateway: '172.18.0.1' },
  ])
  // Names are asked for by way of the first interface on a network with a name server.
  const askedAt = () => interfacesOf('c', [on(front), on(inside)]).map(({ nameServer }) => nameServer?.port)
  front.dnsPort = 4001
  expect(askedAt()).toEqual([undefined, 4001])
  inside.dnsPort = 4000
  expect(askedAt()).toEqual([4000, undefined])
  front.options = { 'com.docker.network.bridge.enable_icc': 'false' }
  expect(interfacesOf('c', [on(front)])).toMatchObject([{ name: 'eth1', isolated: true }])
})

test('options of the bridge driver', () => {
  const options = { 'com.docker.network.bridge.name': 'lab0', 'com.docker.network.driver.mtu': '9000' }
  expect([bridgeName(network('a', { options })), mtuOf({ options })]).toEqual(['lab0', 9000])
  expect(() => mtuOf({ options: { 'com.docker.network.driver.mtu': 'big' } })).toThrow('invalid MTU big')
})
