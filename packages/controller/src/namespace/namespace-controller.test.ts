import { ConfigMaps, Deployments, Namespaces, Nodes, Pods } from '@dinghy/shared/api/resources'
import type { Namespace } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { at, makePod } from '../testing/objects.ts'
import { LoopTest } from '../testing/loop.ts'
import { NamespaceController } from './namespace-controller.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  server.resources = [Namespaces, Nodes, ConfigMaps, Pods, Deployments]
  server.put(Namespaces, {
    metadata: { name: 'shop' },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  })
  server.put(ConfigMaps, { metadata: { name: 'settings', namespace: 'shop' } })
  server.put(ConfigMaps, { metadata: { name: 'settings', namespace: 'other' } })
  loop.start(NamespaceController)
})
afterEach(() => loop.end())

function shop(): Namespace | undefined {
  return server.read(Namespaces, 'shop')
}
function problems(): string[] {
  return (shop()?.status.conditions ?? []).flatMap(({ status, message }) => (status === 'True' ? [message ?? ''] : []))
}

function markDeleted(): void {
  const namespace = shop()
  if (namespace)
    server.put(Namespaces, { ...namespace, metadata: { ...namespace.metadata, deletionTimestamp: at(0) } } as Namespace)
}

test('a namespace that is not deleted is left alone', async () => {
  await loop.pass(5_000)
  expect(server.requests.filter(({ method }) => method !== 'GET')).toEqual([])
})

test('its contents go, then its finalizer; other namespaces and the cluster keep theirs', async () => {
  server.put(Nodes, { metadata: { name: 'node-1' } })
  markDeleted()
  await loop.until(() => shop() === undefined)
  expect(server.all(ConfigMaps).map(({ metadata }) => metadata.namespace)).toEqual(['other'])
  expect(server.all(Nodes)).toHaveLength(1)
  const writes = server.requests.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`)
  expect(writes).toEqual([
    'PUT /api/v1/namespaces/shop/status',
    'DELETE /api/v1/namespaces/shop/configmaps',
    'PUT /api/v1/namespaces/shop/status',
    'PUT /api/v1/namespaces/shop/finalize',
  ])
})

test('pods go first, and what holds it up can be read', async () => {
  server.put(Pods, makePod('stuck', { metadata: { namespace: 'shop', finalizers: ['example.com/hold'] } }))
  // A server that honours finalizers: the collection is asked to go, and stays.
  const stuck = server.read(Pods, 'stuck', 'shop')
  let isHeld = true
  server.failNext = ({ method, path }) => {
    if (isHeld && method === 'DELETE' && path.endsWith('/pods')) setImmediate(() => stuck && server.put(Pods, stuck))
    return undefined
  }
  markDeleted()
  await loop.until(() => shop()?.status.phase === 'Terminating')
  await loop.pass(5_000)
  expect(server.all(ConfigMaps)).toHaveLength(2)
  expect(shop()?.spec.finalizers).toEqual(['kubernetes'])
  expect(problems()).toEqual([
    'Some resources are remaining: pods. has 1 resource instances',
    'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
  ])
  isHeld = false
  await loop.pass(3_000)
  await loop.until(() => shop() === undefined)
})
