/**
 * What every namespace gets: a ServiceAccount and the CA bundle.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { ConfigMaps, Namespaces, ServiceAccounts } from '@dinghy/shared/api/resources'
import type { Namespace } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { at } from '../testing/objects.ts'
import { LoopTest } from '../testing/loop.ts'
import { RootCaController } from '../root-ca/root-ca-controller.ts'
import { ServiceAccountController } from '../service-account/service-account-controller.ts'
import { isSettled } from '../children/active-namespace.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  server.put(Namespaces, { metadata: { name: 'shop' } })
  loop.flags = { rootCa: 'the authority\n' }
  loop.start(ServiceAccountController, RootCaController)
  await loop.until(() => account() !== undefined && bundle() !== undefined)
})
afterEach(() => loop.end())

function account(namespace = 'shop') {
  return server.read(ServiceAccounts, 'default', namespace)
}
function bundle(namespace = 'shop') {
  return server.read(ConfigMaps, 'kube-root-ca.crt', namespace)
}

test('a new namespace gets both', async () => {
  server.put(Namespaces, { metadata: { name: 'other' } })
  await loop.until(() => account('other') !== undefined && bundle('other') !== undefined)
  expect(bundle('other')?.data).toEqual({ 'ca.crt': 'the authority\n' })
})

test('deleted, they come back', async () => {
  const first = account()?.metadata.uid
  server.remove(ServiceAccounts, 'default', 'shop')
  server.remove(ConfigMaps, 'kube-root-ca.crt', 'shop')
  await loop.until(() => account() !== undefined && bundle() !== undefined)
  expect(account()?.metadata.uid).not.toBe(first)
})

test('a bundle that somebody changed is put right', async () => {
  const right = bundle()?.data
  server.put(ConfigMaps, { metadata: { name: 'kube-root-ca.crt', namespace: 'shop' }, data: { 'ca.crt': 'forged' } })
  await loop.until(() => bundle()?.data?.['ca.crt'] === right?.['ca.crt'])
})

test('in a namespace that is being deleted nothing is made', async () => {
  server.put(Namespaces, { metadata: { name: 'shop', deletionTimestamp: at(0) } } as Namespace)
  await loop.pass(500)
  server.remove(ServiceAccounts, 'default', 'shop')
  await loop.pass(2_000)
  expect(account()).toBeUndefined()
})

test.each([
  [
    forbidden(
      '',
      'serviceaccounts',
      'default',
      'unable to create new content in namespace shop because it is being terminated',
    ),
    true,
  ],
  [forbidden('', 'serviceaccounts', 'default', 'not you'), false],
  [new Error('x'), false],
])('settled? %s', (error, expected) => {
  expect(isSettled(error)).toBe(expected)
})
