/** Services and EndpointSlices, as an API server tells of them, become what the zone asks for. */

import { setMaxListeners } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '@dinghy/shared/api/clock'
import { EndpointSlices, Namespaces, Services } from '@dinghy/shared/api/resources'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Informers } from '@dinghy/shared/client/informer'
import { createLogger } from '@dinghy/shared/process/logger'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { clusterView } from './cluster-view.ts'

let server: TinyApiServer
let stop: AbortController

beforeEach(async () => {
  server = await TinyApiServer.start()
  stop = new AbortController()
  setMaxListeners(0, stop.signal)
})
afterEach(async () => {
  stop.abort()
  await server.close()
})

async function view() {
  const log = createLogger({ name: 'dns', clock: systemClock, write: () => undefined })
  const client = new ApiClient({ server: server.url, userAgent: 'dns' })
  const informers = new Informers(client, { clock: systemClock, log })
  const made = clusterView(informers)
  expect(made.hasSynced()).toBe(false)
  informers.start(stop.signal)
  await informers.synced()
  return made
}

function putService(name: string, spec: object): void {
  server.put(Services, { metadata: { name, namespace: 'shop' }, spec })
}

function putSlice(name: string, service: string, endpoints: object[], more: object = {}): void {
  const labels = { 'kubernetes.io/service-name': service }
  const ports = [{ name: 'sql', port: 5432 }]
  const slice = { metadata: { name, namespace: 'shop', labels }, addressType: 'IPv4', endpoints, ports, ...more }
  server.put(EndpointSlices, slice as never)
}

test('a Service with its address and ports, by name and by address', async () => {
  server.put(Namespaces, { metadata: { name: 'shop' } })
  putService('web', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'], ports: [{ port: 80 }] })
  putService('far', { type: 'ExternalName', externalName: 'example.org' })
  const cluster = await view()
  const web = { name: 'web', namespace: 'shop', clusterIps: ['10.96.0.7'] }
  expect(cluster.service('shop', 'web')).toEqual({ ...web, ports: [{ name: '', protocol: 'TCP', port: 80 }] })
  expect(cluster.serviceAt('10.96.0.7')?.name).toBe('web')
  expect(cluster.service('shop', 'far')).toMatchObject({ externalName: 'example.org', clusterIps: [], ports: [] })
  expect([cluster.hasNamespace('shop'), cluster.hasNamespace('none'), cluster.hasSynced()]).toEqual([true, false, true])
  expect(cluster.service('shop', 'none')).toBeUndefined()
})

test('the endpoints of a headless Service that are ready, from all of its slices', async () => {
  putService('db', { clusterIP: 'None', clusterIPs: ['None'] })
  putSlice('db-1', 'db', [
    { addresses: ['10.244.1.7'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.244.1.8'], conditions: { ready: false } },
  ])
  putSlice('db-2', 'db', [{ addresses: ['10.244.2.9'] }])
  putSlice('db-6', 'db', [{ addresses: ['fd00::1'] }], { addressType: 'IPv6' })
  putSlice('other', 'none', [{ addresses: ['10.244.3.1'] }])
  const cluster = await view()
  const ports = [{ name: 'sql', protocol: 'TCP', port: 5432 }]
  expect(cluster.endpoints('shop', 'db')).toEqual([
    { address: '10.244.1.7', hostname: 'db-0', ports },
    { address: '10.244.2.9', ports },
  ])
  expect(cluster.endpointsAt('10.244.1.7')).toMatchObject([{ service: { name: 'db' }, endpoint: { hostname: 'db-0' } }])
  expect(cluster.endpointsAt('10.244.1.8')).toEqual([])
  expect(cluster.endpointsAt('10.244.3.1')).toEqual([])
})
