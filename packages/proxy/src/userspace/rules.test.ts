import type { Endpoint, EndpointSlice, Service, ServiceSpec } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { serviceInfoOf } from '../rules/service-info.ts'
import { rulesOf, type Rule } from './rules.ts'

const node = { name: 'node-1', address: '127.64.1.1' }
const place = { node, nodePortAddresses: [node.address, '127.0.0.1'], isShared: true }

function allRules(one: Service, slices: EndpointSlice[], at = place): Rule[] {
  const info = serviceInfoOf(one, slices, node)
  return info ? rulesOf(info, at) : []
}

function meta(name: string, labels: Record<string, string> = {}) {
  return { name, namespace: 'shop', uid: name, resourceVersion: '1', creationTimestamp: '2025-01-01T00:00:00Z', labels }
}

function service(spec: Partial<ServiceSpec> = {}, labels: Record<string, string> = {}): Service {
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }]
  const whole = { type: 'ClusterIP', clusterIP: '127.96.0.10', clusterIPs: ['127.96.0.10'], ports, ...spec }
  return { apiVersion: 'v1', kind: 'Service', metadata: meta('web', labels), spec: whole, status: {} }
}

interface Ports {
  name?: string
  port?: number
  protocol?: string
}

function slice(endpoints: Endpoint[], ports: Ports[] = [{ name: 'http', port: 8080, protocol: 'TCP' }]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: meta('web-1'),
    addressType: 'IPv4',
    endpoints,
    ports,
  }
}

type Conditions = 'ready' | 'unready' | 'terminating' | 'dead' | 'unknown'
const conditions = {
  ready: { ready: true, serving: true, terminating: false },
  unready: { ready: false, serving: false, terminating: false },
  terminating: { ready: false, serving: true, terminating: true },
  dead: { ready: false, serving: false, terminating: true },
  unknown: {},
}

/** at('1.2', 'ready'): the pod 127.64.1.2 of node-1. */
function at(pod: string, state: Conditions = 'ready'): Endpoint {
  return { addresses: [`127.64.${pod}`], nodeName: `node-${pod[0]}`, conditions: conditions[state] }
}

function shown(rules: Rule[]): string[] {
  return rules.map(({ kind, protocol, address, port, backends }) => {
    const targets = backends.map((backend) => `${backend.address.slice('127.64.'.length)}:${backend.port}`)
    return `${kind} ${protocol} ${address}:${port} → ${targets.join(' ')}`
  })
}

function rules(spec: Partial<ServiceSpec>, ...slices: EndpointSlice[]): string[] {
  return shown(allRules(service(spec), slices))
}

describe('which endpoints', () => {
  const cluster = 'ClusterIP TCP 127.96.0.10:80 →'
  test.each<[string, Endpoint[], string[]]>([
    ['ready ones of all nodes', [at('1.2'), at('2.3')], [`${cluster} 1.2:8080 2.3:8080`]],
    ['no unready ones', [at('1.2', 'unready'), at('2.3')], [`${cluster} 2.3:8080`]],
    ['unknown counts as ready', [at('1.2', 'unknown')], [`${cluster} 1.2:8080`]],
    ['no terminating ones while others are ready', [at('1.2', 'terminating'), at('2.3')], [`${cluster} 2.3:8080`]],
    [
      'terminating ones that serve when none is ready',
      [at('1.2', 'terminating'), at('1.3', 'unready')],
      [`${cluster} 1.2:8080`],
    ],
    ['none at all: nothing is served, so that clients are refused', [at('1.2', 'dead')], []],
    ['no endpoints', [], []],
  ])('%s', (_name, endpoints, expected) => {
    expect(rules({}, slice(endpoints))).toEqual(expected)
  })

  test('several slices are joined; seen twice, the ready one counts', () => {
    expect(rules({}, slice([at('1.2', 'unready'), at('1.3')]), slice([at('1.2'), at('1.3', 'unready')]))).toEqual([
      `${cluster} 1.2:8080 1.3:8080`,
    ])
  })

  test('slices of other address families are left alone', () => {
    expect(rules({}, { ...slice([at('1.2')]), addressType: 'IPv6' })).toEqual([])
  })
})

describe('which ports', () => {
  test('the slice says where a named port is; each slice may say otherwise', () => {
    const ports = [
      { name: 'http', port: 80, targetPort: 'web' },
      { name: 'admin', port: 81, targetPort: 9000 },
    ]
    const first = slice(
      [at('1.2')],
      [
        { name: 'http', port: 8080 },
        { name: 'admin', port: 9000 },
      ],
    )
    const second = slice([at('1.3')], [{ name: 'http', port: 3000 }])
    expect(rules({ ports }, first, second)).toEqual([
      'ClusterIP TCP 127.96.0.10:80 → 1.2:8080 1.3:3000',
      'ClusterIP TCP 127.96.0.10:81 → 1.2:9000',
    ])
  })

  test('one name for two protocols', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ]
    const slicePorts = [
      { name: 'dns', port: 5353, protocol: 'UDP' },
      { name: 'dns-tcp', port: 5354, protocol: 'TCP' },
    ]
    expect(rules({ ports }, slice([at('1.2')], slicePorts))).toEqual([
      'ClusterIP UDP 127.96.0.10:53 → 1.2:5353',
      'ClusterIP TCP 127.96.0.10:53 → 1.2:5354',
    ])
  })

  test('an only port needs no name; a slice port without a number is not for us', () => {
    const ports = [{ port: 80 }]
    expect(rules({ ports }, slice([at('1.2')], [{ port: 8080 }]), slice([at('1.3')], [{}]))).toEqual([
      'ClusterIP TCP 127.96.0.10:80 → 1.2:8080',
    ])
  })
})

describe('which Services', () => {
  test.each<[string, Service]>([
    ['headless', service({ clusterIP: 'None', clusterIPs: ['None'] })],
    ['ExternalName', service({ type: 'ExternalName', externalName: 'example.com' })],
    ['without an address yet', service({ clusterIP: '', clusterIPs: [] })],
    ['claimed by another proxy', service({}, { 'service.kubernetes.io/service-proxy-name': 'mesh' })],
  ])('%s: not forwarded', (_name, one) => {
    expect(allRules(one, [slice([at('1.2')])])).toEqual([])
  })
})

describe('where', () => {
  const spec = { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30080 }] }
  test('a NodePort is served at the node and at the machine itself', () => {
    expect(rules(spec, slice([at('1.2'), at('2.3')]))).toEqual([
      'ClusterIP TCP 127.96.0.10:80 → 1.2:8080 2.3:8080',
      'NodePort TCP 127.64.1.1:30080 → 1.2:8080 2.3:8080',
      'NodePort TCP 127.0.0.1:30080 → 1.2:8080 2.3:8080',
    ])
  })

  test('external addresses and those of a load balancer', () => {
    const one = service({ externalIPs: ['127.0.9.9'] })
    one.status = { loadBalancer: { ingress: [{ ip: '127.0.8.8' }, { hostname: 'lb.example.com' }] } }
    expect(shown(allRules(one, [slice([at('1.2')])]))).toEqual([
      'ClusterIP TCP 127.96.0.10:80 → 1.2:8080',
      'ExternalIP TCP 127.0.9.9:80 → 1.2:8080',
      'LoadBalancer TCP 127.0.8.8:80 → 1.2:8080',
    ])
  })

  test('externalTrafficPolicy Local keeps to this node, and to terminating pods here rather than ready ones elsewhere', () => {
    const local = { ...spec, externalTrafficPolicy: 'Local' }
    expect(rules(local, slice([at('1.2', 'terminating'), at('2.3')]))).toEqual([
      'ClusterIP TCP 127.96.0.10:80 → 2.3:8080',
      'NodePort TCP 127.64.1.1:30080 → 1.2:8080',
      'NodePort TCP 127.0.0.1:30080 → 1.2:8080',
    ])
    expect(rules(local, slice([at('2.3')]))).toEqual(['ClusterIP TCP 127.96.0.10:80 → 2.3:8080'])
  })

  test("internalTrafficPolicy Local lists each node's own, for the client's node to choose from", () => {
    const endpoints = [at('1.2'), at('1.3', 'terminating'), at('2.4', 'terminating'), at('3.5', 'dead')]
    const [rule] = allRules(service({ internalTrafficPolicy: 'Local' }), [slice(endpoints)])
    expect(rule).toMatchObject({
      keepsToClientNode: true,
      backends: [
        { address: '127.64.1.2', node: 'node-1' },
        { address: '127.64.2.4', node: 'node-2' },
      ],
    })
  })
})

test.each<[string, Partial<ServiceSpec>, number | undefined]>([
  ['none', {}, undefined],
  ['three hours unless said otherwise', { sessionAffinity: 'ClientIP' }, 10_800_000],
  ['as said', { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }, 60_000],
])('session affinity: %s', (_name, spec, expected) => {
  expect(allRules(service(spec), [slice([at('1.2')])])[0]?.affinityMs).toBe(expected)
})

test("on a network of the node's own a policy of internal Local is the node's, and there is no 127.0.0.1", () => {
  const spec: Partial<ServiceSpec> = {
    type: 'NodePort',
    internalTrafficPolicy: 'Local',
    ports: [{ name: 'http', port: 80, nodePort: 30080 }],
  }
  const own = { node, nodePortAddresses: [node.address], isShared: false }
  expect(shown(allRules(service(spec), [slice([at('1.2'), at('2.3')])], own))).toEqual([
    'ClusterIP TCP 127.96.0.10:80 → 1.2:8080',
    'NodePort TCP 127.64.1.1:30080 → 1.2:8080 2.3:8080',
  ])
})
