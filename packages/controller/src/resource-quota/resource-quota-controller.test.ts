import { Pods, ResourceQuotas, Services } from '@dinghy/shared/api/resources'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makePod } from '../testing/objects.ts'
import { LoopTest } from '../testing/loop.ts'
import { ResourceQuotaController } from './resource-quota-controller.ts'

let loop: LoopTest

beforeEach(async () => {
  loop = await LoopTest.create()
})
afterEach(() => loop.end())

function status() {
  return loop.server.read(ResourceQuotas, 'quota', 'default')?.status
}
function putQuota(hard: Record<string, string>) {
  const metadata = { name: 'quota', namespace: 'default' }
  loop.server.put(ResourceQuotas, { metadata, spec: { hard } })
}

test('the status shows what is allowed and what is used, and follows both', async () => {
  putQuota({ pods: '5', services: '2' })
  loop.server.put(Pods, makePod('a'))
  loop.server.put(Pods, { ...makePod('b'), metadata: { ...makePod('b').metadata, namespace: 'elsewhere' } })
  loop.start(ResourceQuotaController)
  await loop.until(() => status()?.used?.['pods'] === '1')
  expect(status()).toEqual({ hard: { pods: '5', services: '2' }, used: { pods: '1', services: '0' } })

  loop.server.put(Services, { metadata: { name: 'web', namespace: 'default' }, spec: {} })
  loop.server.put(Pods, makePod('c'))
  await loop.until(() => status()?.used?.['pods'] === '2' && status()?.used?.['services'] === '1')
  loop.server.remove(Pods, 'a', 'default')
  await loop.until(() => status()?.used?.['pods'] === '1')

  putQuota({ pods: '9' })
  await loop.until(() => status()?.hard?.['pods'] === '9')
  expect(status()?.used).toEqual({ pods: '1' })
})
