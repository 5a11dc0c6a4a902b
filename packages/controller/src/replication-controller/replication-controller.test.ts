/**
 * The loop of ReplicationControllers over a real connection. It is the ReplicaSet's (see there); what differs is the
 * selector.
 */

import { Pods, ReplicationControllers } from '@dinghy/shared/api/resources'
import type { ReplicationController } from '@dinghy/shared/api/types'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { makePod, metaOf, webTemplate } from '../testing/objects.ts'
import { ReplicationManager } from './replication-controller.ts'

let loop: LoopTest

beforeEach(async () => {
  loop = await LoopTest.create()
  loop.start(ReplicationManager)
})
afterEach(() => loop.end())

const controller: ReplicationController = {
  apiVersion: 'v1',
  kind: 'ReplicationController',
  metadata: metaOf('web'),
  spec: { replicas: 2, selector: { app: 'web' }, template: webTemplate('v1') },
  status: { replicas: 0 },
}

test('keeps its number of pods, an adopted one among them', async () => {
  const { server } = loop
  server.put(Pods, makePod('orphan', { metadata: { labels: { app: 'web' } } }))
  server.put(Pods, makePod('stranger', { metadata: { labels: { app: 'db' } } }))
  server.put(ReplicationControllers, controller)
  await loop.until(() => server.read(ReplicationControllers, 'web', 'default')?.status.replicas === 2)
  const owners = server.all(Pods).map(({ metadata }) => metadata.ownerReferences?.[0]?.kind)
  expect(owners).toEqual(['ReplicationController', undefined, 'ReplicationController'])
})

test('without a selector it selects nothing, not everything', async () => {
  const { server } = loop
  const { selector: _none, ...spec } = controller.spec
  server.put(Pods, makePod('orphan', { metadata: { labels: { app: 'web' } } }))
  server.put(ReplicationControllers, { ...controller, spec: { ...spec, replicas: 0 } })
  await loop.pass(1_000)
  expect(server.read(Pods, 'orphan', 'default')?.metadata.ownerReferences).toBeUndefined()
})
