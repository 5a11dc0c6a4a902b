import { expect, test } from 'vitest'
import type { Pod } from '@dinghy/shared/api/types'
import {
  groupPods,
  milliOf,
  NoProposal,
  type PodMetrics,
  replicasByAverage,
  replicasByShare,
  replicasByUtilization,
  replicasByValue,
} from './replicas.ts'

const now = Date.parse('2026-01-01T01:00:00Z')
const tuning = { now, tolerance: 0.1, cpuInitializationPeriodMs: 300_000, initialReadinessDelayMs: 30_000 }

interface Facts {
  phase?: string
  ready?: 'True' | 'False'
  startedSecondsAgo?: number
  changedSecondsAgo?: number
  deleted?: boolean
  request?: string | undefined
}

function pod(name: string, facts: Facts = {}): Pod {
  const {
    phase = 'Running',
    ready = 'True',
    startedSecondsAgo = 3000,
    changedSecondsAgo = 2900,
    deleted = false,
  } = facts
  const request = 'request' in facts ? facts.request : '100m'
  const at = (ago: number) => new Date(now - ago * 1000).toISOString()
  return {
    metadata: { name, ...(deleted ? { deletionTimestamp: at(1) } : {}) },
    spec: { containers: [{ name: 'web', resources: request ? { requests: { cpu: request } } : {} }] },
    status: {
      phase,
      startTime: at(startedSecondsAgo),
      conditions: [{ type: 'Ready', status: ready, lastTransitionTime: at(changedSecondsAgo) }],
    },
  } as unknown as Pod
}

function metrics(values: Record<string, number>): PodMetrics {
  const timestampMs = now - 5000
  return new Map(Object.entries(values).map(([name, milli]) => [name, { milli, timestampMs, windowMs: 10_000 }]))
}

const cpu = { resource: 'cpu', target: 50 }

test.each<[string, Pod[], Record<string, number>, number, number | undefined]>([
  ['twice the target: twice as many', [pod('a'), pod('b')], { a: 100, b: 100 }, 4, 100],
  ['half the target: half as many', [pod('a'), pod('b')], { a: 25, b: 25 }, 1, 25],
  ['within a tenth of it: no change', [pod('a'), pod('b')], { a: 53, b: 53 }, 2, 53],
  ['a little more: one more', [pod('a'), pod('b')], { a: 60, b: 60 }, 3, 60],
  ['pods that are going do not count', [pod('a'), pod('b', { deleted: true })], { a: 100 }, 2, 100],
  ['a pod without a metric uses nothing, going up', [pod('a'), pod('b')], { a: 150 }, 3, 150],
  ['so much that the direction would turn: no change', [pod('a'), pod('b')], { a: 70 }, 2, 70],
  [
    'a pod without a metric uses all of its request, going down',
    [pod('a'), pod('b'), pod('c')],
    { a: 10, b: 10 },
    3,
    10,
  ],
  ['a pending pod uses nothing, going up', [pod('a'), pod('b', { phase: 'Pending' })], { a: 200 }, 4, 200],
])('utilization: %s', (_what, pods, used, replicas, utilization) => {
  const proposal = replicasByUtilization({ pods, currentReplicas: pods.length, tuning }, metrics(used), cpu)
  expect([proposal.replicas, proposal.utilization]).toEqual([replicas, utilization])
})

test.each<[string, Pod[], Record<string, number>, string]>([
  ['no pods', [], {}, 'no pods returned by selector while calculating replica count'],
  ['no metrics', [pod('a', { phase: 'Pending' })], {}, 'did not receive metrics for any ready pods'],
  ['no request', [pod('a', { request: undefined })], { a: 1 }, 'missing request for cpu in container web of Pod a'],
])('utilization cannot be told with %s', (_what, pods, used, message) => {
  const ask = () => replicasByUtilization({ pods, currentReplicas: 1, tuning }, metrics(used), cpu)
  expect(ask).toThrow(new NoProposal(message))
})

test.each<[string, Facts, 'ready' | 'unready']>([
  ['runs for long', {}, 'ready'],
  ['runs for long, has failed its probe since', { ready: 'False', changedSecondsAgo: 60 }, 'ready'],
  ['was never ready', { ready: 'False', changedSecondsAgo: 2990 }, 'unready'],
  ['has just become ready', { startedSecondsAgo: 20, changedSecondsAgo: 8 }, 'unready'],
  ['is ready since one measurement', { startedSecondsAgo: 60, changedSecondsAgo: 30 }, 'ready'],
  ['starts', { startedSecondsAgo: 20, ready: 'False', changedSecondsAgo: 20 }, 'unready'],
])('the CPU of a pod that %s', (_what, facts, group) => {
  const { ready, unready } = groupPods([pod('a', facts)], metrics({ a: 100 }), 'cpu', tuning)
  expect([ready, unready.size]).toEqual(group === 'ready' ? [1, 0] : [0, 1])
})

test('by an average: what all pods need together', () => {
  const pods = [pod('a'), pod('b')]
  expect(replicasByAverage({ pods, currentReplicas: 2, tuning }, metrics({ a: 3000, b: 5000 }), 2000)).toEqual({
    replicas: 4,
    averageMilli: 4000,
  })
})

test('by one value: from nothing, to nothing, and by the pods that are ready', () => {
  const pods = [pod('a'), pod('b', { ready: 'False' })]
  expect(replicasByValue({ pods: [], currentReplicas: 0, tuning }, 9000, 4000)).toBe(3)
  expect(replicasByValue({ pods: [], currentReplicas: 0, tuning }, 0, 4000)).toBe(0)
  expect(replicasByValue({ pods, currentReplicas: 2, tuning }, 9000, 3000)).toBe(3)
  expect(replicasByValue({ pods, currentReplicas: 2, tuning }, 3100, 3000)).toBe(2)
})

test('by a share: each pod its part of one value', () => {
  expect(replicasByShare(2, 9000, 2000, tuning)).toEqual({ replicas: 5, averageMilli: 4500 })
  expect(replicasByShare(4, 8100, 2000, tuning)).toEqual({ replicas: 4, averageMilli: 2025 })
})

test.each([
  ['100m', 100],
  ['12345678n', 13],
  ['1', 1000],
  ['1Ki', 1_024_000],
])('%s is %d thousandths', (quantity, milli) => {
  expect(milliOf(quantity)).toBe(milli)
})
