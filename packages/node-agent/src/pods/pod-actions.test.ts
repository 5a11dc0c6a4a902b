import { describe, expect, test } from 'vitest'
import type { PodSpec } from '@dinghy/shared/api/types'
import { container, pod, startOfTime } from '../testing/objects.ts'
import { exited, running, sandbox, seen } from '../testing/observed.ts'
import type { PodActions, PodFacts } from './container-actions.ts'
import { upstreamCrashLoop } from '../containers/crash-loop.ts'
import type { ObservedPod } from '../observed/observed-pod.ts'
import { podActions } from './pod-actions.ts'

interface Situation {
  spec?: Partial<PodSpec>
  observed: ObservedPod
  failing?: { liveness?: string[]; startup?: string[] }
  startedUp?: string[]
  stopping?: string[]
  /** Seconds after the start of time. */
  at?: number
}

function decide({ spec = {}, observed, failing = {}, startedUp = [], stopping = [], at = 2 }: Situation): PodActions {
  const facts: PodFacts = {
    pod: pod(spec),
    observed,
    probes: {
      liveness: (id) => (failing.liveness?.includes(id) ? 'failure' : undefined),
      startup: (id) => (failing.startup?.includes(id) ? 'failure' : startedUp.includes(id) ? 'success' : undefined),
    },
    stopping: new Set(stopping),
    crashLoop: upstreamCrashLoop,
    nowMs: startOfTime + at * 1000,
  }
  return podActions(facts)
}

/** One line that says everything: "sandbox 0 | start app#0 | wait app 10s | kill app-0 (why) | end". */
function summary(actions: PodActions): string {
  const parts = [
    ...(actions.killPod ? ['end'] : []),
    ...(actions.createSandbox ? [`sandbox ${actions.createSandbox.attempt}`] : []),
    ...actions.kill.map(({ id, message }) => `kill ${id} (${message})`),
    ...actions.start.map(({ container, restartCount }) => `start ${container.name}#${restartCount}`),
    ...actions.backOff.map(({ name, delayMs }) => `wait ${name} ${delayMs / 1000}s`),
    ...(actions.remove.length > 0 ? [`remove ${actions.remove.join(' ')}`] : []),
  ]
  return parts.join(' | ') || 'nothing'
}

const always: Partial<PodSpec> = { restartPolicy: 'Always' }
const onFailure: Partial<PodSpec> = { restartPolicy: 'OnFailure' }
const never: Partial<PodSpec> = { restartPolicy: 'Never' }
const dead = sandbox({ ready: false })
const nothing = seen([], [])

describe('app containers', () => {
  test.each<[string, Situation, string]>([
    ['a new pod', { observed: nothing }, 'sandbox 0 | start app#0'],
    ['only the sandbox is there', { observed: seen([]) }, 'start app#0'],
    ['all is well', { observed: seen([running()]) }, 'nothing'],
    [
      'made but never started',
      { observed: seen([running('app', { state: 'created' })]) },
      'start app#0 | remove app-0',
    ],
    ['first end, Always', { spec: always, observed: seen([exited('app', 0)]) }, 'start app#1'],
    ['first end with an error, OnFailure', { spec: onFailure, observed: seen([exited('app', 3)]) }, 'start app#1'],
    ['success, OnFailure', { spec: onFailure, observed: seen([exited('app', 0)]) }, 'end'],
    ['an error, Never', { spec: never, observed: seen([exited('app', 3)]) }, 'end'],
    [
      'too early in a crash loop',
      { observed: seen([exited('app', 1, { restartCount: 2, crashLoopDelayMs: 20_000 })]), at: 20 },
      'wait app 20s',
    ],
    [
      'the delay has passed',
      { observed: seen([exited('app', 1, { restartCount: 2, crashLoopDelayMs: 20_000 })]), at: 21 },
      'start app#3',
    ],
    [
      'fallen with its sandbox',
      {
        observed: seen([exited('app', 137, { restartCount: 2, crashLoopDelayMs: 20_000 })], [sandbox({ attempt: 1 })]),
        at: 2,
      },
      'start app#3',
    ],
    [
      'falling with its sandbox',
      {
        observed: seen(
          [exited('app', 137, { restartCount: 2, crashLoopDelayMs: 20_000 })],
          [sandbox({ ready: false })],
        ),
        at: 2,
      },
      'end | sandbox 1 | start app#3',
    ],
    [
      'a changed image does not wait',
      { observed: seen([exited('app', 1, { hash: 'old', crashLoopDelayMs: 20_000 })]) },
      'start app#1',
    ],
    [
      'a changed image replaces the running container, even with Never',
      { spec: never, observed: seen([running('app', { hash: 'old' })]) },
      'kill app-0 (Container app definition changed, will be restarted)',
    ],
    [
      'and once that has ended, starts the new one',
      { spec: never, observed: seen([exited('app', 137, { hash: 'old' })]) },
      'start app#1',
    ],
    [
      'liveness failed',
      { observed: seen([running()]), failing: { liveness: ['app-0'] } },
      'kill app-0 (Container app failed liveness probe, will be restarted)',
    ],
    [
      'liveness failed, Never',
      { spec: never, observed: seen([running()]), failing: { liveness: ['app-0'] } },
      'kill app-0 (Container app failed liveness probe)',
    ],
    [
      'startup failed',
      { observed: seen([running()]), failing: { startup: ['app-0'] } },
      'kill app-0 (Container app failed startup probe, will be restarted)',
    ],
    [
      'being stopped already',
      { observed: seen([running()]), failing: { liveness: ['app-0'] }, stopping: ['app-0'] },
      'nothing',
    ],
    [
      'one of two has succeeded, OnFailure',
      {
        spec: { ...onFailure, containers: [container(), container({ name: 'b' })] },
        observed: seen([exited('app', 0), running('b')]),
      },
      'nothing',
    ],
    [
      'all but the two newest dead containers are dead wood',
      {
        observed: seen([
          running('app', { restartCount: 3 }),
          exited('app', 1, { restartCount: 2 }),
          exited('app', 1, { restartCount: 1 }),
          exited('app', 1),
        ]),
      },
      'remove app-1 app-0',
    ],
  ])('%s', (_name, situation, expected) => {
    expect(summary(decide(situation))).toBe(expected)
  })

  test('the new container carries the delay that it will have earned', () => {
    const observed = seen([exited('app', 1, { restartCount: 1, crashLoopDelayMs: 10_000 })])
    expect(decide({ observed, at: 60 }).start[0]?.crashLoopDelayMs).toBe(20_000)
  })

  test('says until when to wait', () => {
    const observed = seen([exited('app', 1, { crashLoopDelayMs: 10_000 })])
    expect(decide({ observed }).backOff).toEqual([{ name: 'app', delayMs: 10_000, untilMs: startOfTime + 11_000 }])
  })
})

describe('the sandbox', () => {
  test.each<[string, Situation, string]>([
    ['died: everything begins anew', { observed: seen([exited('app', 137)], [dead]) }, 'end | sandbox 1 | start app#1'],
    ['died, Never', { spec: never, observed: seen([exited('app', 137)], [dead]) }, 'end'],
    ['died after success, OnFailure', { spec: onFailure, observed: seen([exited('app', 0)], [dead]) }, 'end'],
    ['is gone altogether', { observed: seen([exited('app', 137)], []) }, 'end | sandbox 0 | start app#1'],
    [
      'died: init containers come first again',
      {
        spec: { initContainers: [container({ name: 'init' })] },
        observed: seen([exited('app', 137), exited('init', 0)], [dead]),
      },
      'end | sandbox 1 | start init#1',
    ],
    ['an old one is tidied away', { observed: seen([running()], [sandbox({ attempt: 1 }), dead]) }, 'remove sandbox-0'],
  ])('%s', (_name, situation, expected) => {
    expect(summary(decide(situation))).toBe(expected)
  })

  test('without an address is of no use, unless the pod lives in the host’s network', () => {
    const { ip: _ip, ...withoutAddress } = sandbox()
    const observed = seen([running()], [withoutAddress])
    expect(summary(decide({ observed }))).toBe('end | sandbox 1 | start app#1')
    expect(summary(decide({ observed, spec: { hostNetwork: true } }))).toBe('nothing')
  })
})

describe('init containers', () => {
  const two: Partial<PodSpec> = { initContainers: [container({ name: 'a' }), container({ name: 'b' })] }
  test.each<[string, Situation, string]>([
    ['a new pod', { spec: two, observed: nothing }, 'sandbox 0 | start a#0'],
    ['the first is running', { spec: two, observed: seen([running('a')]) }, 'nothing'],
    ['the first is done', { spec: two, observed: seen([exited('a', 0)]) }, 'start b#0'],
    ['the second is done', { spec: two, observed: seen([exited('b', 0), exited('a', 0)]) }, 'start app#0'],
    [
      'the second was made but never started',
      {
        spec: two,
        observed: seen([running('b', { state: 'created' }), exited('a', 0)]),
      },
      'start b#0 | remove b-0',
    ],
    ['the second failed', { spec: two, observed: seen([exited('b', 1), exited('a', 0)]) }, 'start b#1'],
    [
      'the second keeps failing',
      { spec: two, observed: seen([exited('b', 1, { crashLoopDelayMs: 10_000 }), exited('a', 0)]) },
      'wait b 10s',
    ],
    ['the first failed, Never', { spec: { ...two, ...never }, observed: seen([exited('a', 1)]) }, 'end'],
    ['all passed, traces gone', { spec: two, observed: seen([running()]) }, 'nothing'],
    [
      'the app has ended, Always: no init container again',
      { spec: two, observed: seen([exited('app', 1), exited('b', 0), exited('a', 0)]) },
      'start app#1',
    ],
  ])('%s', (_name, situation, expected) => {
    expect(summary(decide(situation))).toBe(expected)
  })
})

describe('sidecars', () => {
  const sidecar = container({ name: 'proxy', restartPolicy: 'Always' })
  const spec: Partial<PodSpec> = { initContainers: [sidecar, container({ name: 'init' })] }
  const probed: Partial<PodSpec> = {
    initContainers: [{ ...sidecar, startupProbe: { tcpSocket: { port: 80 } } }, container({ name: 'init' })],
  }
  test.each<[string, Situation, string]>([
    ['runs: the next may begin', { spec, observed: seen([running('proxy')]) }, 'start init#0'],
    ['has a startup probe that has not succeeded', { spec: probed, observed: seen([running('proxy')]) }, 'nothing'],
    [
      'has a startup probe that has',
      { spec: probed, observed: seen([running('proxy')]), startedUp: ['proxy-0'] },
      'start init#0',
    ],
    [
      'fails its startup probe',
      { spec: probed, observed: seen([running('proxy')]), failing: { startup: ['proxy-0'] } },
      'kill proxy-0 (Init container proxy failed startup probe)',
    ],
    ['ends before the others: is started again', { spec, observed: seen([exited('proxy', 0)]) }, 'start proxy#1'],
    [
      'ends while a later init container runs',
      { spec, observed: seen([running('init'), exited('proxy', 1)]) },
      'start proxy#1',
    ],
    [
      'ends beside the running app, Never',
      { spec: { ...spec, ...never }, observed: seen([running(), exited('init', 0), exited('proxy', 1)]) },
      'start proxy#1',
    ],
    [
      'does not keep a finished pod alive',
      { spec: { ...spec, ...never }, observed: seen([exited('app', 0), exited('init', 0), running('proxy')]) },
      'end',
    ],
    [
      'is not restarted in a finished pod',
      { spec: { ...spec, ...never }, observed: seen([exited('app', 0), exited('init', 0), exited('proxy', 1)]) },
      'end',
    ],
    [
      'the last of them runs: the app may begin',
      { spec: { initContainers: [sidecar] }, observed: seen([running('proxy')]) },
      'start app#0',
    ],
  ])('%s', (_name, situation, expected) => {
    expect(summary(decide(situation))).toBe(expected)
  })
})

test('ephemeral containers start once, even while the pod initializes, and are never restarted', () => {
  const spec: Partial<PodSpec> = {
    initContainers: [container({ name: 'init' })],
    ephemeralContainers: [{ name: 'debug', image: 'busybox:1' }],
  }
  expect(summary(decide({ spec, observed: seen([running('init')]) }))).toBe('start debug#0')
  expect(summary(decide({ spec, observed: seen([exited('debug', 1), running('init')]) }))).toBe('nothing')
})
