import { expect, test } from 'vitest'
import { dnsPods, verdictOf, type Connection, type Direction, type SideVerdict } from './network-policy.ts'
import type { EndpointSlice, NetworkPolicy, Pod } from './types.ts'

function meta(name: string, namespace = 'shop', labels: Record<string, string> = {}) {
  return { name, namespace, labels, uid: name, resourceVersion: '1', creationTimestamp: '' }
}
function pod(app: string, podIP: string, namespace = 'shop', spec: Partial<Pod['spec']> = {}): Pod {
  const ports = [{ name: 'http', containerPort: 8080 }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(app, namespace, { app }),
    spec: { containers: [{ name: 'main', image: 'x', ports }], ...spec },
    status: { phase: 'Running', podIP },
  }
}
function policy(name: string, spec: NetworkPolicy['spec']): NetworkPolicy {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: meta(name), spec }
}

const web = pod('web', '10.0.0.1')
const api = pod('api', '10.0.0.2')
const far = pod('web', '10.0.0.3', 'other')
const labels: Record<string, Record<string, string>> = { shop: { team: 'a' }, other: { team: 'b' } }
const all = { podSelector: {} }

function verdict(direction: Direction, spec: NetworkPolicy['spec'], more: Partial<Connection> = {}): SideVerdict {
  const connection = {
    from: { address: web.status.podIP ?? '', pod: web },
    to: { address: api.status.podIP ?? '', pod: api },
    protocol: 'TCP',
    port: 8080,
    ...more,
  }
  const policies = [policy('p', spec)]
  return verdictOf(connection, direction, { policies, namespaceLabels: (name) => labels[name] })
}
const open: SideVerdict = { allowed: true, policies: [] }
const denied: SideVerdict = { allowed: false, policies: ['shop/p'] }
function by(index: number): SideVerdict {
  return { allowed: true, policies: ['shop/p'], by: { policy: 'shop/p', index } }
}
function from(one: Pod): Partial<Connection> {
  return { from: { address: one.status.podIP ?? '', pod: one } }
}

test.each<[string, SideVerdict, SideVerdict]>([
  ['no policy selects it', verdict('Ingress', { podSelector: { matchLabels: { app: 'web' } } }), open],
  ['a policy without rules denies', verdict('Ingress', all), denied],
  ['ingress alone says nothing of egress', verdict('Egress', all), open],
  ['egress by its rules, without types', verdict('Egress', { ...all, egress: [{}] }), by(0)],
  ['an empty rule allows everything', verdict('Ingress', { ...all, ingress: [{}] }), by(0)],
  ['empty lists are as good as none', verdict('Ingress', { ...all, ingress: [{ from: [], ports: [] }] }), by(0)],
  [
    'a pod of the same namespace',
    verdict('Ingress', { ...all, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }] }),
    by(0),
  ],
  ['not one of another', verdict('Ingress', { ...all, ingress: [{ from: [{ podSelector: {} }] }] }, from(far)), denied],
  [
    'a namespace and a pod in it',
    verdict(
      'Ingress',
      {
        ...all,
        ingress: [
          {
            from: [{ namespaceSelector: { matchLabels: { team: 'b' } }, podSelector: { matchLabels: { app: 'db' } } }],
          },
          { from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }] },
        ],
      },
      from(far),
    ),
    by(1),
  ],
  ['a range', verdict('Ingress', { ...all, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/24' } }] }] }), by(0)],
  [
    'an exception',
    verdict('Ingress', { ...all, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.1/32'] } }] }] }),
    denied,
  ],
  ['a named port of the receiver', verdict('Egress', { ...all, egress: [{ ports: [{ port: 'http' }] }] }), by(0)],
  [
    'not of another number',
    verdict('Egress', { ...all, egress: [{ ports: [{ port: 'http' }] }] }, { port: 81 }),
    denied,
  ],
  ['a range of ports', verdict('Ingress', { ...all, ingress: [{ ports: [{ port: 8000, endPort: 8080 }] }] }), by(0)],
  ['another protocol', verdict('Ingress', { ...all, ingress: [{ ports: [{ protocol: 'UDP' }] }] }), denied],
  ['itself', verdict('Ingress', all, from(api)), { allowed: true, policies: ['shop/p'] }],
  [
    'a pod of the node’s network is no pod',
    verdict(
      'Ingress',
      { ...all, ingress: [{ from: [{ podSelector: {} }] }] },
      from(pod('web', '10.9.0.1', 'shop', { hostNetwork: true })),
    ),
    denied,
  ],
])('%s', (_name, actual, expected) => {
  expect(actual).toEqual(expected)
})

test('the process that answers for kube-dns counts as its pod', () => {
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...meta('kube-dns-1', 'kube-system'), labels: { 'kubernetes.io/service-name': 'kube-dns' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['172.30.0.1'] }],
    ports: [{ name: 'dns', port: 53, protocol: 'UDP' }],
  }
  expect(dnsPods([slice]).map(({ metadata, status }) => [metadata.namespace, metadata.labels, status.podIP])).toEqual([
    ['kube-system', { 'k8s-app': 'kube-dns' }, '172.30.0.1'],
  ])
  expect(dnsPods([{ ...slice, metadata: { ...slice.metadata, namespace: 'shop' } }])).toEqual([])
})
