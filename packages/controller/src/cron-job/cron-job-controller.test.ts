/**
 * The CronJob's whole loop over a real connection, on a clock that is turned by hand: minutes pass in no time.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { CronJobs, Jobs } from '@dinghy/shared/api/resources'
import type { CronJob, Job } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { debugQueues } from '@dinghy/shared/reconcile/gate'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { at, controlledBy, metaOf } from '../testing/objects.ts'
import { CronJobController } from './cron-job-controller.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
})
afterEach(() => loop.end())

const minuteMs = 60_000
const base: CronJob = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: metaOf('nightly'),
  spec: {
    schedule: '* * * * *',
    jobTemplate: { metadata: { labels: { app: 'nightly' } }, spec: { template: {} } },
  },
  status: {},
}
function putCronJob(spec: Partial<CronJob['spec']> = {}): CronJob {
  const present = server.read(CronJobs, 'nightly', 'default') ?? base
  return server.put(CronJobs, { ...present, spec: { ...present.spec, ...spec } })
}
function start(spec: Partial<CronJob['spec']> = {}): void {
  putCronJob(spec)
  loop.start(CronJobController)
}
function status() {
  return server.read(CronJobs, 'nightly', 'default')?.status
}
function jobs(): Job[] {
  return server.all(Jobs)
}
function names(): string[] {
  return jobs().map(({ metadata }) => metadata.name)
}
function finish(job: Job, type: 'Complete' | 'Failed', seconds: number): void {
  const conditions = [{ type, status: 'True' }]
  const completionTime = type === 'Complete' ? { completionTime: at(seconds) } : {}
  server.put(Jobs, { ...job, status: { startTime: at(seconds), conditions, ...completionTime } })
}
function toldOf(reason: string): boolean {
  return loop.events.some((event) => event.startsWith(`${reason} `))
}

test('starts a Job when it is due, keeps the reference, and notes its success', async () => {
  start()
  await loop.pass(30_000)
  expect(names()).toEqual([])
  await loop.until(() => names().length === 1)
  const [job] = jobs() as [Job]
  expect(job.metadata).toMatchObject({
    name: `nightly-${Date.parse(at(60)) / minuteMs}`,
    labels: { app: 'nightly' },
    annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': at(60) },
    ownerReferences: [{ kind: 'CronJob', name: 'nightly', controller: true }],
  })
  await loop.until(() => status()?.lastScheduleTime === at(60))
  expect(status()?.active).toMatchObject([{ kind: 'Job', name: job.metadata.name, uid: job.metadata.uid }])
  finish(job, 'Complete', 61)
  await loop.until(() => status()?.active === undefined && status()?.lastSuccessfulTime === at(61))
  await loop.until(() => toldOf('SawCompletedJob'))
})

test('Allow lets Jobs run side by side, Forbid skips a time, Replace ends the Job before', async () => {
  start()
  await loop.until(() => jobs().length === 2)
  await loop.until(() => status()?.active?.length === 2)

  putCronJob({ concurrencyPolicy: 'Forbid' })
  const before = names()
  await loop.pass(minuteMs)
  expect(names()).toEqual(before)
  await loop.until(() => toldOf('JobAlreadyActive'))

  putCronJob({ concurrencyPolicy: 'Replace' })
  await loop.until(() => jobs().length === 1 && !before.includes(names()[0] ?? ''))
  await loop.until(() => status()?.active?.length === 1)
  await loop.until(() => toldOf('SuccessfulDelete'))
})

test('starts nothing while suspended, and afterwards only the last time that was missed', async () => {
  start({ suspend: true })
  await loop.pass(3 * minuteMs)
  expect(names()).toEqual([])
  putCronJob({ suspend: false })
  await loop.until(() => names().length === 1)
  expect(names()[0]).toBe(`nightly-${Math.floor(loop.clock.now() / minuteMs)}`)
})

test('a missed time that is older than the starting deadline is let go', async () => {
  start({ suspend: true, schedule: '0 * * * *' })
  await loop.clock.advance(3_600_000 + 5 * minuteMs)
  putCronJob({ suspend: false, startingDeadlineSeconds: 60 })
  await loop.pass(2_000)
  expect(names()).toEqual([])
  putCronJob({ startingDeadlineSeconds: 3_000 })
  await loop.until(() => names().length === 1)
})

test('keeps as many finished Jobs as the history limits say', async () => {
  const cronJob = putCronJob({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0, suspend: true })
  const finished = (name: string, type: 'Complete' | 'Failed', seconds: number): void => {
    const metadata = metaOf(name, { ownerReferences: controlledBy(cronJob) })
    finish({ apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { template: {} }, status: {} }, type, seconds)
  }
  for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) finished(name, 'Complete', index)
  finished('e', 'Failed', 5)
  loop.start(CronJobController)
  await loop.until(() => names().join() === 'c,d' && status()?.lastSuccessfulTime === at(3))
})

test('a Job that was there already is taken for ours, or told of if it is not', async () => {
  const cronJob = putCronJob({ concurrencyPolicy: 'Forbid' })
  const name = `nightly-${Date.parse(at(60)) / minuteMs}`
  const stranger = { apiVersion: 'batch/v1', kind: 'Job', metadata: metaOf(name), spec: { template: {} }, status: {} }
  server.put(Jobs, stranger)
  loop.start(CronJobController)
  await loop.until(() => toldOf('FailedCreate'))
  expect(status()?.lastScheduleTime).toBeUndefined()
  server.put(Jobs, { ...stranger, metadata: { ...stranger.metadata, ownerReferences: controlledBy(cronJob) } })
  await loop.until(() => status()?.active?.[0]?.name === name)
})

test('a Job that somebody deleted while it ran is told of', async () => {
  start({ schedule: '0 * * * *' })
  await loop.clock.advance(3_600_000)
  await loop.until(() => status()?.active?.length === 1)
  server.remove(Jobs, names()[0] ?? '', 'default')
  await loop.until(() => toldOf('MissingJob') && status()?.active === undefined)
})

test('what cannot be created is told, and tried again', async () => {
  server.failNext = ({ method, path }) =>
    method === 'POST' && path.endsWith('/jobs') ? forbidden('', 'jobs', 'nightly', 'exceeded quota') : undefined
  start()
  await loop.until(() => toldOf('FailedCreate'))
  server.failNext = undefined
  await loop.until(() => names().length === 1)
})

test.each([
  ['UnknownTimeZone', { timeZone: 'Mars/Olympus' }],
  ['UnparseableSchedule', { schedule: 'now and then' }],
])('%s: nothing is started, and the event says why', async (reason, spec) => {
  start(spec)
  await loop.until(() => toldOf(reason))
  await loop.pass(2 * minuteMs)
  expect(names()).toEqual([])
})

test('a yearly schedule sleeps until its time, and costs nothing until then', async () => {
  start({ schedule: '@yearly' })
  const queue = () => debugQueues.get('cronjob-controller')?.snapshot()
  await loop.until(() => queue()?.delayed.length === 1)
  const { delayed, totals } = queue() ?? { delayed: [], totals: {} }
  // Beyond the 24.8 days that a timer of Node can wait (see Clock).
  expect(delayed[0]?.dueInMs).toBeGreaterThan(300 * 24 * 3_600_000)
  await loop.pass(10 * minuteMs)
  expect(queue()?.totals).toEqual(totals)
  await loop.clock.advance(delayed[0]?.dueInMs ?? 0)
  await loop.until(() => names().length === 1)
})
