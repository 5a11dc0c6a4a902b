import { expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { EventBus, type DockerEvent } from '../events.ts'
import { eventMatches } from './events.ts'
import { parseFilters } from '../filters.ts'

const bus = new EventBus(new FakeClock())
bus.publish('container', 'exec_create: sh -c x', 'abc123', { image: 'node:20', name: 'web', tier: 'front' })
const [event] = bus.recent() as [DockerEvent]

test('containers carry the old names of their facts too', () => {
  expect(event).toMatchObject({
    Type: 'container',
    Action: 'exec_create: sh -c x',
    status: 'exec_create: sh -c x',
    id: 'abc123',
    from: 'node:20',
  })
  expect(event.timeNano).toBe(event.time * 1e9)
})

test.each([
  ['{}', true],
  ['{"type":["container"]}', true],
  ['{"type":["image"]}', false],
  ['{"event":["exec_create"]}', true],
  ['{"event":["exec"]}', false],
  ['{"container":["abc"]}', true],
  ['{"container":["web"]}', true],
  ['{"container":["other"]}', false],
  ['{"network":["web"]}', false],
  ['{"image":["node"]}', true],
  ['{"image":["node:20"]}', true],
  ['{"image":["busybox"]}', false],
  ['{"label":["tier=front"]}', true],
  ['{"label":["tier=back"]}', false],
])('filters %s: %s', (filters, expected) => {
  expect(eventMatches(event, parseFilters(filters, ['type', 'event', 'container', 'network', 'image', 'label']))).toBe(
    expected,
  )
})

test('only the last 256 events are remembered', () => {
  const many = new EventBus(new FakeClock())
  for (let index = 0; index < 300; index++) many.publish('volume', 'create', String(index))
  expect(many.recent()).toHaveLength(256)
  expect(many.recent()[0]?.Actor.ID).toBe('44')
})
