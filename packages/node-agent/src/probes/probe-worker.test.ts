import { expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { Probe } from '@dinghy/shared/api/types'
import type { ProbeType } from './probe-state.ts'
import { ProbeWorker } from './probe-worker.ts'

/** Runs a probe whose container gets well at `wellAt` ms; tells when it was asked and when the verdict changed. */
async function run(type: ProbeType, probe: Probe, wellAt: number, untilMs: number) {
  const clock = new FakeClock(0)
  const asked: number[] = []
  const changes: string[] = []
  const failures: string[] = []
  const worker = new ProbeWorker({
    type,
    probe,
    startedAt: 0,
    wasGood: false,
    clock,
    check: async () => {
      asked.push(clock.now())
      return clock.now() >= wellAt ? { outcome: 'success', output: '' } : { outcome: 'failure', output: 'no' }
    },
    onFailure: (message) => failures.push(message),
    onVerdict: () => changes.push(`${worker.verdict} at ${clock.now()}`),
  })
  worker.start()
  await clock.advance(untilMs)
  worker.stop()
  return { asked, changes, failures }
}

test('a readiness probe asks at once, then at doubling distances, and is quiet about early failures', async () => {
  const { asked, changes, failures } = await run('readiness', { periodSeconds: 10 }, 60, 10_000)
  expect(asked).toEqual([0, 25, 75, 10_000])
  expect(changes).toEqual(['success at 75'])
  expect(failures).toEqual(['Readiness probe failed: no'])
})

test('initialDelaySeconds is kept', async () => {
  const { asked } = await run('readiness', { initialDelaySeconds: 5 }, 0, 6_000)
  expect(asked).toEqual([5_000])
})

test('a liveness probe fails after three regular attempts, and then is silent', async () => {
  const { asked, changes } = await run('liveness', { periodSeconds: 1 }, Infinity, 10_000)
  expect(asked).toEqual([0, 1_000, 2_000])
  expect(changes).toEqual(['failure at 2000'])
})

test('a startup probe stops once it has succeeded', async () => {
  const { asked, changes } = await run('startup', { periodSeconds: 1, failureThreshold: 30 }, 3_000, 10_000)
  expect(asked).toEqual([0, 1_000, 2_000, 3_000])
  expect(changes).toEqual(['success at 3000'])
})
