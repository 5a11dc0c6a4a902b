import type { TopologySpreadConstraint } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { cluster, node, on, pod, siblings, type NodeTraits } from '../testing/objects.ts'
import { fitting, reasons, scores } from '../testing/ask.ts'
import { podTopologySpread } from './pod-topology-spread.ts'

const labels = { app: 'web' }
function constraint(more: Partial<TopologySpreadConstraint> = {}): TopologySpreadConstraint {
  return {
    maxSkew: 1,
    topologyKey: 'zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: labels },
    ...more,
  }
}
function spread(...topologySpreadConstraints: TopologySpreadConstraint[]) {
  return pod('p', { labels, spec: { topologySpreadConstraints } })
}
function replicas(count: number) {
  return Array.from({ length: count }, (_, index) => pod(`web-${index}`, { labels }))
}
function zoned(name: string, zone: string, count = 0, more: NodeTraits = {}) {
  return on(node(name, { labels: { zone }, ...more }), ...replicas(count))
}

describe('hard constraints', () => {
  test('no domain may be ahead of the emptiest by more than maxSkew', () => {
    const nodes = cluster([zoned('a1', 'a', 1), zoned('a2', 'a', 1), zoned('b1', 'b', 1), node('nowhere')])
    expect(reasons(podTopologySpread(), spread(constraint()), nodes)).toEqual({
      a1: ["node(s) didn't match pod topology spread constraints"],
      a2: ["node(s) didn't match pod topology spread constraints"],
      b1: [],
      nowhere: ["node(s) didn't match pod topology spread constraints (missing required label)"],
    })
    expect(fitting(podTopologySpread(), spread(constraint({ maxSkew: 2 })), nodes)).toEqual(['a1', 'a2', 'b1'])
  })

  test('a pod that does not match its own selector adds nothing', () => {
    const nodes = cluster([zoned('a1', 'a', 1), zoned('b1', 'b', 0)])
    const stranger = pod('p', { spec: { topologySpreadConstraints: [constraint()] } })
    expect(fitting(podTopologySpread(), stranger, nodes)).toEqual(['a1', 'b1'])
  })

  test('pods that are leaving, or of another namespace, are not counted', () => {
    const leaving = pod('x', { labels, deleting: true })
    const foreign = pod('y', { labels, namespace: 'other' })
    const nodes = cluster([on(node('a1', { labels: { zone: 'a' } }), leaving, foreign), zoned('b1', 'b')])
    expect(fitting(podTopologySpread(), spread(constraint()), nodes)).toEqual(['a1', 'b1'])
  })

  test('minDomains: missing domains count as empty', () => {
    const nodes = cluster([zoned('a1', 'a', 1), zoned('b1', 'b', 1)])
    expect(fitting(podTopologySpread(), spread(constraint({ minDomains: 2 })), nodes)).toEqual(['a1', 'b1'])
    expect(fitting(podTopologySpread(), spread(constraint({ minDomains: 3 })), nodes)).toEqual([])
  })

  test('which nodes are counted: by default those the pod may go to, tainted or not', () => {
    const tainted = { taints: [{ key: 'full', effect: 'NoSchedule' }] }
    const nodes = cluster([zoned('a1', 'a', 1), zoned('b1', 'b', 0, tainted)])
    expect(fitting(podTopologySpread(), spread(constraint()), nodes)).toEqual(['b1'])
    expect(fitting(podTopologySpread(), spread(constraint({ nodeTaintsPolicy: 'Honor' })), nodes)).toEqual(['a1', 'b1'])
    const choosy = (nodeAffinityPolicy: string) =>
      pod('p', {
        labels,
        spec: { nodeSelector: { zone: 'a' }, topologySpreadConstraints: [constraint({ nodeAffinityPolicy })] },
      })
    expect(fitting(podTopologySpread(), choosy('Honor'), nodes)).toContain('a1')
    expect(fitting(podTopologySpread(), choosy('Ignore'), nodes)).toEqual(['b1'])
  })

  test('matchLabelKeys count each revision by itself', () => {
    const old = pod('old', { labels: { ...labels, rev: '1' } })
    const nodes = cluster([on(node('a1', { labels: { zone: 'a' } }), old), zoned('b1', 'b')])
    const fresh = (matchLabelKeys: string[]) =>
      pod('p', {
        labels: { ...labels, rev: '2' },
        spec: { topologySpreadConstraints: [constraint({ matchLabelKeys })] },
      })
    expect(fitting(podTopologySpread(), fresh([]), nodes)).toEqual(['b1'])
    expect(fitting(podTopologySpread(), fresh(['rev']), nodes)).toEqual(['a1', 'b1'])
  })
})

describe('soft constraints', () => {
  const soft = (more: Partial<TopologySpreadConstraint> = {}) =>
    constraint({ whenUnsatisfiable: 'ScheduleAnyway', ...more })

  test('the emptier the domain, the better; a node outside all domains is worst', () => {
    const nodes = cluster([zoned('a1', 'a', 2), zoned('b1', 'b', 1), zoned('c1', 'c', 0), node('nowhere')])
    // raw scores 2·ln 5, 1·ln 5 and 0, rounded: 3, 2, 0
    expect(scores(podTopologySpread(), spread(soft()), nodes)).toEqual({ a1: 0, b1: 33, c1: 100, nowhere: 0 })
  })

  test('they refuse nobody', () => {
    expect(fitting(podTopologySpread(), spread(soft()), cluster([zoned('a1', 'a', 5), zoned('b1', 'b')]))).toEqual([
      'a1',
      'b1',
    ])
  })

  test('by default the siblings of a pod are spread over hosts, also without zones', () => {
    const nodes = cluster([on(node('a'), ...replicas(2)), on(node('b'), ...replicas(1)), node('c')], siblings(labels))
    const { a = 0, b = 0, c = 0 } = scores(podTopologySpread(), pod('p', { labels }), nodes) ?? {}
    expect([a < b, b < c, c]).toEqual([true, true, 100])
  })

  test('a pod without siblings has no wishes', () => {
    expect(scores(podTopologySpread(), pod('p'), cluster([node('a')]))).toBeUndefined()
  })
})
