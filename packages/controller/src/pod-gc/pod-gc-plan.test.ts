import type { Node, Pod } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { at, epoch, makeNode, makePod } from '../testing/objects.ts'
import { planPodGc, type PodGcInput } from './pod-gc-plan.ts'

const deleted = { metadata: { deletionTimestamp: at(0) } }

function plan(pods: Pod[], more: Partial<PodGcInput> = {}, ...nodes: Node[]) {
  const known = new Map(nodes.map((node) => [node.metadata.name, node]))
  return planPodGc({ pods, nodes: known, missingSince: new Map(), threshold: 2, nowMs: epoch, ...more })
}

function names(pods: Pod[]): string[] {
  return pods.map(({ metadata }) => metadata.name)
}

describe('finished pods', () => {
  const finished = (name: string, age: number, phase = 'Succeeded'): Pod =>
    makePod(name, { phase, metadata: { creationTimestamp: at(-age) } })
  const evicted = finished('evicted', 1, 'Failed')
  evicted.status.reason = 'Evicted'
  const pods = [
    finished('young', 1),
    finished('old', 30, 'Failed'),
    makePod('running'),
    finished('middle', 20),
    evicted,
  ]

  test.each<[number, string[]]>([
    [4, []],
    [3, ['evicted']],
    [2, ['evicted', 'old']],
    [0, []],
  ])('beyond %i: %j', (threshold, expected) => {
    expect(names(plan(pods, { threshold }).finished)).toEqual(expected)
  })
})

describe('pods of a node that is gone', () => {
  const pods = [makePod('here', { node: 'node-1' }), makePod('lost', { node: 'node-9' })]
  test('wait in quarantine, in case it is only our cache', () => {
    const first = plan(pods, {}, makeNode('node-1'))
    expect(first.orphaned).toEqual([])
    const { missingSince } = first
    expect(names(plan(pods, { missingSince, nowMs: epoch + 39_999 }, makeNode('node-1')).orphaned)).toEqual([])
    expect(names(plan(pods, { missingSince, nowMs: epoch + 40_000 }, makeNode('node-1')).orphaned)).toEqual(['lost'])
  })

  test('a node that comes back begins anew', () => {
    const { missingSince } = plan(
      pods,
      { missingSince: new Map([['node-9', epoch]]) },
      makeNode('node-1'),
      makeNode('node-9'),
    )
    expect(missingSince.size).toBe(0)
  })
})

describe('deleted pods that nobody will confirm', () => {
  const outOfService = { spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] } }
  const ready = { conditions: [{ type: 'Ready', status: 'True' }] }
  test.each<[string, Pod, Node[], boolean]>([
    ['never scheduled', makePod('it', deleted), [], true],
    ['not deleted', makePod('it'), [], false],
    ['on a node that does not answer: it may yet', makePod('it', { ...deleted, node: 'n' }), [makeNode('n')], false],
    ['on a node that is out of service', makePod('it', { ...deleted, node: 'n' }), [makeNode('n', outOfService)], true],
    [
      'on a node that is said to be, but is ready',
      makePod('it', { ...deleted, node: 'n' }),
      [{ ...makeNode('n', outOfService), status: ready }],
      false,
    ],
    ['not deleted, on a node out of service', makePod('it', { node: 'n' }), [makeNode('n', outOfService)], false],
  ])('%s', (_name, pod, nodes, expected) => {
    expect(plan([pod], {}, ...nodes).abandoned).toEqual(expected ? [pod] : [])
  })
})
