import { expect, test } from 'vitest'
import { removeOldEvents } from './event-ttl.ts'
import { storeFixture } from '../testing/store-fixture.ts'

test('an event is forgotten an hour after it was last seen', async () => {
  const fixture = storeFixture()
  const { storage, clock } = fixture
  const event = (name: string, times: object) => ({
    metadata: { name },
    involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
    ...times,
  })
  await fixture.create('events', event('old', { lastTimestamp: '2025-01-01T00:00:00Z' }))
  await fixture.create(
    'events',
    event('again', { firstTimestamp: '2025-01-01T00:00:00Z', lastTimestamp: '2025-01-01T00:30:00Z' }),
  )
  await removeOldEvents(storage, clock.now() + 3599_000)
  expect(storage.count('/core/events/')).toBe(2)
  await removeOldEvents(storage, clock.now() + 3600_000)
  expect(storage.list('/core/events/').entries.map((entry) => entry.object.metadata.name)).toEqual(['again'])
  storage.close()
})
