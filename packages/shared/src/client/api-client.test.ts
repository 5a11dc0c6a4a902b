import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../api/clock.ts'
import { StatusError, conflict, forbidden, hasReason } from '../api/errors.ts'
import { ConfigMaps, Deployments, Nodes, Pods } from '../api/resources.ts'
import { FakeClock } from '../api/clock.ts'
import { ApiClient } from './api-client.ts'
import { Backoff } from './backoff.ts'
import { withCause } from './causality.ts'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'

let server: TinyApiServer
let client: ApiClient
const never = new AbortController().signal

beforeEach(async () => {
  server = await TinyApiServer.start()
  client = new ApiClient({ server: server.url, userAgent: 'tester' })
})
afterEach(() => server.close())

function settings(name: string, data: Record<string, string> = {}) {
  return {
    metadata: { name, namespace: 'default' },
    data,
  }
}

test('creates, reads, updates, patches and deletes', async () => {
  const created = await client.create(ConfigMaps, settings('a', { x: '1' }))
  expect(created).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a', namespace: 'default' } })
  await client.update(ConfigMaps, { ...created, data: { x: '2' } })
  await client.patch(ConfigMaps, created.metadata, { type: 'merge', body: { data: { y: '3' } } })
  expect((await client.get(ConfigMaps, created.metadata)).data).toEqual({ x: '2', y: '3' })
  await client.delete(ConfigMaps, created.metadata, { preconditions: { uid: created.metadata.uid } })
  await expect(client.get(ConfigMaps, created.metadata)).rejects.toMatchObject({ code: 404, reason: 'NotFound' })
  expect(server.requests.at(-2)?.body).toMatchObject({
    kind: 'DeleteOptions',
    preconditions: { uid: created.metadata.uid },
  })
})

test('every request names its actor, and its cause when there is one', async () => {
  await withCause('120', async () => {
    await Promise.resolve()
    await client.as('deployment-controller').list(Pods)
  })
  await client.list(Pods)
  const [caused, uncaused] = server.requests
  expect(caused?.headers).toMatchObject({ 'user-agent': 'deployment-controller', 'x-dinghy-cause': '120' })
  expect(uncaused?.headers['user-agent']).toBe('tester')
  expect(uncaused?.headers).not.toHaveProperty('x-dinghy-cause')
})

test('list items say what they are, although the wire does not repeat it', async () => {
  server.put(ConfigMaps, settings('a'))
  const { items, metadata } = await client.list(ConfigMaps, { namespace: 'default' })
  expect(items).toMatchObject([{ kind: 'ConfigMap', apiVersion: 'v1' }])
  expect(metadata.resourceVersion).toBe('1')
})

test('metadata only: whole objects of a server that cannot do it are cut down', async () => {
  server.put(ConfigMaps, settings('a', { x: '1' }))
  const { items } = await client.list(ConfigMaps, { metadataOnly: true })
  expect(items).toEqual([{ apiVersion: 'v1', kind: 'ConfigMap', metadata: expect.objectContaining({ name: 'a' }) }])
  expect(server.requests[0]?.headers.accept).toContain('as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,')
  for await (const event of client.watch(ConfigMaps, { resourceVersion: '0', metadataOnly: true }, never)) {
    expect(event.object).toEqual(items[0])
    break
  }
})

test('deletes a whole collection', async () => {
  for (const name of ['a', 'b']) server.put(ConfigMaps, settings(name))
  server.put(ConfigMaps, { metadata: { name: 'c', namespace: 'other' } })
  await client.deleteCollection(ConfigMaps, { namespace: 'default' }, { propagationPolicy: 'Background' })
  expect(server.all(ConfigMaps).map(({ metadata }) => metadata.name)).toEqual(['c'])
})

test.each([
  ['merge', 'application/merge-patch+json'],
  ['json', 'application/json-patch+json'],
  ['strategic', 'application/strategic-merge-patch+json'],
  ['apply', 'application/apply-patch+yaml'],
] as const)('a %s patch is sent as %s', async (type, contentType) => {
  server.put(ConfigMaps, settings('a'))
  const options = { fieldManager: 'me', force: true, dryRun: true }
  await client.patch(ConfigMaps, { namespace: 'default', name: 'a' }, { type, body: {} }, options)
  expect(server.requests[0]?.headers['content-type']).toBe(contentType)
  expect(server.requests[0]?.query.toString()).toBe('dryRun=All&fieldManager=me&force=true')
})

test.each([
  [
    () => client.list(Deployments, { namespace: 'shop', labelSelector: 'app in (a,b)' }),
    '/apis/apps/v1/namespaces/shop/deployments',
  ],
  [() => client.list(Nodes, {}), '/api/v1/nodes'],
  [() => client.list(Pods, { limit: 5, continue: 'abc' }), '/api/v1/pods'],
])('paths of requests (%#)', async (call, path) => {
  await call()
  expect(server.requests[0]?.path).toBe(path)
})

describe('errors', () => {
  test('the Status of the server is thrown as it came', async () => {
    server.failNext = () => forbidden('', 'pods', 'web', 'no room')
    const error: unknown = await client
      .get(Pods, { namespace: 'default', name: 'web' })
      .catch((error: unknown) => error)
    expect(error).toBeInstanceOf(StatusError)
    expect((error as StatusError).status).toMatchObject({ code: 403, message: 'pods "web" is forbidden: no room' })
  })

  test('a server that is not there is ServiceUnavailable', async () => {
    await server.close()
    const error: unknown = await client.list(Pods).catch((error: unknown) => error)
    expect(hasReason(error, 'ServiceUnavailable')).toBe(true)
    expect((error as StatusError).cause).toMatchObject({ code: 'ECONNREFUSED' })
    await server.listen()
  })

  test('one that is not there is waited for until it listens, any other failure as the backoff says', async () => {
    const clock = new FakeClock()
    const backoff = new Backoff(clock)
    await server.close()
    const gone: unknown = await client.list(Pods).catch((error: unknown) => error)
    const again = client.pauseAfter(gone, backoff, systemClock, never).then(() => client.list(Pods))
    await server.listen()
    expect((await again).items).toEqual([])
    let isOver = false
    const paused = client.pauseAfter(forbidden('', 'pods', 'web', 'no'), backoff, clock, never)
    void paused.then(() => (isOver = true))
    await clock.advance(29)
    expect(isOver).toBe(false)
    await clock.advance(30)
    expect(isOver).toBe(true)
  })

  test('an abort rejects with its own reason', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const watch = client.watch(Pods, {}, controller.signal)
    const ended = (async () => {
      for await (const event of watch) expect(event).toBeUndefined()
    })()
    while (server.watchers === 0) await new Promise(setImmediate)
    controller.abort(reason)
    await expect(ended).rejects.toBe(reason)
  })
})

describe('watch', () => {
  test('delivers what happened after the revision, in order', async () => {
    server.put(ConfigMaps, settings('a'))
    server.put(ConfigMaps, settings('b'))
    server.remove(ConfigMaps, 'a', 'default')
    const seen: string[] = []
    for await (const { type, object } of client.watch(ConfigMaps, { resourceVersion: '1' }, never)) {
      seen.push(`${type} ${object.metadata.name}`)
      if (seen.length === 2) break
    }
    expect(seen).toEqual(['ADDED b', 'DELETED a'])
  })

  test('an object larger than one packet arrives whole', async () => {
    const text = 'é'.repeat(200_000)
    server.put(ConfigMaps, settings('a', { text }))
    for await (const { object } of client.watch(ConfigMaps, { resourceVersion: '0' }, never)) {
      expect(object.data?.['text']).toBe(text)
      break
    }
  })

  test('a refused watch throws', async () => {
    server.failNext = () => conflict('', 'pods', '', 'no')
    const first = client.watch(Pods, {}, never)[Symbol.asyncIterator]().next()
    await expect(first).rejects.toMatchObject({ reason: 'Conflict' })
  })
})
