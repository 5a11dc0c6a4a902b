import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Json } from '../testing/server-fixture.ts'
import { serverFixture } from '../testing/server-fixture.ts'
import { restMs } from './write-pace.ts'

let fixture: Awaited<ReturnType<typeof serverFixture>>
beforeAll(async () => {
  fixture = await serverFixture()
})
afterAll(() => fixture.close())

const secrets = '/api/v1/namespaces/default/secrets'
async function create(name: string, labels: Record<string, string> = {}) {
  const answer = await fixture.ask('POST', secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name, labels } })
  return (answer.json as unknown as { metadata: { resourceVersion: string } }).metadata.resourceVersion
}
function relabel(name: string, labels: Record<string, string | null>) {
  return fixture.ask(
    'PATCH',
    `${secrets}/${name}`,
    { metadata: { labels } },
    { 'content-type': 'application/merge-patch+json' },
  )
}
function remove(name: string) {
  return fixture.ask('DELETE', `${secrets}/${name}`)
}
function told(event: Json | undefined) {
  const { type, object } = event as unknown as { type: string; object: { metadata: { name?: string } } }
  return `${type} ${object.metadata.name ?? ''}`
}

test('from now on: each change once, with the revision that made it', async () => {
  const watch = await fixture.watch(`${secrets}?watch=true&resourceVersion=${fixture.storage.revision}`)
  await create('a')
  await relabel('a', { x: 'y' })
  await remove('a')
  expect([told(await watch.next()), told(await watch.next())]).toEqual(['ADDED a', 'MODIFIED a'])
  const last = await watch.next()
  expect(told(last)).toBe('DELETED a')
  expect(last?.['object']?.['metadata']?.['resourceVersion']).toBe(String(fixture.storage.revision))
  watch.close()
})

test('without a revision it begins with what is there', async () => {
  await create('b')
  const watch = await fixture.watch(`${secrets}?watch=1&fieldSelector=metadata.name=b`)
  expect(told(await watch.next())).toBe('ADDED b')
  await remove('b')
  expect(told(await watch.next())).toBe('DELETED b')
  watch.close()
})

test('a selector turns changes into comings and goings', async () => {
  const watch = await fixture.watch(`${secrets}?watch=1&labelSelector=on=yes`)
  await create('c')
  await relabel('c', { on: 'yes' })
  await relabel('c', { more: '1' })
  await relabel('c', { on: null })
  await relabel('c', { more: '2' })
  await remove('c')
  await create('d', { on: 'yes' })
  const seen = []
  for (let i = 0; i < 4; i++) seen.push(told(await watch.next()))
  expect(seen).toEqual(['ADDED c', 'MODIFIED c', 'DELETED c', 'ADDED d'])
  await remove('d')
  watch.close()
})

test('sendInitialEvents says where the beginning ends', async () => {
  await create('e')
  const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
  const watch = await fixture.watch(`${secrets}?${query}`)
  expect(told(await watch.next())).toBe('ADDED e')
  expect(await watch.next()).toEqual({
    type: 'BOOKMARK',
    object: {
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: {
        resourceVersion: String(fixture.storage.revision),
        creationTimestamp: null,
        annotations: { 'k8s.io/initial-events-end': 'true' },
      },
    },
  })
  await remove('e')
  watch.close()
})

test('bookmarks come every minute, and the end when it was asked for', async () => {
  const watch = await fixture.watch(
    `${secrets}?watch=1&resourceVersion=${fixture.storage.revision}&allowWatchBookmarks=true&timeoutSeconds=90`,
  )
  await fixture.clock.advance(60_000)
  const bookmark = await watch.next()
  expect(bookmark).toMatchObject({
    type: 'BOOKMARK',
    object: { metadata: { resourceVersion: String(fixture.storage.revision) } },
  })
  await fixture.clock.advance(30_000)
  expect(await watch.next()).toBeUndefined()
})

test('a past that is gone is an ERROR event', async () => {
  const from = await create('f')
  await relabel('f', { x: '1' })
  fixture.storage.compact(fixture.storage.revision)
  const watch = await fixture.watch(`${secrets}?watch=1&resourceVersion=${from}`)
  expect(watch.code).toBe(200)
  expect(await watch.next()).toMatchObject({
    type: 'ERROR',
    object: {
      kind: 'Status',
      code: 410,
      reason: 'Expired',
      message: 'The resourceVersion for the provided watch is too old.',
    },
  })
  expect(await watch.next()).toBeUndefined()
  await remove('f')
})

test('a revision from the future belongs to another database: list anew', async () => {
  const watch = await fixture.watch(`${secrets}?watch=1&resourceVersion=999999`)
  expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
})

test('as a Table, each event is a row', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
  const watch = await fixture.watch(`${secrets}?watch=1&resourceVersion=${fixture.storage.revision}`, { accept })
  await create('g')
  await remove('g')
  const first = await watch.next()
  expect(first).toMatchObject({
    type: 'ADDED',
    object: { kind: 'Table', rows: [{ cells: ['g', expect.anything(), 0, expect.anything()] }] },
  })
  expect(first?.['object']?.['columnDefinitions']?.length).toBeGreaterThan(2)
  expect(await watch.next()).toMatchObject({ type: 'DELETED', object: { kind: 'Table', rows: [{}] } })
  watch.close()
})

test.each([
  ['resourceVersionMatch=NotOlderThan&resourceVersion=1', 422],
  ['sendInitialEvents=true', 422],
  ['resourceVersion=abc', 400],
])('%s is refused', async (query, code) => {
  expect((await fixture.ask('GET', `${secrets}?watch=1&${query}`)).code).toBe(code)
})

test.each([
  [1, 0],
  [100, 0],
  [120, 2],
  [600, 10],
  [100_000, 100],
])('of %i streams each rests for %i ms after a write', (streams, ms) => {
  expect(restMs(streams)).toBe(ms)
})

test('what happens in one turn leaves in one chunk, and no event is lost or told twice', async () => {
  const watch = await fixture.watch(`${secrets}?watch=true&resourceVersion=${fixture.storage.revision}`)
  const names = Array.from({ length: 20 }, (_, i) => `many-${i}`)
  await Promise.all(names.map((name) => create(name)))
  const seen = []
  for (const _ of names) seen.push(told(await watch.next()))
  expect(seen.sort()).toEqual(names.map((name) => `ADDED ${name}`).sort())
  await Promise.all(names.map(remove))
  watch.close()
})
