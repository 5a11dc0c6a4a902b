/**
 * Hand-written Endpoints over a real connection: mirrored while there is a Service without a selector, and no longer.
 */

import { EndpointSlices, EndpointsResource, Services } from '@dinghy/shared/api/resources'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { EndpointSliceMirroringController } from './mirroring-controller.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  loop.start(EndpointSliceMirroringController)
})
afterEach(() => loop.end())

const metadata = { name: 'outside', namespace: 'default' }
function putEndpoints(...ips: string[]): void {
  const subsets = [{ addresses: ips.map((ip) => ({ ip })), ports: [{ port: 5432 }] }]
  server.put(EndpointsResource, { metadata, subsets })
}
function addresses(): string {
  return server
    .all(EndpointSlices)
    .flatMap(({ endpoints }) => endpoints.flatMap((one) => one.addresses))
    .join(' ')
}

test('are mirrored, follow changes, and go with the Service', async () => {
  putEndpoints('192.0.2.1')
  await loop.pass(1_000)
  expect(server.all(EndpointSlices)).toEqual([])
  server.put(Services, { metadata, spec: { ports: [{ port: 5432 }] } })
  await loop.until(() => addresses() === '192.0.2.1')
  putEndpoints('192.0.2.1', '192.0.2.2')
  await loop.until(() => addresses() === '192.0.2.1 192.0.2.2')
  const [slice] = server.all(EndpointSlices)
  if (slice) server.put(EndpointSlices, { ...slice, endpoints: [] })
  await loop.until(() => addresses() === '192.0.2.1 192.0.2.2')
  server.remove(Services, 'outside', 'default')
  await loop.until(() => server.all(EndpointSlices).length === 0)
})

test('a Service with a selector has slices of its own: nothing is mirrored', async () => {
  server.put(Services, { metadata, spec: { selector: { app: 'db' }, ports: [{ port: 5432 }] } })
  putEndpoints('192.0.2.1')
  await loop.pass(2_000)
  expect(server.all(EndpointSlices)).toEqual([])
})
