import { expect, test } from 'vitest'
import { explainSchedule } from './explain.ts'
import type { Plugin } from './framework.ts'
import { defaultPlugins } from './plugins/default-plugins.ts'
import { schedulePod } from './schedule.ts'
import { cluster, node, on, pod } from './testing/objects.ts'

test('a refused node is shown to all plugins, and scored by none', () => {
  const snapshot = cluster([node('full', { allocatable: { cpu: '1' }, unschedulable: true }), node('free')])
  const [full, free] = explainSchedule(pod('p', { requests: { cpu: '2' } }), snapshot, defaultPlugins).nodes
  expect(full).toEqual({
    node: 'full',
    refusals: [
      { plugin: 'NodeUnschedulable', reasons: ['node(s) were unschedulable'] },
      { plugin: 'NodeResourcesFit', reasons: ['Insufficient cpu'] },
    ],
    scores: [],
  })
  expect(free).toEqual({ node: 'free', refusals: [], scores: [], total: 0 })
})

test('scores add up to what the scheduler goes by', () => {
  const snapshot = cluster([
    on(node('busy'), pod('other', { requests: { cpu: '3' } })),
    node('idle'),
    node('liked', { labels: { disk: 'ssd' } }),
  ])
  const preference = { key: 'disk', operator: 'In', values: ['ssd'] }
  const wanted = pod('p', {
    spec: {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 10, preference: { matchExpressions: [preference] } },
          ],
        },
      },
    },
  })
  const { nodes, best } = explainSchedule(wanted, snapshot, defaultPlugins)
  expect(best).toEqual(['liked'])
  expect(schedulePod(wanted, snapshot, defaultPlugins, () => 0)).toMatchObject({ nodeName: 'liked' })
  const liked = nodes.find(({ node }) => node === 'liked')
  expect(liked?.scores).toContainEqual({ plugin: 'NodeAffinity', weight: 2, raw: 10, score: 100 })
  expect(liked?.total).toBe(liked?.scores.reduce((sum, { score, weight }) => sum + score * weight, 0))
})

test('a pod that no node suits is refused on each by the plugin that said so', () => {
  const never: Plugin = { name: 'Never', preFilter: () => ({ code: 'Unschedulable', reasons: ['never'] }) }
  expect(explainSchedule(pod('p'), cluster([node('a'), node('b')]), [never])).toEqual({
    nodes: ['a', 'b'].map((name) => ({
      node: name,
      refusals: [{ plugin: 'Never', reasons: ['never'] }],
      scores: [],
    })),
    best: [],
  })
})

test('room that was promised to a more important pod is not free', () => {
  const snapshot = cluster([node('a', { allocatable: { cpu: '2' } })])
  const promised = pod('vip', { requests: { cpu: '2' }, priority: 10, status: { nominatedNodeName: 'a' } })
  const nominated = new Map([['a', [promised]]])
  const { nodes } = explainSchedule(pod('p', { requests: { cpu: '1' } }), { ...snapshot, nominated }, defaultPlugins)
  expect(nodes[0]?.refusals).toEqual([{ plugin: 'NodeResourcesFit', reasons: ['Insufficient cpu'] }])
})
