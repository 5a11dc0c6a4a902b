import type { Node } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import type { ServicePortInfo } from '../rules/service-info.ts'
import { forwardRules, gatewayPlan, readyNodes } from './gateway-rules.ts'

const nodes = [
  { name: 'n1', address: '172.30.0.11' },
  { name: 'n2', address: '172.30.0.12' },
]
const pod = { address: '10.244.2.2', port: 8080, node: 'n2' }

function plan({ nodePort, ...more }: Partial<ServicePortInfo>, listenFor?: (address: string) => string | undefined) {
  const info: ServicePortInfo = {
    service: 'shop/web',
    portName: '',
    protocol: 'TCP',
    clusterIPs: ['10.96.0.10'],
    externalIPs: [],
    loadBalancerIPs: ['172.30.0.201'],
    port: 80,
    ...(nodePort === undefined ? {} : { nodePort }),
    sourceRanges: [],
    internalPolicy: 'Cluster',
    externalPolicy: 'Cluster',
    backends: [pod],
    backendsOfNodes: [pod],
    ...more,
  }
  const options = { nodePortAddress: '127.0.0.1', listenFor }
  const { rules, routes } = gatewayPlan({ service: 'shop/web', ports: [info] }, nodes, options)
  const shown = rules.map(({ address, port, backends }) => {
    const targets = backends.map((one) => `${one.address}:${one.port}@${one.node}`)
    return `${address}:${port} → ${targets.join(' ')}`
  })
  return { rules: shown, routes: Object.fromEntries(routes) }
}

test('a node port leads to every Ready node, a load balancer is routed over them', () => {
  expect(plan({ nodePort: 30080 })).toEqual({
    rules: ['127.0.0.1:30080 → 172.30.0.11:30080@n1 172.30.0.12:30080@n2'],
    routes: { '172.30.0.201': ['172.30.0.11', '172.30.0.12'] },
  })
})

test('a policy of Local leads to the nodes that have endpoints', () => {
  expect(plan({ nodePort: 30080, externalPolicy: 'Local' })).toEqual({
    rules: ['127.0.0.1:30080 → 172.30.0.12:30080@n2'],
    routes: { '172.30.0.201': ['172.30.0.12'] },
  })
})

test('nobody is led to a Service without endpoints', () => {
  expect(plan({ nodePort: 30080, backends: [], backendsOfNodes: [] })).toEqual({
    rules: [],
    routes: { '172.30.0.201': [] },
  })
})

test('without routes a loopback address stands for the load balancer', () => {
  expect(plan({}, (address) => `127.64.0.${address.split('.').at(-1)}`)).toEqual({
    rules: ['127.64.0.201:80 → 172.30.0.201:80@n1 172.30.0.201:80@n2'],
    routes: {},
  })
})

test('only nodes that are Ready and have an address', () => {
  const node = (name: string, status: string, address?: string): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, resourceVersion: '1', creationTimestamp: '' },
    spec: {},
    status: {
      conditions: [{ type: 'Ready', status }],
      addresses: address === undefined ? [] : [{ type: 'InternalIP', address }],
    },
  })
  expect(readyNodes([node('a', 'True', '1.1.1.1'), node('b', 'Unknown', '1.1.1.2'), node('c', 'True')])).toEqual([
    { name: 'a', address: '1.1.1.1' },
  ])
})

test('a forward leads inside by way of every Ready node, and nowhere without one', () => {
  const forward = { listen: { host: '127.0.0.1', port: 8080 }, target: { host: '172.30.0.200', port: 80 } }
  expect(forwardRules([forward], nodes, 'forwards')).toMatchObject([
    {
      address: '127.0.0.1',
      port: 8080,
      service: 'forwards',
      backends: [
        { address: '172.30.0.200', port: 80, node: 'n1' },
        { address: '172.30.0.200', port: 80, node: 'n2' },
      ],
    },
  ])
  expect(forwardRules([forward], [], 'forwards')).toEqual([])
})
