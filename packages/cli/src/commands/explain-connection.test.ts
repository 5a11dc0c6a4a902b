import { stripVTControlCharacters } from 'node:util'
import type { EndpointSlice, NetworkPolicy, Pod, Service } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { explain, renderVerdicts, type ConnectionWorld } from './explain-connection.ts'

function meta(name: string, namespace = 'shop', labels: Record<string, string> = {}) {
  return { name, namespace, labels, uid: name, resourceVersion: '1', creationTimestamp: '' }
}
function pod(app: string, podIP: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(app, 'shop', { app }),
    spec: { containers: [{ name: 'main', image: 'x' }] },
    status: { phase: 'Running', podIP, hostIP: '172.30.0.11' },
  }
}
const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta('api-svc'),
  spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  status: {},
}
const slice: EndpointSlice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: meta('api-1', 'shop', { 'kubernetes.io/service-name': 'api-svc' }),
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: [{ addresses: ['10.0.0.2'], conditions: { ready: true } }],
}
const policy: NetworkPolicy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: meta('api-from-web'),
  spec: {
    podSelector: { matchLabels: { app: 'api' } },
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
  },
}
const world: ConnectionWorld = {
  pods: [pod('web', '10.0.0.1'), pod('api', '10.0.0.2'), pod('db', '10.0.0.3')],
  services: [service],
  slices: [slice],
  policies: [policy],
  namespaceLabels: () => undefined,
}

function told(from: string, to: string): string[] {
  const verdicts = explain(world, { from, to, namespace: 'shop' })
  return stripVTControlCharacters(renderVerdicts(verdicts, world.policies)).split('\n')
}

test('a Service is followed to its endpoints; the rule that decides is named', () => {
  expect(told('web', 'api-svc:80')).toEqual([
    'shop/web (10.0.0.1) → shop/api (10.0.0.2) port 8080/TCP',
    '  may it leave?  yes: no policy selects this side for egress',
    '  may it enter?  yes: shop/api-from-web spec.ingress[0] {"from":[{"podSelector":{"matchLabels":{"app":"web"}}}]}',
    '  allowed',
  ])
})

test.each([
  ['db', 'pod/api:8080', '  may it enter?  no: no rule of shop/api-from-web allows it', '  denied'],
  ['10.0.0.3', '10.0.0.2:8080', '  may it enter?  no: no rule of shop/api-from-web allows it', '  denied'],
  ['172.30.0.11', 'api.shop:8080', '  may it enter?  yes: no policy selects this side for ingress', '  allowed'],
  ['api', 'api:8080', '  may it enter?  yes: a pod always reaches itself', '  allowed'],
])('%s to %s', (from, to, side, end) => {
  expect(told(from, to).slice(2)).toEqual([side, end])
})

test.each([
  ['web', 'api', '"api" is no TO:PORT'],
  ['nobody', 'api:80', 'there is no pod "nobody" in the namespace shop'],
  ['web', 'nobody.else:80', 'neither a pod nor a Service "nobody" in the namespace else'],
  ['web', 'svc/api-svc:81', 'has no port 81/TCP'],
  ['web', 'svc/api-svc:80/udp', 'has no port 80/UDP'],
  ['web', 'pod/api:http', 'is a number, not "http"'],
])('%s to %s: %s', (from, to, message) => {
  expect(() => explain(world, { from, to, namespace: 'shop' })).toThrow(message)
})
