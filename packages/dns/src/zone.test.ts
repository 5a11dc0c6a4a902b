import { expect, test } from 'vitest'
import type { RecordType } from 'dns-packet'
import { type ClusterView, type EndpointFacts, lookUp, type ServiceFacts } from './zone.ts'

const http = { name: 'http', protocol: 'TCP', port: 80 }
const web: ServiceFacts = { name: 'web', namespace: 'shop', clusterIps: ['10.96.0.7'], ports: [http] }
const db: ServiceFacts = { name: 'db', namespace: 'shop', clusterIps: [], ports: [{ ...http, name: 'sql' }] }
const idle: ServiceFacts = { name: 'idle', namespace: 'shop', clusterIps: [], ports: [] }
const far: ServiceFacts = { name: 'far', namespace: 'shop', clusterIps: [], externalName: 'example.org', ports: [] }
const services = [web, db, idle, far]
const dbPorts = [{ name: 'sql', protocol: 'TCP', port: 5432 }]
const dbEndpoints: EndpointFacts[] = [
  { address: '10.244.1.7', hostname: 'db-0', ports: dbPorts },
  { address: '10.244.2.8', ports: dbPorts },
]
const cluster: ClusterView = {
  service: (namespace, name) => services.find((one) => one.namespace === namespace && one.name === name),
  endpoints: (_namespace, name) => (name === 'db' ? dbEndpoints : []),
  hasNamespace: (name) => name === 'shop',
  serviceAt: (address) => services.find(({ clusterIps }) => clusterIps.includes(address)),
  endpointsAt: (address) =>
    dbEndpoints.filter((one) => one.address === address).map((endpoint) => ({ service: db, endpoint })),
}
const zone = { domain: 'cluster.local', ttl: 30 }

function ask(name: string, type: RecordType = 'A'): unknown {
  const outcome = lookUp(name, type, zone, cluster)
  return typeof outcome === 'string' ? outcome : outcome.answers.map((answer) => 'data' in answer && answer.data)
}

test.each<[string, RecordType, unknown]>([
  ['web.shop.svc.cluster.local', 'A', ['10.96.0.7']],
  ['web.shop.svc.cluster.local', 'AAAA', []],
  ['db.shop.svc.cluster.local', 'A', ['10.244.1.7', '10.244.2.8']],
  ['db-0.db.shop.svc.cluster.local', 'A', ['10.244.1.7']],
  ['10-244-2-8.db.shop.svc.cluster.local', 'A', ['10.244.2.8']],
  ['db-1.db.shop.svc.cluster.local', 'A', 'no such name'],
  ['x.web.shop.svc.cluster.local', 'A', 'no such name'],
  ['idle.shop.svc.cluster.local', 'A', 'no such name'],
  ['none.shop.svc.cluster.local', 'A', 'no such name'],
  ['web.other.svc.cluster.local', 'A', 'no such name'],
  ['web.shop.cluster.local', 'A', 'no such name'],
  ['far.shop.svc.cluster.local', 'A', ['example.org']],
  ['x.far.shop.svc.cluster.local', 'A', 'no such name'],
  ['10-244-1-7.shop.pod.cluster.local', 'A', ['10.244.1.7']],
  ['10-244-1.shop.pod.cluster.local', 'A', 'no such name'],
  ['shop.svc.cluster.local', 'A', []],
  ['svc.cluster.local', 'A', []],
  ['cluster.local', 'A', []],
  ['dns-version.cluster.local', 'TXT', ['1.1.0']],
  ['example.org', 'A', 'elsewhere'],
  ['mycluster.local', 'A', 'elsewhere'],
  ['7.0.96.10.in-addr.arpa', 'PTR', ['web.shop.svc.cluster.local']],
  ['7.1.244.10.in-addr.arpa', 'PTR', ['db-0.db.shop.svc.cluster.local']],
  ['8.2.244.10.in-addr.arpa', 'PTR', ['10-244-2-8.db.shop.svc.cluster.local']],
  ['1.1.1.1.in-addr.arpa', 'PTR', 'elsewhere'],
])('%s %s', (name, type, expected) => {
  expect(ask(name, type)).toEqual(expected)
})

test('SRV: the port of a Service, or of each endpoint of a headless one, and where they are', () => {
  expect(ask('_http._tcp.web.shop.svc.cluster.local', 'SRV')).toEqual([
    { priority: 0, weight: 100, port: 80, target: 'web.shop.svc.cluster.local' },
  ])
  const found = lookUp('_sql._tcp.db.shop.svc.cluster.local', 'SRV', zone, cluster)
  expect(found).toMatchObject({
    answers: [
      { data: { weight: 50, port: 5432, target: 'db-0.db.shop.svc.cluster.local' } },
      { data: { weight: 50, port: 5432, target: '10-244-2-8.db.shop.svc.cluster.local' } },
    ],
    additionals: [
      { name: 'db-0.db.shop.svc.cluster.local', type: 'A', data: '10.244.1.7' },
      { name: '10-244-2-8.db.shop.svc.cluster.local', type: 'A', data: '10.244.2.8' },
    ],
  })
  expect(ask('_http._udp.web.shop.svc.cluster.local', 'SRV')).toBe('no such name')
  expect(ask('_nope._tcp.web.shop.svc.cluster.local', 'SRV')).toBe('no such name')
})
