/**
 * Whoever writes a status keeps what is not its own: each controller's status, computed over one in which somebody else
 * has written, and with nothing to tell of its own.
 */

import type { CronJob, DaemonSet, Job, PodDisruptionBudget, StatefulSet } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { cronJobStatus } from './cron-job/cron-job-status.ts'
import { daemonSetStatus } from './daemon-set/daemon-status.ts'
import { deploymentStatus } from './deployment/deployment-status.ts'
import { budgetStatus, failedStatus } from './disruption/budget.ts'
import { planJob } from './job/job-plan.ts'
import { replicaStatus } from './replica-set/replica-status.ts'
import { statefulSetStatus } from './stateful-set/stateful-status.ts'
import { epoch, makeDeployment, makeReplicaSet, metaOf, webTemplate } from './testing/objects.ts'

const foreign = { 'example.com/load': '0.7' }
const theirs = { type: 'example.com/Audited', status: 'True' }
const selector = { matchLabels: { app: 'web' } }
const present = { ...foreign, conditions: [theirs], readyReplicas: 3, numberReady: 3, active: 3 }

const daemonSet = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: metaOf('a'),
  spec: { selector, template: webTemplate('v1') },
  status: present,
} as unknown as DaemonSet
const set = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: metaOf('a'),
  spec: { selector, template: webTemplate('v1'), serviceName: 'a' },
  status: present,
} as unknown as StatefulSet
const job = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: metaOf('a'),
  spec: { suspend: true, template: webTemplate('v1') },
  status: present,
} as unknown as Job
const cronJob = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: metaOf('a'),
  spec: { schedule: '@daily', jobTemplate: {} },
  status: { ...present, active: [{ name: 'gone', uid: 'gone' }] },
} as unknown as CronJob
const deployment = makeDeployment('a', { status: present })
const budget = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: metaOf('a'),
  spec: { selector },
  status: { ...present, currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
} as unknown as PodDisruptionBudget

describe.each<[string, object]>([
  ['ReplicaSet', replicaStatus(makeReplicaSet('a', { status: present }), [], undefined, epoch)],
  ['Deployment', deploymentStatus({ deployment, fresh: undefined, replicaSets: [], isStanding: false, now: epoch })],
  ['DaemonSet', daemonSetStatus(daemonSet, [], [], 'hash', epoch)],
  ['StatefulSet', statefulSetStatus({ set, pods: [], currentRevision: 'a-1', updateRevision: 'a-1', now: epoch })],
  ['Job', planJob(job, [], true, epoch).status],
  ['CronJob', cronJobStatus(cronJob, [])],
  ['PodDisruptionBudget', budgetStatus({ budget, pods: [], expected: 0, now: epoch })],
  ['PodDisruptionBudget that fails', failedStatus(budget, 'no', epoch)],
])('%s', (kind, status) => {
  test('keeps the fields and conditions of others', () => {
    expect(status).toMatchObject(foreign)
    expect((status as { conditions?: object[] }).conditions).toContainEqual(theirs)
  })

  test('takes its own away when there is nothing to tell', () => {
    const { readyReplicas, numberReady, active } = JSON.parse(JSON.stringify(status)) as Record<string, unknown>
    if (['ReplicaSet', 'Deployment', 'StatefulSet'].includes(kind)) expect(readyReplicas).toBeUndefined()
    if (kind === 'DaemonSet') expect(numberReady).toBe(0)
    if (['Job', 'CronJob'].includes(kind)) expect(active).toBeUndefined()
  })
})
