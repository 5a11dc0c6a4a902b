import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FakeClock } from '@dinghy/shared/api/clock'
import { Metrics } from '@dinghy/shared/process/metrics'
import { serverFixture } from '../testing/server-fixture.ts'
import { storeFixture } from '../testing/store-fixture.ts'
import { dumpPriorityLevels, dumpQueues, dumpRequests } from './dumps.ts'
import { ensureFlowControlDefaults } from './ensure-defaults.ts'
import { type Entry, FlowController } from './flow-controller.ts'
import { observeFlowControl } from './flow-metrics.ts'
import type { FlowRequest } from './matching.ts'

function by(username: string, more: Partial<FlowRequest> = {}): FlowRequest {
  return {
    user: { username, groups: ['system:authenticated'] },
    verb: 'get',
    isResource: true,
    path: '/api/v1/namespaces/default/pods/web',
    group: '',
    version: 'v1',
    resource: 'pods',
    subresource: undefined,
    namespace: 'default',
    name: 'web',
    ...more,
  }
}

describe('a server with few seats', () => {
  let fixture: ReturnType<typeof storeFixture>
  let clock: FakeClock
  let controller: FlowController
  beforeEach(async () => {
    fixture = storeFixture()
    clock = fixture.clock
    await ensureFlowControlDefaults(fixture.store.parts)
    // Of 24 seats global-default has two, and can borrow from the others.
    controller = new FlowController(fixture.storage, clock, 24)
  })
  afterEach(() => fixture.storage.close())

  test('a client that floods it waits for itself, and is turned away in the end; others are served', async () => {
    const flood = Array.from({ length: 400 }, () => controller.enter(by('flood'), 1))
    const turnedAway = flood.filter(({ ticket }) => ticket === undefined)
    const waiting = flood.filter(({ seated }) => seated !== undefined)
    expect(turnedAway.length).toBeGreaterThan(50)
    expect(waiting.length).toBeGreaterThan(200)

    const polite = controller.enter(by('polite'), 1)
    const heartbeat = controller.enter(
      { ...by('system:node:a'), user: { username: 'system:node:a', groups: ['system:nodes'] }, resource: 'nodes' },
      1,
    )
    expect(heartbeat.ticket).toBeDefined()
    expect(heartbeat.seated).toBeUndefined()

    let isServed = false
    void polite.seated?.then(() => (isServed = true))
    const running = flood.filter(({ ticket, seated }) => ticket && !seated)
    expect(running.length).toBeGreaterThan(1)
    await clock.advance(100)
    for (const { ticket } of running) ticket?.release()
    await clock.advance(1)
    expect(isServed).toBe(true)
    polite.ticket?.release()
    heartbeat.ticket?.release()
    for (const { ticket, seated } of flood) {
      // Those that still wait are told that they are given up.
      seated?.catch(() => undefined)
      ticket?.release()
    }
    await clock.advance(0)
    expect([...controller.levels.values()].every(({ seatsInUse, queues }) => seatsInUse + queues.waiting === 0)).toBe(
      true,
    )
  })

  test('what happens to requests is counted', async () => {
    const metrics = new Metrics()
    observeFlowControl(metrics, controller)
    const flood = Array.from({ length: 400 }, () => controller.enter(by('flood'), 1))
    // Those that still wait are told that they are given up.
    for (const { seated } of flood) seated?.catch(() => undefined)
    const count = (state: (entry: Entry) => boolean) => flood.filter(state).length
    const lines = (await metrics.text()).split('\n')
    const value = (name: string, more = '') => {
      const start = `apiserver_flowcontrol_${name}{priority_level="global-default"${more}} `
      return Number(lines.find((line) => line.startsWith(start))?.slice(start.length))
    }
    const running = count(({ ticket, seated }) => ticket !== undefined && !seated)
    expect(value('dispatched_requests_total')).toBe(running)
    expect(value('current_executing_seats')).toBe(running)
    expect(value('current_inqueue_requests')).toBe(count(({ seated }) => seated !== undefined))
    expect(value('rejected_requests_total', ',reason="queue-full"')).toBe(count(({ ticket }) => ticket === undefined))
    expect(value('nominal_limit_seats')).toBe(2)
    expect(value('upper_limit_seats')).toBeGreaterThanOrEqual(running)
    for (const { ticket } of flood) ticket?.release()
  })

  test('who waits too long is told to come back', async () => {
    const entries = Array.from({ length: 60 }, () => controller.enter(by('flood'), 1))
    const last = entries.findLast(({ seated }) => seated !== undefined)
    const outcome = expect(last?.seated).rejects.toMatchObject({
      status: { code: 429, details: { retryAfterSeconds: 1 } },
    })
    for (const { seated } of entries) {
      // They are turned away, too.
      seated?.catch(() => undefined)
    }
    await clock.advance(15_000)
    await outcome
    expect(controller.levels.get('global-default')?.counts.timedOut).toBeGreaterThan(0)
  })

  test('the administrator never waits', () => {
    const admin = { ...by('admin'), user: { username: 'admin', groups: ['system:masters'] } }
    const entries = Array.from({ length: 1000 }, () => controller.enter(admin, 1))
    expect(entries.every(({ ticket, seated }) => ticket && !seated)).toBe(true)
    for (const { ticket } of entries) ticket?.release()
    expect(controller.levels.get('exempt')?.exempted).toBe(0)
  })

  test('a schema of one’s own comes before those that everybody has', async () => {
    const limited = { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } }
    await fixture.create('prioritylevelconfigurations', {
      metadata: { name: 'trickle' },
      spec: { type: 'Limited', limited: { ...limited, borrowingLimitPercent: 0 } },
    })
    await fixture.create('flowschemas', {
      metadata: { name: 'students' },
      spec: {
        matchingPrecedence: 50,
        priorityLevelConfiguration: { name: 'trickle' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'student' } }],
            resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }],
          },
        ],
      },
    })
    controller.load()
    expect(controller.enter(by('student'), 1).ticket).toBeDefined()
    expect(controller.enter(by('student'), 1).ticket).toBeUndefined()
    expect(controller.enter(by('teacher'), 1).ticket).toBeDefined()
  })

  test('can be looked into', () => {
    const entries = Array.from({ length: 40 }, () => controller.enter(by('flood'), 1))
    expect(dumpPriorityLevels(controller)).toMatch(/^global-default, +\d+, +false, +false, +\d+, +\d+, /m)
    expect(dumpQueues(controller)).toMatch(/^global-default, +\d+, +[1-9]\d*, /m)
    expect(dumpRequests(controller, true)).toMatch(
      /^global-default, +global-default, +\d+, +0, +flood, +2025-01-01T00:00:00.000Z, .*flood, +get, +\/api\/v1\/namespaces\/default\/pods\/web, +default, +web, +v1, +pods, +$/m,
    )
    for (const { ticket, seated } of entries) {
      // They are given up.
      seated?.catch(() => undefined)
      ticket?.release()
    }
  })

  test('what everybody has is made once, and mended unless somebody wants it otherwise', async () => {
    const { storage, store } = fixture
    const before = storage.revision
    await ensureFlowControlDefaults(store.parts)
    expect(storage.revision).toBe(before)
    const levels = fixture.definition('prioritylevelconfigurations')
    const change = (annotations: object) =>
      store.update(
        levels,
        { name: 'system' },
        (current) => {
          const level = current as unknown as { spec: { limited: object }; metadata: object }
          const spec = { ...level.spec, limited: { ...level.spec.limited, nominalConcurrencyShares: 7 } }
          return { ...level, metadata: { ...level.metadata, annotations }, spec } as never
        },
        fixture.context,
      )
    const shares = () =>
      storage.list('/flowcontrol.apiserver.k8s.io/prioritylevelconfigurations/system').entries[0]?.object
    await change({ 'apf.kubernetes.io/autoupdate-spec': 'true' })
    await ensureFlowControlDefaults(store.parts)
    expect(shares()).toMatchObject({ spec: { limited: { nominalConcurrencyShares: 30 } } })
    await change({ 'apf.kubernetes.io/autoupdate-spec': 'false' })
    await ensureFlowControlDefaults(store.parts)
    expect(shares()).toMatchObject({ spec: { limited: { nominalConcurrencyShares: 7 } } })
  })
})

test('answers say by which schema and level they came', async () => {
  const fixture = await serverFixture()
  const group = '/apis/flowcontrol.apiserver.k8s.io/v1'
  const [schema, level] = await Promise.all(
    ['flowschemas', 'prioritylevelconfigurations'].map((kind) => fixture.ask('GET', `${group}/${kind}/exempt`)),
  )
  const { headers } = await fixture.ask('GET', '/api/v1/namespaces/default/pods')
  expect(headers['x-kubernetes-pf-flowschema-uid']).toBe(schema?.json['metadata']?.['uid'])
  expect(headers['x-kubernetes-pf-prioritylevel-uid']).toBe(level?.json['metadata']?.['uid'])
  const watch = await fixture.watch('/api/v1/namespaces/default/pods?watch=true')
  const dump = await fixture.ask('GET', '/debug/api_priority_and_fairness/dump_priority_levels')
  // The dump itself is the only one that runs: a watch that has begun holds no seat.
  expect(dump.text).toMatch(/^exempt, +0, +false, +false, +0, +1, /m)
  watch.close()
  await fixture.close()
})
