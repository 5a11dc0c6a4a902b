import { Events, Services } from '@dinghy/shared/api/resources'
import type { ObjectMeta, Service } from '@dinghy/shared/api/types'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { at, metaOf } from '../testing/objects.ts'
import { cleanupFinalizer, ServiceLoadBalancerController } from './service-load-balancer-controller.ts'

let loop: LoopTest

beforeEach(async () => {
  loop = await LoopTest.create()
  loop.flags = { loadBalancerPool: { first: '172.30.0.201', last: '172.30.0.202' } }
})
afterEach(() => loop.end())

function put(name: string, spec: Partial<Service['spec']> = {}, metadata: Partial<ObjectMeta> = {}): void {
  const whole = { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec }
  loop.server.put(Services, { metadata: metaOf(name, metadata), spec: whole, status: { loadBalancer: {} } })
}
function service(name: string): Service | undefined {
  return loop.server.read(Services, name, 'default')
}
function addressOf(name: string): string | undefined {
  return service(name)?.status.loadBalancer?.ingress?.[0]?.ip
}
function reasons(): string[] {
  return loop.server.all(Events).map(({ reason = '' }) => reason)
}

test('each Service gets an address of its own; the next waits until one is free', async () => {
  put('a')
  put('b')
  loop.start(ServiceLoadBalancerController)
  await loop.until(() => addressOf('a') !== undefined && addressOf('b') !== undefined)
  expect(new Set([addressOf('a'), addressOf('b')])).toEqual(new Set(['172.30.0.201', '172.30.0.202']))
  expect(service('a')?.metadata.finalizers).toEqual([cleanupFinalizer])
  put('c')
  await loop.until(() => reasons().includes('SyncLoadBalancerFailed'))
  expect(addressOf('c')).toBeUndefined()

  // Deleted, it is kept until its address has been taken back.
  const held = service('a')
  const metadata = { ...held?.metadata, name: 'a', deletionTimestamp: at(9) }
  if (held) loop.server.put(Services, { ...held, metadata })
  await loop.until(() => service('a') === undefined)
  await loop.until(() => addressOf('c') !== undefined)
  expect(reasons()).toEqual(
    expect.arrayContaining(['EnsuringLoadBalancer', 'EnsuredLoadBalancer', 'DeletedLoadBalancer']),
  )
})

test('a Service of another type, or of another class, is left alone; one that becomes it gives its address back', async () => {
  put('plain', { type: 'ClusterIP' })
  put('other', { loadBalancerClass: 'example.com/lb' })
  put('mine', { loadBalancerIP: '172.30.0.202' })
  loop.start(ServiceLoadBalancerController)
  await loop.until(() => addressOf('mine') === '172.30.0.202')
  const mine = service('mine')
  if (mine) loop.server.put(Services, { ...mine, spec: { ...mine.spec, type: 'NodePort' } })
  await loop.until(() => addressOf('mine') === undefined && service('mine')?.metadata.finalizers?.length !== 1)
  expect([addressOf('plain'), addressOf('other'), service('other')?.metadata.finalizers]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('without a pool nothing is done', async () => {
  loop.flags = { loadBalancerPool: undefined }
  put('a')
  loop.start(ServiceLoadBalancerController)
  await loop.pass(1_000)
  expect([addressOf('a'), service('a')?.metadata.finalizers]).toEqual([undefined, undefined])
})
