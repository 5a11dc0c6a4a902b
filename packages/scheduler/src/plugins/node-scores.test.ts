/**
 * The scorers that look at one node by itself; the numbers are worked out by hand from upstream's formulas.
 */
import { describe, expect, test } from 'vitest'
import { normalizeByMax } from '../framework.ts'
import { cluster, node, on, pod } from '../testing/objects.ts'
import { scores } from '../testing/ask.ts'
import { imageLocality } from './image-locality.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodeResourcesBalancedAllocation } from './node-resources-balanced-allocation.ts'
import { nodeResourcesFit } from './node-resources-fit.ts'
import { taintToleration } from './taint-toleration.ts'

test.each([
  [[1, 2, 4], false, [25, 50, 100]],
  [[1, 2, 3], false, [33, 66, 100]],
  [[0, 0], false, [0, 0]],
  [[0, 1, 2], true, [100, 50, 0]],
  [[0, 0], true, [100, 100]],
  [[], true, []],
])('normalizeByMax(%j, reverse: %s)', (raw, reverse, expected) =>
  expect(normalizeByMax(raw, { reverse })).toEqual(expected),
)

test('NodeResourcesFit prefers the node with the larger free share of cpu and memory', () => {
  const empty = node('empty')
  const half = on(node('half'), pod('q', { requests: { cpu: '2', memory: '4Gi' } }))
  const lopsided = on(node('lopsided'), pod('q', { requests: { cpu: '4', memory: '1Gi' } }))
  // wanted: cpu 1 of 4 and memory 2 of 8, so 75 % of the empty node stays free
  expect(
    scores(nodeResourcesFit(), pod('p', { requests: { cpu: '1', memory: '2Gi' } }), cluster([empty, half, lopsided])),
  ).toEqual({
    empty: 75,
    half: 25,
    lopsided: Math.trunc((0 + 62) / 2),
  })
})

test('NodeResourcesFit sees pods that ask for nothing', () => {
  const busy = on(node('busy'), pod('q'), pod('r'))
  const { busy: score = 0, idle = 0 } = scores(nodeResourcesFit(), pod('p'), cluster([busy, node('idle')])) ?? {}
  expect(score).toBeLessThan(idle)
})

describe('NodeResourcesBalancedAllocation', () => {
  test('prefers equal shares', () => {
    const skewed = on(node('skewed'), pod('q', { requests: { cpu: '3' } }))
    // even: |1/4 − 2/8| / 2 = 0; skewed: |4/4 − 2/8| / 2 = 0.375
    expect(
      scores(
        nodeResourcesBalancedAllocation(),
        pod('p', { requests: { cpu: '1', memory: '2Gi' } }),
        cluster([node('even'), skewed]),
      ),
    ).toEqual({
      even: 100,
      skewed: 62,
    })
  })

  test('has no opinion on a pod that asks for neither', () => {
    expect(scores(nodeResourcesBalancedAllocation(), pod('p'), cluster([node('n')]))).toBeUndefined()
  })
})

test('TaintToleration prefers few untolerated soft taints', () => {
  const soft = (key: string) => ({ key, effect: 'PreferNoSchedule' })
  const nodes = cluster([
    node('none'),
    node('one', { taints: [soft('a')] }),
    node('two', { taints: [soft('a'), soft('b')] }),
  ])
  expect(scores(taintToleration, pod('p'), nodes)).toEqual({ none: 100, one: 50, two: 0 })
  const tolerant = pod('p', { spec: { tolerations: [{ key: 'b', operator: 'Exists' }] } })
  expect(scores(taintToleration, tolerant, nodes)).toEqual({ none: 100, one: 0, two: 0 })
})

test('NodeAffinity adds the weights of the terms that hold', () => {
  const prefer = (weight: number, key: string) => ({
    weight,
    preference: { matchExpressions: [{ key, operator: 'Exists' }] },
  })
  const picky = pod('p', {
    spec: {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            prefer(10, 'ssd'),
            prefer(30, 'gpu'),
            { weight: 99, preference: {} },
          ],
        },
      },
    },
  })
  const nodes = cluster([node('a', { labels: { ssd: '' } }), node('b', { labels: { ssd: '', gpu: '' } }), node('c')])
  expect(scores(nodeAffinity(), picky, nodes)).toEqual({ a: 25, b: 100, c: 0 })
  expect(scores(nodeAffinity(), pod('p'), nodes)).toBeUndefined()
})

test('ImageLocality prefers nodes that have large images, less so if few have them', () => {
  const image = (name: string, megabytes: number) => ({
    images: [{ names: [name], sizeBytes: megabytes * 1024 * 1024 }],
  })
  const big = pod('p', { spec: { containers: [{ name: 'main', image: 'big' }] } })
  const nodes = cluster([node('has', image('big:latest', 1000)), node('other', image('other:latest', 1000))])
  // 1000 MB, on half of the nodes: (500 − 23) of (1000 − 23)
  expect(scores(imageLocality, big, nodes)).toEqual({ has: 48, other: 0 })
  expect(
    scores(
      imageLocality,
      pod('p', { spec: { containers: [{ name: 'main', image: 'host:5000/x' }] } }),
      cluster([node('n', image('host:5000/x:latest', 2000))]),
    ),
  ).toEqual({ n: 100 })
})
