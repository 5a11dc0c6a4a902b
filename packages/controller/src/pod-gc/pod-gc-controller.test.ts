/**
 * The pod garbage collector over a real connection.
 */

import { Nodes, Pods } from '@dinghy/shared/api/resources'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { at, makeNode, makePod } from '../testing/objects.ts'
import { PodGcController } from './pod-gc-controller.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  server.put(Nodes, makeNode('n1'))
})
afterEach(() => loop.end())

function names(): string {
  return server
    .all(Pods)
    .map(({ metadata }) => metadata.name)
    .join(' ')
}

test('a pod whose node is gone is marked Failed, with the reason, and deleted; others stay', async () => {
  server.put(Pods, makePod('here', { node: 'n1' }))
  server.put(Pods, makePod('lost', { node: 'n2' }))
  loop.start(PodGcController)
  await loop.pass(30_000)
  expect(names()).toBe('here lost')
  await loop.until(() => names() === 'here')
  const patch = server.requests.find(({ method }) => method === 'PATCH')
  expect(patch?.body).toMatchObject({
    status: { phase: 'Failed', conditions: [{ type: 'DisruptionTarget', reason: 'DeletionByPodGC' }] },
  })
})

test('a node that only the cache misses saves its pods', async () => {
  server.put(Pods, makePod('here', { node: 'late' }))
  loop.start(PodGcController)
  await loop.until(() => server.watchers === 2)
  server.failNext = ({ query }) => {
    if (!query.has('watch')) return undefined
    throw new Error('no news')
  }
  server.breakWatches()
  server.put(Nodes, makeNode('late'))
  await loop.pass(90_000)
  expect(names()).toBe('here')
  expect(server.requests.some(({ method, path }) => method === 'GET' && path.endsWith('/nodes/late'))).toBe(true)
})

test('a pod that was deleted before it had a node is taken away', async () => {
  server.put(Pods, makePod('waiting', {}))
  server.put(Pods, makePod('given-up', { phase: 'Pending', metadata: { deletionTimestamp: at(0) } }))
  loop.start(PodGcController)
  await loop.until(() => names() === 'waiting')
})

test('finished pods beyond the threshold go, the oldest first', async () => {
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    server.put(Pods, makePod(name, { node: 'n1', phase: 'Succeeded', metadata: { creationTimestamp: at(index) } }))
  }
  loop.flags = { terminatedPodGcThreshold: 1 }
  loop.start(PodGcController)
  await loop.until(() => names() === 'c')
})
