import { FakeClock } from '@dinghy/shared/api/clock'
import { createLogger } from '@dinghy/shared/process/logger'
import { expect, test } from 'vitest'
import { runCompaction } from './compaction.ts'
import { SqliteStorage } from './sqlite.ts'

test('heartbeats keep their newest 2,000 revisions, the rest keeps all of its few', async () => {
  const clock = new FakeClock()
  const storage = new SqliteStorage({ path: ':memory:', clock })
  const stop = new AbortController()
  const running = runCompaction(
    storage,
    clock,
    createLogger({ name: 'test', clock, write: () => undefined }),
    stop.signal,
  )
  const put = async (key: string) => {
    const expected = storage.get(key)?.revision ?? 0
    const object = {
      apiVersion: 'v1',
      kind: 'X',
      metadata: { name: 'x', uid: 'x', resourceVersion: '', creationTimestamp: '' },
    }
    await storage.write([{ key, object, expected, actor: 'test' }])
  }
  const lease = '/coordination.k8s.io/leases/a/b'
  const other = '/core/configmaps/a/b'
  await put(other)
  await put(other)
  for (let beat = 0; beat < 2_010; beat++) await put(lease)
  await clock.advance(5 * 60_000)
  expect([storage.history(lease).length, storage.history(other).length]).toEqual([2_000, 2])
  stop.abort(new Error('over'))
  await expect(running).rejects.toThrow('over')
  storage.close()
})
