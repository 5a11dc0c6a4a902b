import { statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { createLogger } from '@dinghy/shared/process/logger'
import { openStorage, temporaryDatabase } from '../testing/database-fixture.ts'
import { compactOnce, CompactionPlan, runCompaction } from './compaction.ts'
import type { HistoryRow } from './history-table.ts'
import { SqliteStorage } from './sqlite.ts'
import { RevisionCompacted } from './storage.ts'

const clock = new FakeClock()
const log = createLogger({ name: 'test', clock, write: () => undefined })
const { signal } = new AbortController()

describe('the plan', () => {
  /** So many rows of a key, one of 10 bytes at each revision. */
  const rows = (key: string, isPeoples: boolean, revisions: number[]): HistoryRow[] =>
    revisions.map((revision) => ({ revision, key, bytes: 10, isPeoples }))
  const cutsOf = (historyBytes: number, history: HistoryRow[]) => {
    const plan = new CompactionPlan(historyBytes)
    for (const row of history.toSorted((one, other) => other.revision - one.revision)) plan.add(row)
    return plan.cuts().map(({ prefix, revision, keepsPeoples }) => `${prefix || '/'} ${revision} ${keepsPeoples}`)
  }
  const leases = rows('/coordination.k8s.io/leases/a/b', false, [1, 2, 3, 4])
  const pods = rows('/core/pods/a/b', false, [5, 6, 7, 8])
  const people = rows('/apps/deployments/a/b', true, [9, 10, 11, 12])

  test.each<[string, number, HistoryRow[], string[]]>([
    ['room for everything', 1_000_000, [...leases, ...pods, ...people], []],
    ['nothing to keep', 0, [], []],
    ['two heartbeats', 640, leases, ['/coordination.k8s.io/leases/ 3 true']],
    ['three pods', 120, pods, ['/core/pods/ 6 true']],
    ['a person has a quarter', 80, people, ['/ 11 false']],
    ['of which heartbeats take nothing', 160, [...leases, ...people], ['/coordination.k8s.io/leases/ 4 true']],
    ['less room than one row needs', 1, pods, ['/core/pods/ 8 true', '/ 8 true']],
  ])('%s', (_what, historyBytes, history, cuts) => expect(cutsOf(historyBytes, history)).toEqual(cuts))
})

async function put(storage: SqliteStorage, key: string, actor: string, deleted = false): Promise<number> {
  const expected = storage.get(key)?.revision ?? 0
  const object = { kind: 'X', metadata: { name: key }, text: 'x'.repeat(400) } as unknown as KubernetesObject
  const [entry] = await storage.write([{ key, object, expected, actor, deleted }])
  return entry?.revision ?? 0
}

test('what people wrote outlives what the cluster wrote, and a past with gaps is not shown as one without', async () => {
  const storage = new SqliteStorage({ path: ':memory:', clock })
  const pod = '/core/pods/default/web'
  const mine = await put(storage, pod, 'kubectl-apply')
  for (let status = 0; status < 200; status++) await put(storage, pod, 'kubelet/node-1')
  const gone = await put(storage, pod, 'kubectl-delete', true)
  const config = '/core/configmaps/default/web'
  const [first, second] = [await put(storage, config, 'helm'), await put(storage, config, 'helm')]
  await compactOnce({ storage, historyBytes: 40_000, clock, log }, signal)
  const kept = storage.history(pod).map(({ revision }) => revision)
  expect([kept.at(0), kept.at(-1)]).toEqual([gone, mine])
  expect(kept.length).toBeLessThan(40)
  expect(storage.get(pod)).toBeUndefined()
  expect(() => storage.get(pod, mine)).toThrow(RevisionCompacted)
  expect(storage.get(config, first)?.revision).toBe(first)
  expect(storage.get(config, second)?.revision).toBe(second)
  storage.close()
})

test.each<[string, number | undefined, boolean]>([
  ['kubectl-apply', undefined, true],
  ['kubectl/my-tool', undefined, true],
  ['helm', undefined, true],
  ['kubelet-inspector', undefined, true],
  ['kubelet/node-1', undefined, false],
  ['kube-proxy/node-1', undefined, false],
  ['default-scheduler', undefined, false],
  ['node-lifecycle-controller', undefined, false],
  ['pod-garbage-collector', undefined, false],
  ['my-operator', 7, false],
])('a write by %s because of %s: is it a person’s? %s', async (actor, cause, isPeoples) => {
  const storage = new SqliteStorage({ path: ':memory:', clock })
  const object = { kind: 'X', metadata: { name: 'x' } } as unknown as KubernetesObject
  await storage.write([{ key: '/a/b', object, expected: 0, actor, cause, deleted: true }])
  expect([...storage.historyRows()]).toMatchObject([{ key: '/a/b', isPeoples }])
  storage.close()
})

test('a deleted object stays deleted, whoever wrote what and in whatever order it is forgotten', async () => {
  const path = temporaryDatabase()
  const storage = openStorage(path)
  const actors = ['kubectl-apply', 'kubelet/node-1', 'replicaset-controller', 'kubectl-edit']
  for (const [index, creator] of actors.entries()) {
    for (const deleter of actors) {
      const key = `/core/pods/default/${index}-${deleter}`
      await put(storage, key, creator)
      await put(storage, key, 'kubelet/node-1')
      await put(storage, key, deleter, true)
    }
  }
  for (const historyBytes of [20_000, 12_000, 8_000, 1]) {
    await compactOnce({ storage, historyBytes, clock, log }, signal)
    await put(storage, '/core/configmaps/default/x', 'kubectl-apply')
    expect(storage.list('/').entries.map(({ key }) => key)).toEqual(['/core/configmaps/default/x'])
  }
  // Once more: a tombstone goes after everything that it covered.
  await compactOnce({ storage, historyBytes: 1, clock, log }, signal)
  expect(storage.history('/core/pods/default/0-kubectl-edit')).toEqual([])
  storage.close()
  const again = openStorage(path)
  expect(again.list('/').entries.map(({ key }) => key)).toEqual(['/core/configmaps/default/x'])
  again.close()
})

test('the file shrinks when its past is forgotten, and everything in it stays readable', async () => {
  const path = temporaryDatabase()
  const storage = openStorage(path)
  const writes = Array.from({ length: 3_000 }, (_, number) => put(storage, `/core/pods/default/${number}`, 'kubelet/a'))
  await Promise.all(writes)
  const deletions = Array.from({ length: 2_900 }, (_, number) =>
    put(storage, `/core/pods/default/${number}`, 'pod-garbage-collector', true),
  )
  await Promise.all(deletions)
  const grown = storage.historyRows()
  expect([...grown].length).toBe(5_800)
  await compactOnce({ storage, historyBytes: 200_000, clock, log }, signal)
  const size = statSync(path).size
  expect(size).toBeGreaterThan(100_000)
  expect(size).toBeLessThan(400_000)
  storage.close()
  const again = openStorage(path)
  expect([again.count('/'), again.revision]).toEqual([100, 5_900])
  again.close()
})

test('runs when enough has been written since, and in any case soon after the start', async () => {
  const time = new FakeClock()
  const storage = new SqliteStorage({ path: ':memory:', clock: time })
  const stop = new AbortController()
  const running = runCompaction({ storage, historyBytes: 8_000, clock: time, log }, stop.signal)
  const beat = async (beats: number) => {
    for (let count = 0; count < beats; count++) await put(storage, '/core/pods/a/b', 'kubelet/node-1')
  }
  const settled = async (length: number) => {
    await time.advance(30_000)
    await expect.poll(() => storage.history('/core/pods/a/b').length).toBe(length)
  }
  await beat(20)
  await settled(4)
  await beat(1)
  await settled(5)
  await beat(4)
  await settled(4)
  stop.abort(new Error('over'))
  await expect(running).rejects.toThrow('over')
  storage.close()
})
