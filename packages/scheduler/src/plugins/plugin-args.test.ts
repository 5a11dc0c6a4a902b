/** What plugins do when a profile tells them something. */
import { describe, expect, test } from 'vitest'
import { fitting, reasons, scores } from '../testing/ask.ts'
import { cluster, node, on, pod, siblings } from '../testing/objects.ts'
import { interPodAffinity } from './inter-pod-affinity.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodeResourcesBalancedAllocation } from './node-resources-balanced-allocation.ts'
import { nodeResourcesFit } from './node-resources-fit.ts'
import { podTopologySpread } from './pod-topology-spread.ts'

const quarter = pod('p', { requests: { cpu: '1', memory: '2Gi' } })
const halfFull = cluster([on(node('half'), pod('other', { requests: { cpu: '2', memory: '4Gi' } })), node('empty')])

describe('NodeResourcesFit', () => {
  test('LeastAllocated and MostAllocated are opposites', () => {
    expect(scores(nodeResourcesFit(), quarter, halfFull)).toEqual({ half: 25, empty: 75 })
    expect(scores(nodeResourcesFit({ strategy: 'MostAllocated' }), quarter, halfFull)).toEqual({ half: 75, empty: 25 })
  })

  test('resources count by their weight, those that a node lacks not at all', () => {
    const resources = [
      { name: 'cpu', weight: 3 },
      { name: 'memory', weight: 1 },
      { name: 'example.com/chip', weight: 100 },
    ]
    const onlyCpu = pod('p', { requests: { cpu: '4', memory: '1' } })
    expect(scores(nodeResourcesFit({ strategy: 'MostAllocated', resources }), onlyCpu, cluster([node('a')]))).toEqual({
      a: 75,
    })
  })

  test.each([
    ['between two points', 25, 75],
    ['before the first', 10, 100],
    ['after the last', 90, 0],
  ])('a ratio follows its shape: %s', (_where, percent, expected) => {
    const shape = [
      { utilization: 20, score: 10 },
      { utilization: 40, score: 0 },
    ]
    const plugin = nodeResourcesFit({
      strategy: 'RequestedToCapacityRatio',
      shape,
      resources: [{ name: 'cpu', weight: 1 }],
    })
    const wanted = pod('p', { requests: { cpu: `${percent * 40}m` } })
    expect(scores(plugin, wanted, cluster([node('a')]))).toEqual({ a: expected })
  })

  test('ignored resources and groups need not be free', () => {
    const wanted = pod('p', { requests: { 'example.com/chip': '1', 'b.io/x': '1', cpu: '9' } })
    const plugin = nodeResourcesFit({ ignoredResources: ['b.io/x'], ignoredResourceGroups: ['example.com'] })
    expect(reasons(plugin, wanted, cluster([node('a')]))).toEqual({ a: ['Insufficient cpu'] })
  })
})

test('NodeResourcesBalancedAllocation looks at the resources that it is told', () => {
  const plugin = nodeResourcesBalancedAllocation({ resources: [{ name: 'cpu' }, { name: 'chip' }] })
  const nodes = cluster([node('a', { allocatable: { chip: '2' } }), node('none')])
  expect(scores(plugin, pod('p', { requests: { cpu: '2', chip: '2' } }), nodes)).toEqual({ a: 75, none: 100 })
  expect(scores(plugin, pod('p', { requests: { memory: '1Gi' } }), nodes)).toBeUndefined()
})

test('NodeAffinity: what a profile adds must hold as well', () => {
  const only = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'team', operator: 'In', values: ['a'] }] }] }
  const preferred = [{ weight: 5, preference: { matchExpressions: [{ key: 'ssd', operator: 'Exists' }] } }]
  const plugin = nodeAffinity({
    addedAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: only,
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
    },
  })
  const fast = node('fast', { labels: { team: 'a', ssd: '' } })
  const nodes = cluster([fast, node('slow', { labels: { team: 'a' } }), node('other')])
  expect(reasons(plugin, pod('p'), nodes)).toEqual({
    fast: [],
    slow: [],
    other: ["node(s) didn't match scheduler-enforced node affinity"],
  })
  expect(scores(plugin, pod('p'), nodes)).toEqual({ fast: 100, slow: 0, other: 0 })
  expect(plugin.isHelpedBy?.({ type: 'NodeAdded', node: node('other') }, pod('p'))).toBe(false)
  expect(plugin.isHelpedBy?.({ type: 'NodeAdded', node: fast }, pod('p'))).toBe(true)
})

describe('InterPodAffinity', () => {
  const labels = { app: 'web' }
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } }
  const web = pod('web', { labels })
  const drawn = (affinity: object) => cluster([on(node('a'), pod('fan', { spec: { affinity } })), node('b')])

  test('the weight of what pods that are there demand', () => {
    const nodes = drawn({ podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } })
    expect(scores(interPodAffinity(), web, nodes)).toEqual({ a: 100, b: 0 })
    expect(scores(interPodAffinity({ hardPodAffinityWeight: 0 }), web, nodes)).toBeUndefined()
  })

  test('what they prefer may be ignored', () => {
    const wish = { weight: 1, podAffinityTerm: term }
    const nodes = drawn({ podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [wish] } })
    expect(scores(interPodAffinity(), web, nodes)).toEqual({ a: 100, b: 0 })
    expect(scores(interPodAffinity({ ignorePreferredTermsOfExistingPods: true }), web, nodes)).toBeUndefined()
  })
})

describe('PodTopologySpread', () => {
  const labels = { app: 'web' }
  const host = { topologyKey: 'kubernetes.io/hostname', maxSkew: 1 }
  const nodes = cluster([on(node('a'), pod('one', { labels })), node('b')], siblings(labels))

  test('hard defaults of a profile filter', () => {
    const plugin = podTopologySpread({ defaultConstraints: [{ ...host, whenUnsatisfiable: 'DoNotSchedule' }] })
    expect(fitting(plugin, pod('two', { labels }), nodes)).toEqual(['b'])
    expect(fitting(podTopologySpread(), pod('two', { labels }), nodes)).toEqual(['a', 'b'])
  })

  test("soft ones score, and an empty list takes the system's away", () => {
    const plugin = podTopologySpread({ defaultConstraints: [{ ...host, whenUnsatisfiable: 'ScheduleAnyway' }] })
    expect(scores(plugin, pod('two', { labels }), nodes)).toEqual({ a: 0, b: 100 })
    expect(scores(podTopologySpread({ defaultConstraints: [] }), pod('two', { labels }), nodes)).toBeUndefined()
  })
})
