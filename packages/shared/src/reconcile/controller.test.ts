import { beforeEach, afterEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { conflict, serviceUnavailable } from '../api/errors.ts'
import { ownerReferenceTo } from '../api/owners.ts'
import { ConfigMaps, Deployments, ReplicaSets } from '../api/resources.ts'
import type { ConfigMap, Deployment } from '../api/types.ts'
import { ApiClient } from '../client/api-client.ts'
import { currentCause } from '../client/causality.ts'
import { Informers } from '../client/informer.ts'
import type { Logger } from '../client/stderr-logger.ts'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { runController, type Reconciler } from './controller.ts'
import { debugQueues } from './gate.ts'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

let server: TinyApiServer
let clock: FakeClock
let stop: AbortController
let informers: Informers
let running: Promise<void>

beforeEach(async () => {
  server = await TinyApiServer.start()
  clock = new FakeClock()
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await running
  await server.close()
})

function start(reconcile: Reconciler): void {
  const client = new ApiClient({ server: server.url, userAgent: 'tester' })
  informers = new Informers(client, { clock, log: quiet })
  running = runController(
    {
      name: 'test-controller',
      client,
      clock,
      log: quiet,
      reconciles: informers.for(Deployments),
      owns: [informers.for(ReplicaSets)],
      watches: [[informers.for(ConfigMaps), (settings: ConfigMap) => [`default/${settings.data?.['for']}`]]],
      reconcile,
    },
    stop.signal,
  )
  informers.start(stop.signal)
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not so: ${String(condition)}`)
    await clock.advance(20)
  }
}

const template = { metadata: {}, spec: { containers: [] } }
const spec = { selector: {}, template }
function deployment(name: string) {
  return { metadata: { name, namespace: 'default' }, spec }
}
function replicaSet(name: string, owner: Deployment) {
  return {
    metadata: { name, namespace: 'default', ownerReferences: [ownerReferenceTo(owner, Deployments)] },
    spec,
  }
}

test('an object, what it owns and what it watches lead to its key, with the revision that did', async () => {
  const web = server.put(Deployments, deployment('web'))
  const seen: string[] = []
  start(async (key) => void seen.push(`${key}@${currentCause()}`))
  await until(() => seen.length === 1)
  server.put(ReplicaSets, replicaSet('web-1', web))
  await until(() => seen.length === 2)
  server.put(ConfigMaps, { metadata: { name: 'c', namespace: 'default' }, data: { for: 'web' } })
  await until(() => seen.length === 3)
  server.put(ConfigMaps, { metadata: { name: 'c', namespace: 'default' }, data: { for: 'api' } })
  await until(() => seen.length === 5)
  expect(seen.slice(0, 3)).toEqual(['default/web@1', 'default/web@2', 'default/web@3'])
  // Moved from one to the other: both are told.
  expect(seen.slice(3).sort()).toEqual(['default/api@4', 'default/web@4'])
})

test('nothing is reconciled before every cache has synced', async () => {
  server.put(Deployments, deployment('web'))
  server.put(ConfigMaps, { metadata: { name: 'c', namespace: 'default' } })
  let isRefusing = true
  server.failNext = ({ path }) =>
    isRefusing && path.includes('configmaps') ? serviceUnavailable('not yet') : undefined
  const present: unknown[] = []
  start(async () => void present.push(informers.for(ConfigMaps).lister.list().length))
  await until(() => informers.for(Deployments).hasSynced())
  await clock.advance(1_000)
  expect(present).toEqual([])
  isRefusing = false
  await until(() => present.length > 0)
  expect(present[0]).toBe(1)
})

test('its writes carry its name and the cause', async () => {
  server.put(Deployments, deployment('web'))
  start(async (key, { client }) => {
    const current = informers.for(Deployments).lister.get(key)
    if (current && server.all(ReplicaSets).length === 0) await client.create(ReplicaSets, replicaSet('web', current))
  })
  await until(() => server.read(ReplicaSets, 'web', 'default') !== undefined)
  const headers = server.requests.find(({ method }) => method === 'POST')?.headers
  expect(headers).toMatchObject({ 'user-agent': 'test-controller', 'x-dinghy-cause': '1' })
})

describe('coming back', () => {
  test.each([
    ['a failure', new Error('broken'), [5, 10, 20]],
    ['a conflict', conflict('', 'pods', 'web', 'changed'), [5, 10, 20]],
    ['an absent server (never longer: nothing is wrong with the key)', serviceUnavailable('gone'), [500, 500, 500]],
  ])('after %s', async (_name, failure, pauses) => {
    server.put(Deployments, deployment('web'))
    const times: number[] = []
    const causes = new Set<string | undefined>()
    start(async () => {
      times.push(clock.now())
      causes.add(currentCause())
      if (times.length < 4) throw failure
    })
    await until(() => informers.for(Deployments).hasSynced())
    while (times.length < 4) await clock.advance(1)
    expect(times.slice(1).map((time, i) => time - (times[i] ?? 0))).toEqual(pauses)
    expect([...causes]).toEqual(['1'])
  })

  test('when it asked to', async () => {
    server.put(Deployments, deployment('web'))
    const causes: (string | undefined)[] = []
    start(async () => {
      causes.push(currentCause())
      return { requeueAfterMs: 60_000 }
    })
    await until(() => causes.length === 1)
    await clock.advance(59_000)
    expect(causes).toEqual(['1'])
    await clock.advance(2_000)
    expect(causes).toEqual(['1', '1'])
  })
})

test('its queue can be found, held and stepped', async () => {
  let rounds = 0
  start(async () => void (rounds += 1))
  const gate = debugQueues.get('test-controller')
  gate?.pause()
  server.put(Deployments, deployment('web'))
  await until(() => gate?.snapshot().queued.length === 1)
  expect(rounds).toBe(0)
  expect(gate?.step()).toBe('default/web')
  await until(() => rounds === 1)
  stop.abort()
  await running
  expect(debugQueues.has('test-controller')).toBe(false)
})

test('one that is stopped before it has begun ends without its caches', async () => {
  server.failNext = () => serviceUnavailable('not yet')
  stop.abort()
  let rounds = 0
  start(async () => void (rounds += 1))
  await running
  expect(rounds).toBe(0)
})
