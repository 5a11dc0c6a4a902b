/**
 * The Job's whole loop over a real connection, with the TTL controller beside it: pods come to their ends, and each is
 * counted once.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { Jobs, Pods } from '@dinghy/shared/api/resources'
import type { Job, Pod } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { controlledBy, makePod, metaOf } from '../testing/objects.ts'
import { JobController } from './job-controller.ts'
import { trackingFinalizer } from './job-pod.ts'
import { TtlAfterFinishedController } from './ttl-after-finished.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  loop.start(JobController, TtlAfterFinishedController)
})
afterEach(() => loop.end())

const base: Job = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: metaOf('work', { generation: 1 }),
  spec: {
    completions: 3,
    parallelism: 2,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    podReplacementPolicy: 'TerminatingOrFailed',
    selector: { matchLabels: { job: 'work' } },
    template: { metadata: { labels: { job: 'work' } }, spec: { containers: [{ name: 'c', image: 'work' }] } },
  },
  status: {},
}
function putJob(spec: Partial<Job['spec']> = {}): Job {
  const present = server.read(Jobs, 'work', 'default') ?? base
  return server.put(Jobs, { ...present, spec: { ...present.spec, ...spec } })
}
function status() {
  return server.read(Jobs, 'work', 'default')?.status
}
function conditions(): string[] {
  return (status()?.conditions ?? []).flatMap(({ type, status }) => (status === 'True' ? [type] : []))
}
function running(): Pod[] {
  return server.all(Pods).filter(({ status }) => status.phase === undefined || status.phase === 'Running')
}
function end(phase: 'Succeeded' | 'Failed', count = 1): void {
  for (const pod of running().slice(0, count)) loop.report(pod, { phase, node: 'n1' })
}
function held(): Pod[] {
  return server.all(Pods).filter(({ metadata }) => metadata.finalizers?.includes(trackingFinalizer))
}

test('runs as many pods as it takes, counts each, lets all of them go, and is complete', async () => {
  putJob()
  await loop.until(() => running().length === 2 && status()?.active === 2)
  end('Succeeded')
  await loop.until(() => status()?.succeeded === 1 && running().length === 2)
  end('Succeeded', 2)
  await loop.until(() => conditions().join() === 'SuccessCriteriaMet,Complete')
  await loop.until(() => held().length === 0)
  expect(status()).toMatchObject({ succeeded: 3, terminating: 0, uncountedTerminatedPods: {} })
  expect(server.all(Pods)).toHaveLength(3)
  await loop.until(() => loop.events.includes('Completed Job completed'))
})

test('after a failure it waits before it tries again, and gives up at the limit', async () => {
  putJob({ completions: 1, parallelism: 1, backoffLimit: 1 })
  await loop.until(() => running().length === 1)
  end('Failed')
  await loop.until(() => status()?.failed === 1)
  expect(running()).toEqual([])
  await loop.until(() => running().length === 1)
  end('Failed')
  await loop.until(() => conditions().join() === 'FailureTarget,Failed')
  expect(status()?.failed).toBe(2)
  await loop.until(() => loop.events.some((event) => event.startsWith('BackoffLimitExceeded')))
})

test('suspended, its pods go uncounted; resumed, it starts anew', async () => {
  putJob()
  await loop.until(() => running().length === 2)
  putJob({ suspend: true })
  await loop.until(() => server.all(Pods).length === 0 && conditions().join() === 'Suspended')
  expect(status()?.failed).toBeUndefined()
  putJob({ suspend: false })
  await loop.until(() => running().length === 2 && conditions().length === 0)
  await loop.until(() => loop.events.includes('Suspended Job suspended') && loop.events.includes('Resumed Job resumed'))
})

test('with less parallelism it dismisses the pods that are too many', async () => {
  putJob()
  await loop.until(() => running().length === 2)
  putJob({ parallelism: 1 })
  await loop.until(() => server.all(Pods).length === 1)
  expect(status()?.failed).toBeUndefined()
})

test('an Indexed Job gives every index a pod', async () => {
  putJob({ completionMode: 'Indexed', completions: 2 })
  const indexes = () =>
    server.all(Pods).map(({ metadata }) => metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? '')
  await loop.until(() => indexes().sort().join() === '0,1')
  end('Succeeded', 2)
  await loop.until(() => conditions().includes('Complete'))
  expect(status()?.completedIndexes).toBe('0,1')
})

test('the deadline ends it, without anything happening', async () => {
  putJob({ activeDeadlineSeconds: 60 })
  await loop.until(() => running().length === 2)
  await loop.clock.advance(60_000)
  await loop.until(() => conditions().includes('FailureTarget') && server.all(Pods).length === 0)
  await loop.until(() => loop.events.some((event) => event.startsWith('DeadlineExceeded')))
})

test('of a Job that is gone no pod is held back', async () => {
  putJob()
  await loop.until(() => held().length === 2)
  server.remove(Jobs, 'work', 'default')
  await loop.until(() => held().length === 0)
})

test('an orphan that matches is adopted, with the finalizer, and counted', async () => {
  server.put(Pods, makePod('orphan', { phase: 'Succeeded', metadata: { labels: { job: 'work' } } }))
  putJob({ completions: 1 })
  await loop.until(() => conditions().includes('Complete'))
  expect(status()?.succeeded).toBe(1)
  expect(server.read(Pods, 'orphan', 'default')?.metadata.ownerReferences?.[0]?.name).toBe('work')
})

test('a Job that somebody else manages is left alone', async () => {
  putJob({ managedBy: 'example.com/queue' })
  await loop.pass(1_000)
  expect([server.all(Pods), status()]).toEqual([[], {}])
})

test('what cannot be created is tried again', async () => {
  server.failNext = ({ method, path }) =>
    method === 'POST' && path.endsWith('/pods') ? forbidden('', 'pods', 'work', 'exceeded quota') : undefined
  putJob()
  await loop.until(() => loop.events.some((event) => event.startsWith('FailedCreate')))
  server.failNext = undefined
  await loop.until(() => running().length === 2)
})

test('a finished Job is deleted when its time to live has passed, and not before', async () => {
  const job = putJob({ ttlSecondsAfterFinished: 100, suspend: true })
  server.put(Pods, makePod('done', { phase: 'Succeeded', metadata: { ownerReferences: controlledBy(job) } }))
  const now = new Date(loop.clock.now()).toISOString()
  const complete = { type: 'Complete', status: 'True', lastTransitionTime: now }
  server.put(Jobs, { ...job, status: { conditions: [complete] } })
  await loop.pass(90_000)
  expect(status()).toBeDefined()
  await loop.pass(15_000)
  await loop.until(() => status() === undefined)
})
