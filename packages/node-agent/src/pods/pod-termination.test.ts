import { describe, expect, test } from 'vitest'
import { container, pod, startOfTime } from '../testing/objects.ts'
import { exited, running, sandbox, seen } from '../testing/observed.ts'
import type { ObservedPod } from '../observed/observed-pod.ts'
import { graceSeconds, terminationStep } from './pod-termination.ts'

const sidecars = ['first', 'second'].map((name) => container({ name, restartPolicy: 'Always' }))
const thePod = pod({ initContainers: sidecars, containers: [container(), container({ name: 'b' })] })

describe('terminationStep', () => {
  const side = [running('second'), running('first')]
  test.each<[string, ObservedPod, string[], string[], string[], boolean]>([
    ['the app containers together', seen([running('b'), running(), ...side]), [], ['b-0', 'app-0'], [], false],
    ['not those being stopped', seen([running('b'), running(), ...side]), ['b-0'], ['app-0'], [], false],
    ['sidecars wait for the app', seen([exited('b', 0), running(), ...side]), ['app-0'], [], [], false],
    ['then the last sidecar', seen([exited('b', 0), ...side]), [], ['second-0'], [], false],
    ['then the first', seen([exited('second', 0), running('first')]), [], ['first-0'], [], false],
    ['then the sandbox', seen([exited('app', 0), exited('first', 0)]), [], [], ['sandbox-0'], false],
    ['and then it is done', seen([exited('app', 0)], [sandbox({ ready: false })]), [], [], [], true],
    ['nothing was ever there', seen([], []), [], [], [], true],
  ])('%s', (_name, observed, stopping, stop, sandboxes, done) => {
    const step = terminationStep(thePod, observed, new Set(stopping))
    expect(step.stop.map(({ id }) => id)).toEqual(stop)
    expect(step.killSandboxes).toEqual(sandboxes)
    expect(step.done).toBe(done)
  })
})

describe('graceSeconds', () => {
  const deleted = (grace: number) =>
    pod({}, {}, { deletionTimestamp: new Date(startOfTime + grace * 1000).toISOString() })
  test.each([
    ['the spec’s, when nobody deletes the pod', pod({ terminationGracePeriodSeconds: 7 }), 0, 7],
    ['thirty by default', pod({ terminationGracePeriodSeconds: undefined }), 0, 30],
    ['all of it at once', deleted(30), 0, 30],
    ['what is left of it later', deleted(30), 20, 10],
    ['a second at least', deleted(30), 60, 1],
  ])('%s', (_name, thePod, afterSeconds, expected) => {
    expect(graceSeconds(thePod, startOfTime + afterSeconds * 1000)).toBe(expected)
  })
})
