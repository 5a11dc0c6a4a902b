import type { Endpoint, EndpointSlice, Service, ServiceSpec } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { localBackends, serviceInfoOf } from './service-info.ts'

const node = { name: 'node-1', address: '172.30.0.11', zone: 'east' }

function service(spec: Partial<ServiceSpec>): Service {
  const metadata = { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', creationTimestamp: '' }
  const ports = [{ port: 80, protocol: 'TCP' }]
  const whole = { type: 'LoadBalancer', clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], ports, ...spec }
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: whole, status: {} }
}

function slice(...endpoints: Endpoint[]): EndpointSlice {
  const metadata = { name: 'web-1', namespace: 'shop', uid: 'u', resourceVersion: '1', creationTimestamp: '' }
  const ports = [{ name: '', port: 8080, protocol: 'TCP' }]
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType: 'IPv4', endpoints, ports }
}

function at(index: number, nodeName: string, zone?: string, ready = true): Endpoint {
  const hints = zone === undefined ? {} : { hints: { forZones: [{ name: zone }] } }
  return { addresses: [`10.244.0.${index}`], nodeName, conditions: { ready, serving: ready }, ...hints }
}

function backends(...endpoints: Endpoint[]): string[] {
  const port = serviceInfoOf(service({}), [slice(...endpoints)], node)?.ports[0]
  return port?.backends.map(({ address }) => address.slice('10.244.0.'.length)) ?? []
}

test.each<[string, Endpoint[], string[]]>([
  ['those of the zone', [at(1, 'node-1', 'east'), at(2, 'node-2', 'west')], ['1']],
  ['all, when one has no hint', [at(1, 'node-1', 'east'), at(2, 'node-2')], ['1', '2']],
  ['all, when none is for this zone', [at(1, 'node-1', 'north'), at(2, 'node-2', 'west')], ['1', '2']],
  ['one that is not ready needs no hint', [at(1, 'node-1', 'east'), at(2, 'node-2', undefined, false)], ['1']],
])('topology hints: %s', (_name, endpoints, expected) => {
  expect(backends(...endpoints)).toEqual(expected)
})

test('a policy of Local has its own node alone, and does not look at hints', () => {
  const spec = { externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' }
  const slices = [slice(at(1, 'node-1', 'west'), at(2, 'node-2', 'east'))]
  const port = serviceInfoOf(service(spec), slices, node)?.ports[0]
  expect(port).toMatchObject({ externalPolicy: 'Local', internalPolicy: 'Local' })
  expect(port && localBackends(port, node).map(({ address }) => address)).toEqual(['10.244.0.1'])
})

test('the health check counts ready endpoints of this node, each address once', () => {
  const spec = { externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 }
  const slices = [slice(at(1, 'node-1'), at(2, 'node-2')), slice(at(1, 'node-1'), at(3, 'node-1', undefined, false))]
  expect(serviceInfoOf(service(spec), slices, node)?.healthCheck).toEqual({ port: 32_000, localEndpoints: 1 })
})

test('source ranges and addresses are those of IPv4; a load balancer that is a proxy keeps its own traffic', () => {
  const one = service({ loadBalancerSourceRanges: ['10.0.0.0/8 ', 'fd00::/8'], externalIPs: ['192.0.2.7', 'fd00::1'] })
  one.status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { ip: '192.0.2.2', ipMode: 'Proxy' }] } }
  expect(serviceInfoOf(one, [], node)?.ports[0]).toMatchObject({
    sourceRanges: ['10.0.0.0/8'],
    externalIPs: ['192.0.2.7'],
    loadBalancerIPs: ['192.0.2.1'],
  })
})
