import { describe, expect, test } from 'vitest'
import { fitErrorMessage } from './fit-error.ts'
import type { Plugin } from './framework.ts'
import { unresolvable, unschedulable } from './framework.ts'
import { defaultPlugins } from './plugins/default-plugins.ts'
import { schedulePod, scoreNodes } from './schedule.ts'
import type { Snapshot } from './snapshot.ts'
import { cluster, node, on, pod, siblings } from './testing/objects.ts'

function never(): never {
  throw new Error('nothing to choose between')
}
function schedule(one: ReturnType<typeof pod>, snapshot: Snapshot, random: () => number = () => 0) {
  return schedulePod(one, snapshot, defaultPlugins, random)
}

function why(one: ReturnType<typeof pod>, snapshot: Snapshot): string {
  const decision = schedulePod(one, snapshot, defaultPlugins, never)
  return decision.nodeName === undefined ? fitErrorMessage(decision.diagnosis) : `on ${decision.nodeName}`
}

describe('why no node fits', () => {
  const small = { allocatable: { cpu: '1' } }
  const tainted = { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }
  test.each<[string, Snapshot, string]>([
    ['no nodes', cluster([]), 'no nodes available to schedule pods'],
    ['one reason', cluster([node('a', small)]), '0/1 nodes are available: 1 Insufficient cpu.'],
    [
      'reasons are counted, and sorted as text',
      cluster([node('a', small), node('b', tainted), node('c', { unschedulable: true }), node('d', tainted)]),
      '0/4 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable, 2 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.',
    ],
    [
      'of one node only the first plugin that refused is heard, with all its reasons',
      cluster([node('a', { allocatable: { cpu: '1', memory: '1' } }), node('b', { ...tainted, ...small })]),
      '0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.',
    ],
  ])('%s', (_what, snapshot, message) => {
    expect(why(pod('p', { requests: { cpu: '2', memory: '1Mi' } }), snapshot)).toBe(message)
  })

  test('a refusal whatever the node is not counted', () => {
    const lost = pod('p', { spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] } })
    expect(why(lost, cluster([node('a'), node('b')]))).toBe(
      '0/2 nodes are available: persistentvolumeclaim "data" not found.',
    )
  })

  test('what preemption has to say follows', () => {
    const diagnosis = {
      nodeCount: 1,
      refusals: new Map([['a', unschedulable('Insufficient cpu')]]),
      refusedBy: new Set<string>(),
    }
    expect(fitErrorMessage(diagnosis, 'preemption: no.')).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. preemption: no.',
    )
  })

  test('the plugins that refused are known, for they decide when to try again', () => {
    const decision = schedule(
      pod('p', { requests: { cpu: '9' } }),
      cluster([node('a'), node('b', { unschedulable: true })]),
    )
    expect(decision.nodeName === undefined && [...decision.diagnosis.refusedBy]).toEqual([
      'NodeResourcesFit',
      'NodeUnschedulable',
    ])
  })
})

describe('the best node', () => {
  test('is the emptiest, all else equal', () => {
    const busy = on(node('busy'), pod('q', { requests: { cpu: '2', memory: '4Gi' } }))
    expect(schedule(pod('p', { requests: { cpu: '1', memory: '2Gi' } }), cluster([busy, node('idle')]))).toEqual({
      nodeName: 'idle',
      feasible: 2,
      evaluated: 2,
    })
  })

  test('the only one is taken without asking how good it is', () => {
    const explosive: Plugin = { name: 'Explosive', preScore: never }
    expect(schedulePod(pod('p'), cluster([node('a')]), [explosive], () => 0).nodeName).toBe('a')
  })

  test.each([
    [0, 'a'],
    [0.4, 'b'],
    [0.99, 'c'],
  ])('equals are drawn by lot: %d → %s', (lot, expected) => {
    expect(schedule(pod('p'), cluster([node('a'), node('b'), node('c')]), () => lot).nodeName).toBe(expected)
  })

  test('weights multiply scores', () => {
    const likes = (name: string, weight: number, favourite: string): Plugin => ({
      name,
      weight,
      preScore: () => ({ score: (info) => (info.node.metadata.name === favourite ? 100 : 0) }),
    })
    const nodes = cluster([node('a'), node('b')])
    expect(scoreNodes(pod('p'), nodes, nodes.nodes, [likes('x', 3, 'a'), likes('y', 2, 'b')])).toEqual(
      new Map([
        ['a', 300],
        ['b', 200],
      ]),
    )
  })

  test('replicas end up on different nodes', () => {
    const labels = { app: 'web' }
    const places: Record<string, number> = { a: 0, b: 0, c: 0 }
    for (let replica = 0; replica < 6; replica++) {
      const infos = Object.entries(places).map(([name, count]) =>
        on(node(name), ...Array.from({ length: count }, (_, index) => pod(`web-${name}-${index}`, { labels }))),
      )
      const { nodeName = '' } = schedule(pod('p', { labels }), cluster(infos, siblings(labels)))
      places[nodeName] = (places[nodeName] ?? 0) + 1
    }
    expect(places).toEqual({ a: 2, b: 2, c: 2 })
  })
})

describe('promised nodes', () => {
  const full = { requests: { cpu: '4' } }
  const promise = (traits: Parameters<typeof pod>[1]): Snapshot => ({
    ...cluster([node('a')]),
    nominated: new Map([['a', [pod('important', { ...full, ...traits })]]]),
  })

  test('a less important pod leaves the room alone, a more important one takes it', () => {
    expect(schedule(pod('p', { ...full, priority: 1 }), promise({ priority: 5 })).nodeName).toBeUndefined()
    expect(schedule(pod('p', { ...full, priority: 9 }), promise({ priority: 5 })).nodeName).toBe('a')
  })

  test('the pod that it was promised to looks there first, and elsewhere if it has become impossible', () => {
    const status = { phase: 'Pending', nominatedNodeName: 'b' }
    const two = cluster([node('a', { allocatable: { cpu: '64' } }), node('b')])
    expect(schedule(pod('important', { ...full, status }), two)).toEqual({ nodeName: 'b', feasible: 1, evaluated: 2 })
    const gone = cluster([node('a', { allocatable: { cpu: '64' } }), node('b', { unschedulable: true })])
    expect(schedule(pod('important', { ...full, status }), gone).nodeName).toBe('a')
  })
})

test('a plugin that refuses everywhere ends the search', () => {
  const strict: Plugin = { name: 'Strict', preFilter: () => unresolvable('out of principle') }
  const decision = schedulePod(pod('p'), cluster([node('a')]), [strict], () => 0)
  expect(decision.nodeName === undefined && fitErrorMessage(decision.diagnosis)).toBe(
    '0/1 nodes are available: out of principle.',
  )
})
