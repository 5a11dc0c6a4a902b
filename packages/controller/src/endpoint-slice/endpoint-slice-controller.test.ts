/**
 * Both endpoint loops over a real connection.
 */

import { EndpointSlices, EndpointsResource, Pods, Services } from '@dinghy/shared/api/resources'
import type { Service } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makePod, type PodFacts } from '../testing/objects.ts'
import { EndpointsController } from '../endpoints/endpoints-controller.ts'
import { LoopTest } from '../testing/loop.ts'
import { EndpointSliceController } from './endpoint-slice-controller.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  loop.start(EndpointSliceController, EndpointsController)
})
afterEach(() => loop.end())

function putService(name: string, spec: Partial<Service['spec']> = {}) {
  return server.put(Services, {
    metadata: { name, namespace: 'default' },
    spec: { clusterIP: '10.0.0.1', selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  })
}
function putPod(name: string, app: string, ip: string, more: PodFacts = {}) {
  const { resourceVersion: _new, ...metadata } = makePod(name, { metadata: { labels: { app } } }).metadata
  server.put(Pods, { ...makePod(name, { ip, ...more }), metadata })
}
function slices() {
  return server.all(EndpointSlices)
}
function ready() {
  return slices().flatMap(({ endpoints }) => endpoints.flatMap((one) => (one.conditions?.ready ? one.addresses : [])))
}
function legacy() {
  return server.read(EndpointsResource, 'web', 'default')?.subsets?.flatMap(({ addresses = [] }) => addresses)
}

test('follows the pods of a Service: coming, getting ready, moving away, going', async () => {
  putService('web')
  await loop.until(() => slices().length === 1)
  putPod('a', 'web', '10.1.0.1')
  putPod('b', 'web', '10.1.0.2', { readyAt: 0 })
  putPod('c', 'db', '10.1.0.3', { readyAt: 0 })
  await loop.until(() => slices()[0]?.endpoints.length === 2 && ready().join() === '10.1.0.2')
  await loop.until(
    () =>
      legacy()
        ?.map(({ ip }) => ip)
        .join() === '10.1.0.2',
  )

  putPod('a', 'web', '10.1.0.1', { readyAt: 1 })
  await loop.until(() => ready().length === 2)
  putPod('b', 'elsewhere', '10.1.0.2', { readyAt: 0 })
  await loop.until(() => ready().join() === '10.1.0.1')
  server.remove(Pods, 'a', 'default')
  await loop.until(() => ready().length === 0 && legacy()?.length === 0)
  expect(slices()).toHaveLength(1)
})

test("puts right what others changed in its slices, and leaves other people's alone", async () => {
  putService('web')
  putPod('a', 'web', '10.1.0.1', { readyAt: 0 })
  const labels = { 'kubernetes.io/service-name': 'web', 'endpointslice.kubernetes.io/managed-by': 'somebody' }
  server.put(EndpointSlices, {
    metadata: { name: 'theirs', namespace: 'default', labels },
    addressType: 'IPv4',
    endpoints: [],
  })
  await loop.until(() => ready().length === 1)
  const ours = slices().find(({ metadata }) => metadata.name !== 'theirs')
  if (!ours) throw new Error('no slice of ours')
  server.put(EndpointSlices, { ...ours, endpoints: [{ addresses: ['6.6.6.6'] }] })
  await loop.until(() => ready().join() === '10.1.0.1')
  expect(server.read(EndpointSlices, 'theirs', 'default')?.endpoints).toEqual([])
})

test('writes nothing for Services without a selector, and cleans up Endpoints of Services that are gone', async () => {
  putService('by-hand', { selector: undefined })
  putService('outside', { type: 'ExternalName', externalName: 'example.org' })
  putService('web')
  await loop.until(() => legacy()?.length === 0)
  expect(slices().map(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'])).toEqual(['web'])
  server.put(EndpointsResource, { metadata: { name: 'to-come', namespace: 'default' }, subsets: [] })
  server.remove(Services, 'web', 'default')
  await loop.until(() => server.read(EndpointsResource, 'web', 'default') === undefined)
  expect(server.read(EndpointsResource, 'to-come', 'default')).toBeDefined()
})
