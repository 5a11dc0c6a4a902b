import { describe, expect, test } from 'vitest'
import type { Pod, PodSpec, PodStatus } from '@dinghy/shared/api/types'
import { defined } from '@dinghy/testing/defined'
import { container, containerStatus, pod, podUid, startOfTime } from '../testing/objects.ts'
import { exited, running, sandbox, seen } from '../testing/observed.ts'
import type { WaitingReason } from './container-status.ts'
import { isSameStatus, podStatus, type StatusFacts } from './pod-status.ts'

function statusOf(thePod: Pod, overrides: Partial<StatusFacts>): PodStatus {
  return podStatus({
    pod: thePod,
    observed: seen([]),
    hostIP: '10.0.0.1',
    waiting: new Map(),
    readinessOf: () => ({ started: true, ready: true }),
    imageIdOf: (id) => `docker://${id}`,
    ending: false,
    ended: false,
    nowMs: startOfTime + 60_000,
    ...overrides,
  })
}

function waiting(name: string, reason: string, message: string): Map<string, WaitingReason> {
  return new Map([[name, { reason, message }]])
}

function condition(status: PodStatus, type: string) {
  const { status: value, reason, message } = status.conditions?.find((one) => one.type === type) ?? {}
  return [value, reason, message].filter((part) => part !== undefined).join(' / ')
}

describe('the phase', () => {
  const never: Partial<PodSpec> = { restartPolicy: 'Never' }
  const onFailure: Partial<PodSpec> = { restartPolicy: 'OnFailure' }
  const init: Partial<PodSpec> = { initContainers: [container({ name: 'init' })] }
  const two: Partial<PodSpec> = { containers: [container(), container({ name: 'b' })] }
  const proxy: Partial<PodSpec> = { initContainers: [container({ name: 'proxy', restartPolicy: 'Always' })] }
  const backOff = { waiting: waiting('app', 'CrashLoopBackOff', 'back-off') }
  test.each<[string, Partial<PodSpec>, Partial<StatusFacts>, string]>([
    ['nothing yet', {}, {}, 'Pending'],
    ['running', {}, { observed: seen([running()]) }, 'Running'],
    ['one of two runs', two, { observed: seen([running()]) }, 'Pending'],
    ['ended, will be restarted', {}, { observed: seen([exited('app', 1)]) }, 'Running'],
    ['crash loop', {}, { observed: seen([exited('app', 1)]), ...backOff }, 'Running'],
    ['succeeded, OnFailure', onFailure, { observed: seen([exited('app', 0)]) }, 'Succeeded'],
    ['failed, OnFailure', onFailure, { observed: seen([exited('app', 1)]) }, 'Running'],
    ['failed, Never', never, { observed: seen([exited('app', 1)]) }, 'Failed'],
    ['one failed, one runs, Never', { ...two, ...never }, { observed: seen([exited('b', 1), running()]) }, 'Running'],
    [
      'one failed, one not, Never',
      { ...two, ...never },
      { observed: seen([exited('b', 1), exited('app', 0)]) },
      'Failed',
    ],
    ['deleted, ended well', {}, { observed: seen([exited('app', 0)]), ending: true, ended: true }, 'Succeeded'],
    ['deleted, ended badly', {}, { observed: seen([exited('app', 137)]), ending: true, ended: true }, 'Failed'],
    ['deleted, still running', {}, { observed: seen([running()]), ending: true }, 'Running'],
    ['initializing', init, { observed: seen([running('init')]) }, 'Pending'],
    ['init failed, will be tried again', init, { observed: seen([exited('init', 1)]) }, 'Pending'],
    ['init failed, Never', { ...init, ...never }, { observed: seen([exited('init', 1)]) }, 'Failed'],
    ['initialized', init, { observed: seen([running(), exited('init', 0)]) }, 'Running'],
    ['only the sidecar runs', proxy, { observed: seen([running('proxy')]) }, 'Pending'],
    [
      'sidecar stopped after the app',
      { ...proxy, ...never },
      { observed: seen([exited('app', 0), exited('proxy', 143)]) },
      'Succeeded',
    ],
    ['a verdict', {}, { observed: seen([running()]), verdict: { reason: 'DeadlineExceeded', message: 'm' } }, 'Failed'],
  ])('%s', (_name, spec, facts, expected) => {
    expect(statusOf(pod(spec), facts).phase).toBe(expected)
  })

  test('once final it stays, with its reason', () => {
    const done = pod({}, { phase: 'Failed', reason: 'Evicted', message: 'too much' })
    const { phase, reason, message } = statusOf(done, { observed: seen([running()]) })
    expect([phase, reason, message]).toEqual(['Failed', 'Evicted', 'too much'])
  })
})

describe('conditions', () => {
  const unready: Partial<StatusFacts> = { readinessOf: () => ({ started: true, ready: false }) }
  const init: Partial<PodSpec> = { initContainers: [container({ name: 'init' })] }
  const gate: Partial<PodSpec> = { readinessGates: [{ conditionType: 'example.com/gate' }] }
  const notReady = 'False / ContainersNotReady / containers with unready status: [app]'
  test.each<[string, Pod, Partial<StatusFacts>, string, string]>([
    ['a new pod', pod(), {}, 'Ready', notReady],
    ['a new pod', pod(), {}, 'Initialized', 'True'],
    ['a new pod', pod(), { observed: seen([], []) }, 'PodReadyToStartContainers', 'False'],
    ['a sandbox', pod(), {}, 'PodReadyToStartContainers', 'True'],
    ['running', pod(), { observed: seen([running()]) }, 'Ready', 'True'],
    ['not yet ready', pod(), { observed: seen([running()]), ...unready }, 'ContainersReady', notReady],
    ['not yet ready', pod(), { observed: seen([running()]), ...unready }, 'Ready', notReady],
    [
      'initializing',
      pod(init),
      { observed: seen([running('init')]) },
      'Initialized',
      'False / ContainersNotInitialized / containers with incomplete status: [init]',
    ],
    ['initialized', pod(init), { observed: seen([running(), exited('init', 0)]) }, 'Initialized', 'True'],
    [
      'succeeded',
      pod({ restartPolicy: 'Never' }),
      { observed: seen([exited('app', 0)]) },
      'Ready',
      'False / PodCompleted',
    ],
    ['failed', pod({ restartPolicy: 'Never' }), { observed: seen([exited('app', 1)]) }, 'Ready', 'False / PodFailed'],
    [
      'a gate nobody has spoken about',
      pod(gate),
      { observed: seen([running()]) },
      'Ready',
      'False / ReadinessGatesNotReady / corresponding condition of pod readiness gate "example.com/gate" does not exist.',
    ],
    [
      'an open gate',
      pod(gate, { conditions: [{ type: 'example.com/gate', status: 'True' }] }),
      { observed: seen([running()]) },
      'Ready',
      'True',
    ],
  ])('%s: %#', (_name, thePod, facts, type, expected) => {
    expect(condition(statusOf(thePod, facts), type)).toBe(expected)
  })

  test('come in upstream’s order, after those of others, and keep the time at which they changed', () => {
    const first = statusOf(pod({}, { conditions: [{ type: 'DisruptionTarget', status: 'True' }] }), {})
    expect(first.conditions?.map(({ type }) => type)).toEqual([
      'DisruptionTarget',
      'PodReadyToStartContainers',
      'Initialized',
      'Ready',
      'ContainersReady',
      'PodScheduled',
    ])
    const later = statusOf(pod({}, first), { observed: seen([running()]), nowMs: startOfTime + 120_000 })
    const times = Object.fromEntries(
      defined(later.conditions).map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    )
    expect(times['Initialized']).toBe('2025-01-01T00:01:00Z')
    expect(times['Ready']).toBe('2025-01-01T00:02:00Z')
  })
})

describe('a container', () => {
  const first = (status: PodStatus) => status.containerStatuses?.[0]

  test('that has not been made', () => {
    expect(first(statusOf(pod(), {}))).toEqual({
      name: 'app',
      state: { waiting: { reason: 'ContainerCreating' } },
      lastState: {},
      ready: false,
      restartCount: 0,
      image: 'busybox:1',
      imageID: '',
      started: false,
    })
    const withInit = pod({ initContainers: [container({ name: 'init' })] })
    expect(first(statusOf(withInit, {}))?.state).toEqual({ waiting: { reason: 'PodInitializing' } })
  })

  test('whose image cannot be pulled', () => {
    const facts = { waiting: waiting('app', 'ImagePullBackOff', 'Back-off pulling image "busybox:1"') }
    expect(first(statusOf(pod(), facts))?.state).toEqual({
      waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "busybox:1"' },
    })
  })

  test('that runs', () => {
    expect(first(statusOf(pod(), { observed: seen([running()]) }))).toEqual({
      name: 'app',
      state: { running: { startedAt: '2025-01-01T00:00:00Z' } },
      lastState: {},
      ready: true,
      restartCount: 0,
      image: 'busybox:1',
      imageID: 'docker://sha256:abc',
      containerID: 'docker://app-0',
      started: true,
    })
  })

  test.each([
    ['Completed', exited('app', 0), 0],
    ['Error', exited('app', 7), 7],
    ['OOMKilled', exited('app', 137, { oomKilled: true }), 137],
    ['StartError', exited('app', 127, { startError: 'exec: "nope": not found', startedAt: undefined }), 127],
    ['StartError', exited('app', 0, { startError: 'cannot mount', startedAt: undefined }), 128],
  ])('that ended: %s', (reason, ended, exitCode) => {
    const terminated = first(statusOf(pod(), { observed: seen([ended]) }))?.state?.terminated
    expect(terminated).toMatchObject({ reason, exitCode, finishedAt: '2025-01-01T00:00:01Z' })
    expect(terminated?.containerID).toBe('docker://app-0')
  })

  test('that waits in a crash loop shows its end as its last state', () => {
    const message = `back-off 10s restarting failed container=app pod=web_default(${podUid})`
    const facts = {
      observed: seen([exited('app', 1, { restartCount: 2, message: 'boom' }), exited('app', 1, { restartCount: 1 })]),
      waiting: waiting('app', 'CrashLoopBackOff', message),
    }
    const status = first(statusOf(pod(), facts))
    expect(status?.state).toEqual({ waiting: { reason: 'CrashLoopBackOff', message } })
    expect(status?.lastState?.terminated).toMatchObject({ exitCode: 1, message: 'boom', containerID: 'docker://app-2' })
    expect(status?.restartCount).toBe(2)
  })

  test('that was restarted remembers the one before', () => {
    const observed = seen([running('app', { restartCount: 1 }), exited('app', 3)])
    const status = first(statusOf(pod(), { observed }))
    expect(status).toMatchObject({
      restartCount: 1,
      state: { running: {} },
      lastState: { terminated: { exitCode: 3 } },
    })
  })

  test('that was running and cannot be found any more', () => {
    const before = containerStatus({ restartCount: 1, state: { running: { startedAt: '2025-01-01T00:00:00Z' } } })
    const status = first(statusOf(pod({}, { containerStatuses: [before] }), {}))
    expect(status).toMatchObject({
      restartCount: 2,
      state: { waiting: { reason: 'ContainerCreating' } },
      lastState: { terminated: { reason: 'ContainerStatusUnknown', exitCode: 137 } },
    })
  })

  test('an init container that is done is ready, and never "started"', () => {
    const thePod = pod({ initContainers: [container({ name: 'init' })] })
    const status = statusOf(thePod, { observed: seen([running(), exited('init', 0)]) }).initContainerStatuses?.[0]
    expect(status).toMatchObject({ ready: true, started: false, state: { terminated: { exitCode: 0 } } })
  })

  test('statuses are sorted by name, as upstream’s', () => {
    const thePod = pod({ containers: [container({ name: 'b' }), container({ name: 'a' })] })
    expect(statusOf(thePod, {}).containerStatuses?.map(({ name }) => name)).toEqual(['a', 'b'])
  })
})

describe('addresses', () => {
  test.each<[string, Pod, Partial<StatusFacts>, string | undefined]>([
    ['the sandbox’s', pod(), {}, '10.244.1.7'],
    ['the node’s, for hostNetwork', pod({ hostNetwork: true }), {}, '10.0.0.1'],
    ['none yet', pod(), { observed: seen([], []) }, undefined],
    [
      'the last one, when the sandbox is gone',
      pod({}, { podIPs: [{ ip: '10.244.1.9' }] }),
      { observed: seen([], []) },
      '10.244.1.9',
    ],
  ])('%s', (_name, thePod, facts, expected) => {
    const status = statusOf(thePod, facts)
    expect(status.podIP).toBe(expected)
    expect(status.hostIPs).toEqual([{ ip: '10.0.0.1' }])
  })
})

test('the same facts give the same status, so that nothing is written twice', () => {
  const observed = seen([running()], [sandbox()])
  const first = statusOf(pod({}, { qosClass: 'BestEffort' }), { observed })
  const again = statusOf(pod({}, first), { observed, nowMs: startOfTime + 999_000 })
  expect(isSameStatus(first, again)).toBe(true)
  expect(again.qosClass).toBe('BestEffort')
  expect(again.startTime).toBe('2025-01-01T00:01:00Z')
})
