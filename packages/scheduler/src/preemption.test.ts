import type { PodDisruptionBudget } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { defaultPlugins } from './plugins/default-plugins.ts'
import { preempt } from './preemption.ts'
import { findFeasibleNodes } from './schedule.ts'
import type { NodeInfo, Snapshot } from './snapshot.ts'
import { cluster, node, on, pod, type PodTraits } from './testing/objects.ts'

function run(preemptor: ReturnType<typeof pod>, snapshot: Snapshot, budgets: PodDisruptionBudget[] = []) {
  const { diagnosis } = findFeasibleNodes(preemptor, snapshot, defaultPlugins)
  return preempt(preemptor, snapshot, diagnosis, defaultPlugins, budgets)
}

/** "node: victims", or the message. */
function outcome(preemptor: ReturnType<typeof pod>, snapshot: Snapshot, budgets: PodDisruptionBudget[] = []): string {
  const result = run(preemptor, snapshot, budgets)
  if (result.candidate === undefined) return result.message
  return `${result.candidate.nodeName}: ${result.candidate.victims.map(({ metadata }) => metadata.name).join(' ')}`
}

const important = pod('important', { requests: { cpu: '2' }, priority: 100 })
function holder(name: string, cpu: string, priority: number, more: PodTraits = {}) {
  return pod(name, { requests: { cpu }, priority, ...more })
}

function budget(labels: Record<string, string>, disruptionsAllowed: number): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'budget', namespace: 'default', uid: 'b', resourceVersion: '1', creationTimestamp: '' },
    spec: { selector: { matchLabels: labels } },
    status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
  }
}

describe('victims', () => {
  test.each<[string, NodeInfo[], string]>([
    ['the less important pod goes', [on(node('a'), holder('x', '3', 0))], 'a: x'],
    ['no more than necessary, the least important', [on(node('a'), holder('x', '2', 10), holder('y', '2', 0))], 'a: y'],
    [
      'several, if it takes several',
      [on(node('a'), holder('x', '1', 0), holder('y', '1', 1), holder('z', '2', 200))],
      'a: y x',
    ],
    [
      'of equals the one that began last',
      [
        on(
          node('a'),
          holder('old', '2', 0, { created: '2025-01-01T00:00:00Z' }),
          holder('new', '2', 0, { created: '2025-01-02T00:00:00Z' }),
        ),
      ],
      'a: new',
    ],
  ])('%s', (_what, infos, expected) => expect(outcome(important, cluster(infos))).toBe(expected))

  test('pods that are not less important stay', () => {
    expect(outcome(important, cluster([on(node('a'), holder('x', '3', 100))]))).toBe(
      'preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    )
  })
})

describe('which node', () => {
  const labels = { app: 'db' }
  test.each<[string, NodeInfo[], string]>([
    ['the least important victim', [on(node('a'), holder('x', '3', 5)), on(node('b'), holder('y', '3', 1))], 'b: y'],
    [
      'then the smaller sum',
      [on(node('a'), holder('x', '2', 5), holder('x2', '2', 5, { spec: {} })), on(node('b'), holder('y', '3', 5))],
      'a: x2',
    ],
    [
      'then fewer',
      [on(node('a'), holder('x', '3', 5), holder('x2', '1', -5)), on(node('b'), holder('y', '3', 5))],
      'a: x',
    ],
    [
      'then the one that has run for the shorter time',
      [
        on(node('a'), holder('x', '3', 5, { created: '2025-01-01T00:00:00Z' })),
        on(node('b'), holder('y', '3', 5, { created: '2025-01-02T00:00:00Z' })),
      ],
      'b: y',
    ],
  ])('%s', (_what, infos, expected) => expect(outcome(important, cluster(infos))).toBe(expected))

  test('a disruption budget weighs more than importance, but does not forbid', () => {
    const guarded = on(node('a'), holder('x', '3', 1, { labels }))
    const free = on(node('b'), holder('y', '3', 50))
    expect(outcome(important, cluster([guarded, free]), [budget(labels, 0)])).toBe('b: y')
    expect(outcome(important, cluster([guarded, free]), [budget(labels, 1)])).toBe('a: x')
    expect(outcome(important, cluster([guarded]), [budget(labels, 0)])).toBe('a: x')
  })

  test('on one node, those that no budget guards go first', () => {
    const info = on(node('a'), holder('guarded', '2', 0, { labels }), holder('free', '2', 50))
    expect(outcome(important, cluster([info]), [budget(labels, 0)])).toBe('a: free')
  })
})

describe('no preemption', () => {
  const busy = on(node('a'), holder('x', '3', 0))
  test.each<[string, ReturnType<typeof pod>, Snapshot, string]>([
    [
      'where no leaving would help',
      pod('p', { requests: { cpu: '99' }, priority: 100 }),
      cluster([busy, node('b', { unschedulable: true })]),
      'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    ],
    [
      'where all leaving would not be enough',
      important,
      cluster([on(node('a'), holder('x', '1', 0), holder('rest', '3', 100))]),
      'preemption: 0/1 nodes are available: 1 Insufficient cpu.',
    ],
    [
      'by a pod that is not allowed to',
      pod('p', { requests: { cpu: '2' }, priority: 100, spec: { preemptionPolicy: 'Never' } }),
      cluster([busy]),
      'preemption: not eligible due to preemptionPolicy=Never.',
    ],
    [
      'while the victims of the last one are still leaving',
      pod('p', { requests: { cpu: '2' }, priority: 100, status: { nominatedNodeName: 'a' } }),
      cluster([
        on(
          node('a'),
          holder('x', '3', 0, {
            deleting: true,
            status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] },
          }),
        ),
      ]),
      'preemption: not eligible due to a terminating pod on the nominated node.',
    ],
  ])('%s', (_what, preemptor, snapshot, message) => expect(outcome(preemptor, snapshot)).toBe(message))
})

test('victims may stand in the way by other things than resources', () => {
  const antiAffinity = {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } },
      ],
    },
  }
  const loner = pod('loner', { priority: 1, spec: { affinity: antiAffinity } })
  expect(outcome(loner, cluster([on(node('a'), pod('x', { labels: { app: 'x' } }), pod('y'))]))).toBe('a: x')
})
