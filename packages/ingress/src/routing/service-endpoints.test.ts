import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { endpointsOf } from './service-endpoints.ts'

function service(spec: object): Service {
  return { metadata: { name: 'web', namespace: 'shop' }, spec, status: {} } as unknown as Service
}

function slice(ports: object[], ...endpoints: [address: string, conditions?: object][]): EndpointSlice {
  const those = endpoints.map(([address, conditions]) => ({ addresses: [address], ...(conditions && { conditions }) }))
  return { addressType: 'IPv4', ports, endpoints: those } as unknown as EndpointSlice
}

const web = service({ ports: [{ name: 'http', port: 80, targetPort: 8080 }] })
const http = [{ name: 'http', port: 8080 }]

test('ready endpoints by the number or the name of the port', () => {
  const slices = [slice(http, ['10.0.0.1'], ['10.0.0.2', { ready: false }]), slice(http, ['10.0.0.3'], ['10.0.0.1'])]
  const expected = {
    protocol: 'http',
    addresses: [
      { address: '10.0.0.1', port: 8080 },
      { address: '10.0.0.3', port: 8080 },
    ],
  }
  expect(endpointsOf(web, 80, slices)).toEqual(expected)
  expect(endpointsOf(web, 'http', slices)).toEqual(expected)
  expect(endpointsOf(web, 81, slices)).toBeUndefined()
})

test('endpoints that end serve only when there is no other', () => {
  const ending = { ready: false, serving: true, terminating: true }
  const both = [slice(http, ['10.0.0.1', ending], ['10.0.0.2'])]
  expect(endpointsOf(web, 80, both)?.addresses).toEqual([{ address: '10.0.0.2', port: 8080 }])
  expect(endpointsOf(web, 80, [slice(http, ['10.0.0.1', ending])])?.addresses).toHaveLength(1)
  expect(endpointsOf(web, 80, [slice(http, ['10.0.0.1', { ...ending, serving: false }])])?.addresses).toEqual([])
})

test.each([
  ['kubernetes.io/h2c', 'h2c'],
  ['kubernetes.io/ws', 'http'],
  ['HTTPS', 'https'],
  ['mqtt', undefined],
])('appProtocol %s is %s', (appProtocol, protocol) => {
  expect(endpointsOf(service({ ports: [{ port: 80, appProtocol }] }), 80, [])?.protocol).toBe(protocol)
})
