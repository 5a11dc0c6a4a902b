import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { keyOf } from '../api/keys.ts'
import { ConfigMaps, Nodes } from '../api/resources.ts'
import { parseLabelSelector } from '../api/selectors.ts'
import type { ConfigMap } from '../api/types.ts'
import { ApiClient } from './api-client.ts'
import { Informer, Informers, type Change } from './informer.ts'
import type { Logger } from './stderr-logger.ts'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

let server: TinyApiServer
let clock: FakeClock
let stop: AbortController
let client: ApiClient

beforeEach(async () => {
  server = await TinyApiServer.start()
  clock = new FakeClock()
  stop = new AbortController()
  client = new ApiClient({ server: server.url, userAgent: 'tester' })
})
afterEach(async () => {
  stop.abort()
  await server.close()
})

function settings(name: string, data: Record<string, string> = {}, namespace = 'default') {
  return {
    metadata: { name, namespace, labels: { name } },
    data,
  }
}

/** Lets real I/O and the fake clock's pauses take their course until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not so: ${String(condition)}`)
    await clock.advance(20)
  }
}

/** A started informer and a log of what its handlers heard: "added a@1". */
function started(): { informer: Informer<ConfigMap>; heard: string[] } {
  const informer = new Informer(client, ConfigMaps, { clock, log: quiet })
  const heard: string[] = []
  informer.onChange(({ type, object, revision }) => heard.push(`${type} ${object.metadata.name}@${revision}`))
  void informer.run(stop.signal)
  return { informer, heard }
}

test('lists, then follows', async () => {
  server.put(ConfigMaps, settings('a'))
  const { informer, heard } = started()
  expect(informer.hasSynced()).toBe(false)
  await informer.synced()
  server.put(ConfigMaps, settings('b'))
  server.put(ConfigMaps, settings('a', { x: '1' }))
  server.remove(ConfigMaps, 'b', 'default')
  await until(() => heard.length === 4)
  expect(heard).toEqual(['added a@1', 'added b@2', 'updated a@3', 'deleted b@4'])
  expect(informer.lister.list().map(keyOf)).toEqual(['default/a'])
})

test('a beginning that was cut off is not taken for all that there is', async () => {
  for (const name of ['a', 'b']) server.put(ConfigMaps, settings(name))
  server.cutBeginnings = 1
  const { informer, heard } = started()
  await until(() => server.requests.length > 0)
  await until(() => informer.hasSynced())
  expect(heard).toEqual(['added a@1', 'added b@2'])
  expect(server.requests).toHaveLength(2)
})

test('from a server whose watches do not begin with what there is, it takes a list first', async () => {
  server.servesWatchLists = false
  server.put(ConfigMaps, settings('a'))
  const { informer, heard } = started()
  await informer.synced()
  await until(() => server.watchers === 1)
  server.put(ConfigMaps, settings('b'))
  await until(() => heard.length === 2)
  expect(heard).toEqual(['added a@1', 'added b@2'])
  expect(server.requests.map(({ query }) => query.has('watch'))).toEqual([true, false, true])
})

test('handlers find the change already in the lister, and the previous object beside it', async () => {
  server.put(ConfigMaps, settings('a', { x: '1' }))
  const { informer } = started()
  const found: unknown[] = []
  informer.onChange(({ object, previous }) =>
    found.push([informer.lister.get(keyOf(object)) === object, previous?.data]),
  )
  await informer.synced()
  server.put(ConfigMaps, settings('a', { x: '2' }))
  await until(() => found.length === 2)
  expect(found).toEqual([
    [true, undefined],
    [true, { x: '1' }],
  ])
})

test('a handler that comes late hears of everything that is there', async () => {
  server.put(ConfigMaps, settings('a'))
  const { informer } = started()
  await informer.synced()
  const heard: Change<ConfigMap>[] = []
  informer.onChange((change) => heard.push(change))
  expect(heard).toMatchObject([{ type: 'added', revision: '1' }])
})

describe('nothing is lost or told twice', () => {
  test('when the connection breaks', async () => {
    const { informer, heard } = started()
    await informer.synced()
    await until(() => server.watchers === 1)
    server.put(ConfigMaps, settings('a'))
    await until(() => heard.length === 1)
    server.breakWatches()
    server.put(ConfigMaps, settings('b'))
    await until(() => heard.length === 2)
    expect(heard).toEqual(['added a@1', 'added b@2'])
    expect(server.requests.filter(({ query }) => query.has('sendInitialEvents'))).toHaveLength(1)
  })

  test('when the server restarts', async () => {
    const { informer, heard } = started()
    await informer.synced()
    await server.close()
    server.put(ConfigMaps, settings('a'))
    await clock.advance(5_000)
    await server.listen()
    await until(() => heard.length === 1)
    expect(heard).toEqual(['added a@1'])
  })

  test('when the history it needs is gone: it lists again and works out the difference', async () => {
    for (const name of ['kept', 'changed', 'deleted', 'replaced']) server.put(ConfigMaps, settings(name))
    const { informer, heard } = started()
    await informer.synced()
    heard.length = 0
    await until(() => server.watchers === 1)
    await server.close()
    server.put(ConfigMaps, settings('changed', { x: '1' }))
    server.remove(ConfigMaps, 'deleted', 'default')
    server.remove(ConfigMaps, 'replaced', 'default')
    server.put(ConfigMaps, settings('replaced'))
    server.put(ConfigMaps, settings('new'))
    server.compact()
    await server.listen()
    await until(() => heard.length === 5)
    expect(heard.toSorted()).toEqual([
      'added new@9',
      'added replaced@8',
      'deleted deleted@9',
      'deleted replaced@8',
      'updated changed@5',
    ])
  })

  test('a bookmark moves the revision on, so that a compaction costs nothing', async () => {
    const { informer, heard } = started()
    await informer.synced()
    await until(() => server.watchers === 1)
    server.revision = 50
    server.bookmark()
    server.compact()
    server.put(ConfigMaps, settings('a'))
    await until(() => heard.length === 1)
    server.breakWatches()
    server.put(ConfigMaps, settings('b'))
    await until(() => heard.length === 2)
    expect(server.requests.filter(({ query }) => query.has('sendInitialEvents'))).toHaveLength(1)
  })
})

test('a failing handler keeps nothing from the others', async () => {
  const { informer, heard } = started()
  informer.onChange(() => {
    throw new Error('broken')
  })
  const after: string[] = []
  informer.onChange(({ object }) => after.push(object.metadata.name))
  server.put(ConfigMaps, settings('a'))
  await until(() => after.length === 1)
  expect(heard).toHaveLength(1)
})

test('what a lister returns cannot be changed', async () => {
  server.put(ConfigMaps, settings('a', { x: '1' }))
  const { informer } = started()
  await informer.synced()
  const object = informer.lister.get('default/a')
  expect(() => Object.assign(object?.data ?? {}, { x: '2' })).toThrow(TypeError)
})

test('indexes and selectors', async () => {
  server.put(ConfigMaps, settings('a', { owner: 'x' }))
  server.put(ConfigMaps, settings('b', { owner: 'y' }))
  server.put(ConfigMaps, settings('c', { owner: 'x' }, 'other'))
  const { informer } = started()
  await informer.synced()
  informer.addIndex('owner', ({ data }) => (data?.['owner'] ? [data['owner']] : []))
  const names = (objects: ConfigMap[]): string[] => objects.map(({ metadata }) => metadata.name).sort()
  expect(names(informer.lister.byIndex('owner', 'x'))).toEqual(['a', 'c'])
  expect(names(informer.lister.list({ namespace: 'default' }))).toEqual(['a', 'b'])
  expect(names(informer.lister.list({ selector: parseLabelSelector('name!=a') }))).toEqual(['b', 'c'])
  server.put(ConfigMaps, settings('a', { owner: 'y' }))
  await until(() => informer.lister.byIndex('owner', 'y').length === 2)
  expect(names(informer.lister.byIndex('owner', 'x'))).toEqual(['c'])
  expect(() => informer.lister.byIndex('unknown', 'x')).toThrow('no index')
})

test('Informers share one watch for each selection, and start the latecomers', async () => {
  const informers = new Informers(client, { clock, log: quiet })
  const first = informers.for(ConfigMaps)
  expect(informers.for(ConfigMaps)).toBe(first)
  expect(informers.for(ConfigMaps, { namespace: 'default' })).not.toBe(first)
  informers.start(stop.signal)
  await informers.synced()
  await informers.for(ConfigMaps, { labelSelector: 'a=b' }).synced()
  await until(() => server.watchers === 3)
  expect(server.requests.filter(({ query }) => query.has('watch'))).toHaveLength(3)
})

test('an object without its spec or status is shown with empty ones, and neither handlers nor indexes stumble', async () => {
  const nodes = new Informer(client, Nodes, { clock, log: quiet })
  nodes.addIndex('taint', ({ spec }) => (spec.taints ?? []).map(({ key }) => key))
  nodes.addIndex('condition', ({ status }) => (status.conditions ?? []).map(({ type }) => type))
  const heard: string[] = []
  nodes.onChange(({ type, object: { metadata, spec, status } }) => {
    heard.push(`${type} ${metadata.name} ${JSON.stringify([spec, status])}`)
  })
  server.put(Nodes, { metadata: { name: 'bare' }, spec: {}, status: null } as never)
  void nodes.run(stop.signal)
  await nodes.synced()
  server.put(Nodes, { metadata: { name: 'later' }, spec: null, status: { phase: 'Running' } } as never)
  server.put(Nodes, { metadata: { name: 'good' }, spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] } })
  server.remove(Nodes, 'bare')
  await until(() => heard.length === 4)
  expect(heard).toEqual([
    'added bare [{},{}]',
    'added later [{},{"phase":"Running"}]',
    'added good [{"taints":[{"key":"gpu","effect":"NoSchedule"}]},{}]',
    'deleted bare [{},{}]',
  ])
  expect(nodes.lister.byIndex('taint', 'gpu').map(({ metadata }) => metadata.name)).toEqual(['good'])
})

test('watches by another connection when it is told to, and misses nothing', async () => {
  server.put(ConfigMaps, settings('a'))
  const { informer, heard } = started()
  await informer.synced()
  const watches = () => server.requests.filter(({ query }) => query.get('watch') === 'true')
  await until(() => watches().length === 1 && server.watchers === 1)
  informer.reconnect()
  server.put(ConfigMaps, settings('b'))
  await until(() => heard.length === 2)
  expect(heard).toEqual(['added a@1', 'added b@2'])
  // The first begins with all that there is, the second where the first was.
  expect(watches().map(({ query }) => query.get('resourceVersion'))).toEqual([null, '1'])
})
