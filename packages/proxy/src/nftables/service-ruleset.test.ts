import { expect, test } from 'vitest'
import type { Backend } from '../rules/endpoints.ts'
import type { ServicePortInfo } from '../rules/service-info.ts'
import { serviceRuleset } from './service-ruleset.ts'

const a: Backend = { address: '10.244.1.2', port: 8080, node: 'n1' }
const b: Backend = { address: '10.244.2.2', port: 8081, node: 'n2' }
const options = { node: { name: 'n1', address: '172.30.0.11' }, clusterCidr: '10.244.0.0/16' }
const mark = 'meta mark set meta mark | 0x4000'
const masquerade = `ip daddr 10.96.0.10 ip saddr != 10.244.0.0/16 ${mark}`

function shown(more: Partial<ServicePortInfo>): Record<string, unknown> {
  const backends = more.backends ?? [a, b]
  const info: ServicePortInfo = {
    service: 'shop/web',
    portName: '',
    protocol: 'TCP',
    clusterIPs: ['10.96.0.10'],
    externalIPs: [],
    loadBalancerIPs: [],
    port: 80,
    sourceRanges: [],
    internalPolicy: 'Cluster',
    externalPolicy: 'Cluster',
    backends,
    backendsOfNodes: backends,
    ...more,
  }
  const { chains, elements } = serviceRuleset([{ service: 'shop/web', ports: [info] }], options)
  const own = [...chains].filter(([name]) => name.includes('/')).map(([name, { rules }]) => [name, rules] as const)
  const filled = [...elements].filter(([name, { size }]) => size > 0 && name !== 'hairpin' && name !== 'cluster-ips')
  return Object.fromEntries([...own, ...filled.map(([name, map]) => [name, Object.fromEntries(map)] as const)])
}

test('a ClusterIP: one entry, one chain, one choice', () => {
  expect(shown({})).toEqual({
    'service/shop/web/tcp/80': [
      masquerade,
      'meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.1.2 . 8080, 1 : 10.244.2.2 . 8081 }',
    ],
    services: { '10.96.0.10 . tcp . 80': 'goto service/shop/web/tcp/80' },
  })
})

test('one backend needs no choice; UDP is known by its backends', () => {
  expect(shown({ backends: [a], protocol: 'UDP', portName: 'dns' })).toEqual({
    'service/shop/web/udp/dns': [masquerade, 'meta l4proto udp dnat ip to 10.244.1.2:8080'],
    services: { '10.96.0.10 . udp . 80': 'goto service/shop/web/udp/dns' },
    'udp-backends': { '10.244.1.2 . 8080': '' },
  })
})

test('from outside: a chain that marks; a policy of Local that does not', () => {
  expect(shown({ nodePort: 30080 })).toMatchObject({
    'external/shop/web/tcp/80': [mark, 'goto service/shop/web/tcp/80'],
    'node-ports': { 'tcp . 30080': 'goto external/shop/web/tcp/80' },
  })
  expect(shown({ nodePort: 30080, externalPolicy: 'Local' })).toMatchObject({
    'external/shop/web/tcp/80': [
      'ip saddr 10.244.0.0/16 goto service/shop/web/tcp/80',
      `fib saddr type local ${mark}`,
      'fib saddr type local goto service/shop/web/tcp/80',
      'goto local/shop/web/tcp/80',
    ],
    'local/shop/web/tcp/80': [masquerade, 'meta l4proto tcp dnat ip to 10.244.1.2:8080'],
  })
})

test.each<[string, Partial<ServicePortInfo>, Record<string, unknown>]>([
  [
    'nobody: refused everywhere',
    { backends: [], nodePort: 30080, externalIPs: ['192.0.2.1'] },
    {
      'no-endpoints': { '10.96.0.10 . tcp . 80': 'goto refuse', '192.0.2.1 . tcp . 80': 'goto refuse' },
      'no-endpoints-node-ports': { 'tcp . 30080': 'goto refuse' },
    },
  ],
  [
    'only others, policy Local: dropped from outside, served for pods',
    { backends: [b], externalPolicy: 'Local', loadBalancerIPs: ['192.0.2.1'] },
    {
      'service/shop/web/tcp/80': [masquerade, 'meta l4proto tcp dnat ip to 10.244.2.2:8081'],
      'external/shop/web/tcp/80': [
        'ip saddr 10.244.0.0/16 goto service/shop/web/tcp/80',
        `fib saddr type local ${mark}`,
        'fib saddr type local goto service/shop/web/tcp/80',
      ],
      services: {
        '10.96.0.10 . tcp . 80': 'goto service/shop/web/tcp/80',
        '192.0.2.1 . tcp . 80': 'goto external/shop/web/tcp/80',
      },
      'no-endpoints': { '192.0.2.1 . tcp . 80': 'drop' },
    },
  ],
])('no endpoints: %s', (_name, more, expected) => {
  expect(shown(more)).toEqual(expected)
})

test('of two Services that want one address and port the first has it', () => {
  const port = (service: string): ServicePortInfo => ({
    service,
    portName: '',
    protocol: 'TCP',
    clusterIPs: [],
    externalIPs: ['192.0.2.1'],
    loadBalancerIPs: [],
    port: 80,
    sourceRanges: [],
    internalPolicy: 'Cluster',
    externalPolicy: 'Cluster',
    backends: [a],
    backendsOfNodes: [a],
  })
  const infos = ['shop/a', 'shop/b'].map((service) => ({ service, ports: [port(service)] }))
  expect(serviceRuleset(infos, options).elements.get('services')?.get('192.0.2.1 . tcp . 80')).toBe(
    'goto external/shop/a/tcp/80',
  )
})
