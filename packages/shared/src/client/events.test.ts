import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { forbidden } from '../api/errors.ts'
import { ConfigMaps, Events, Nodes } from '../api/resources.ts'
import type { ConfigMap } from '../api/types.ts'
import { ApiClient } from './api-client.ts'
import { withCause } from './causality.ts'
import { EventRecorder } from './events.ts'
import type { Logger } from './stderr-logger.ts'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'

let server: TinyApiServer
let clock: FakeClock
let recorder: EventRecorder
let object: ConfigMap
let warnings: string[]

beforeEach(async () => {
  server = await TinyApiServer.start()
  clock = new FakeClock('2025-01-01T00:00:00Z')
  warnings = []
  const log: Logger = { debug: () => {}, info: () => {}, warn: (_, text) => void warnings.push(text), error: () => {} }
  const client = new ApiClient({ server: server.url, userAgent: 'kubelet/node-1' })
  recorder = new EventRecorder(client, { component: 'kubelet', host: 'node-1', clock, log })
  object = {
    ...server.put(ConfigMaps, { metadata: { name: 'web', namespace: 'default' } }),
    apiVersion: 'v1',
    kind: 'ConfigMap',
  }
})
afterEach(async () => {
  recorder.stop()
  await server.close()
})

test('an event has the shape that kubectl describes', async () => {
  recorder.event(object, 'Warning', 'BackOff', 'waiting', 'spec.containers{web}')
  await recorder.flush()
  const [event] = server.all(Events)
  expect(event).toMatchObject({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace: 'default', name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) },
    involvedObject: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace: 'default',
      name: 'web',
      uid: object.metadata.uid,
      resourceVersion: '1',
      fieldPath: 'spec.containers{web}',
    },
    type: 'Warning',
    reason: 'BackOff',
    message: 'waiting',
    source: { component: 'kubelet', host: 'node-1' },
    reportingComponent: 'kubelet',
    reportingInstance: 'node-1',
    count: 1,
    firstTimestamp: '2025-01-01T00:00:00Z',
    lastTimestamp: '2025-01-01T00:00:00Z',
  })
})

test('repeats are counted in the same event', async () => {
  for (let i = 0; i < 3; i++) {
    recorder.event(object, 'Normal', 'Pulled', 'again')
    await clock.advance(1_000)
  }
  await recorder.flush()
  expect(server.all(Events)).toMatchObject([
    { count: 3, firstTimestamp: '2025-01-01T00:00:00Z', lastTimestamp: '2025-01-01T00:00:02Z' },
  ])
})

test('a repeat of an event that has expired begins a new one', async () => {
  recorder.event(object, 'Normal', 'Pulled', 'again')
  await recorder.flush()
  for (const { metadata } of server.all(Events)) server.remove(Events, metadata.name, 'default')
  recorder.event(object, 'Normal', 'Pulled', 'again')
  await recorder.flush()
  expect(server.all(Events)).toMatchObject([{ count: 2 }])
})

test('events of cluster-scoped objects live in the default namespace', async () => {
  const node = { ...server.put(Nodes, { metadata: { name: 'node-1' } }), apiVersion: 'v1', kind: 'Node' }
  recorder.event(node, 'Normal', 'NodeReady', 'ready')
  await recorder.flush()
  expect(server.all(Events)[0]?.metadata.namespace).toBe('default')
  expect(server.all(Events)[0]?.involvedObject).not.toHaveProperty('namespace')
})

test('an event carries the cause of the work that told of it', async () => {
  withCause('42', () => recorder.event(object, 'Normal', 'Scaled', 'up'))
  recorder.event(object, 'Normal', 'Other', 'uncaused')
  await recorder.flush()
  expect(server.requests.map(({ headers }) => headers['x-dinghy-cause'])).toEqual(['42', undefined])
})

test('a refusal is logged and does not stop the next one', async () => {
  server.failNext = () => forbidden('', 'events', 'web', 'the namespace is being terminated')
  recorder.event(object, 'Normal', 'Refused', 'x')
  await recorder.flush()
  server.failNext = undefined
  recorder.event(object, 'Normal', 'Taken', 'x')
  await recorder.flush()
  expect(warnings).toEqual(['an event could not be written'])
  expect(server.all(Events)).toMatchObject([{ reason: 'Taken' }])
})

test('while the server is away events wait, in order', async () => {
  await server.close()
  recorder.event(object, 'Normal', 'First', 'x')
  recorder.event(object, 'Normal', 'Second', 'x')
  await clock.advance(200)
  await server.listen()
  while (server.all(Events).length < 2) await clock.advance(100)
  expect(server.all(Events).map(({ reason }) => reason)).toEqual(['First', 'Second'])
})
