/**
 * The filters that look at one node by itself.
 */
import type { NodeSelectorTerm } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { cluster, node, on, pod, type NodeTraits, type PodTraits } from '../testing/objects.ts'
import { fitting, reasons } from '../testing/ask.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodeName } from './node-name.ts'
import { nodePorts } from './node-ports.ts'
import { nodeResourcesFit } from './node-resources-fit.ts'
import { nodeUnschedulable } from './node-unschedulable.ts'
import { taintToleration } from './taint-toleration.ts'

test('NodeName', () => {
  const two = cluster([node('a'), node('b')])
  expect(fitting(nodeName, pod('p'), two)).toEqual(['a', 'b'])
  expect(reasons(nodeName, pod('p', { nodeName: 'b' }), two)).toEqual({
    a: ["node(s) didn't match the requested node name"],
    b: [],
  })
})

test('NodeUnschedulable', () => {
  const two = cluster([node('open'), node('cordoned', { unschedulable: true })])
  expect(reasons(nodeUnschedulable, pod('p'), two)).toEqual({ open: [], cordoned: ['node(s) were unschedulable'] })
  const tolerant = pod('p', {
    spec: { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] },
  })
  expect(fitting(nodeUnschedulable, tolerant, two)).toEqual(['open', 'cordoned'])
})

describe('TaintToleration', () => {
  const taint = { key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }
  test.each<[string, PodTraits['spec'], boolean]>([
    ['no toleration', {}, false],
    ['the same', { tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'gpu', effect: 'NoSchedule' }] }, true],
    ['Equal is the default', { tolerations: [{ key: 'dedicated', value: 'gpu' }] }, true],
    ['another value', { tolerations: [{ key: 'dedicated', value: 'db' }] }, false],
    ['another effect', { tolerations: [{ key: 'dedicated', value: 'gpu', effect: 'NoExecute' }] }, false],
    ['another key', { tolerations: [{ key: 'other', operator: 'Exists' }] }, false],
    ['Exists takes any value', { tolerations: [{ key: 'dedicated', operator: 'Exists' }] }, true],
    ['Exists without a key takes all', { tolerations: [{ operator: 'Exists' }] }, true],
  ])('%s', (_what, spec, fits) => {
    const tainted = cluster([node('n', { taints: [taint] })])
    expect(reasons(taintToleration, pod('p', { spec: spec ?? {} }), tainted)['n']).toEqual(
      fits ? [] : ['node(s) had untolerated taint {dedicated: gpu}'],
    )
  })

  test('a taint that only asks not to be used does not keep anybody away', () => {
    const asking = cluster([node('n', { taints: [{ key: 'a', effect: 'PreferNoSchedule' }] })])
    expect(fitting(taintToleration, pod('p'), asking)).toEqual(['n'])
  })

  test('a taint without a value', () => {
    const dead = cluster([node('n', { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] })])
    expect(reasons(taintToleration, pod('p'), dead)['n']).toEqual([
      'node(s) had untolerated taint {node.kubernetes.io/not-ready: }',
    ])
  })
})

describe('NodeAffinity', () => {
  const required = (nodeSelectorTerms: NodeSelectorTerm[]): PodTraits => ({
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
        },
      },
    },
  })
  const expression = (key: string, operator: string, ...values: string[]) => ({
    matchExpressions: [{ key, operator, values }],
  })
  const labelled = cluster([
    node('a', { labels: { disk: 'ssd', size: '10' } }),
    node('b', { labels: { disk: 'hdd', size: '5' } }),
    node('c'),
  ])

  test.each<[string, PodTraits, string[]]>([
    ['nothing', {}, ['a', 'b', 'c']],
    ['nodeSelector', { spec: { nodeSelector: { disk: 'ssd' } } }, ['a']],
    ['nodeSelector, all of it', { spec: { nodeSelector: { disk: 'ssd', size: '5' } } }, []],
    ['In', required([expression('disk', 'In', 'ssd', 'nvme')]), ['a']],
    ['NotIn holds where the label is missing', required([expression('disk', 'NotIn', 'ssd')]), ['b', 'c']],
    ['Exists', required([expression('disk', 'Exists')]), ['a', 'b']],
    ['DoesNotExist', required([expression('disk', 'DoesNotExist')]), ['c']],
    ['Gt compares numbers', required([expression('size', 'Gt', '9')]), ['a']],
    ['Lt', required([expression('size', 'Lt', '9')]), ['b']],
    [
      'terms are alternatives',
      required([expression('disk', 'In', 'ssd'), expression('disk', 'DoesNotExist')]),
      ['a', 'c'],
    ],
    ['an empty term matches nothing', required([{}]), []],
    ['by name', required([{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }]), ['b']],
    [
      'expressions of one term must all hold',
      required([
        {
          matchExpressions: [
            { key: 'disk', operator: 'Exists' },
            { key: 'size', operator: 'Lt', values: ['9'] },
          ],
        },
      ]),
      ['b'],
    ],
    [
      'selector and affinity must both hold',
      { spec: { nodeSelector: { disk: 'ssd' }, ...required([expression('size', 'Lt', '9')]).spec } },
      [],
    ],
  ])('%s', (_what, traits, nodes) => {
    expect(fitting(nodeAffinity(), pod('p', traits), labelled)).toEqual(nodes)
  })

  test('says so', () => {
    expect(reasons(nodeAffinity(), pod('p', { spec: { nodeSelector: { x: 'y' } } }), labelled)['a']).toEqual([
      "node(s) didn't match Pod's node affinity/selector",
    ])
  })
})

describe('NodePorts', () => {
  const port = (hostPort: number, more: object = {}): PodTraits => ({
    spec: { containers: [{ name: 'main', image: 'app', ports: [{ containerPort: 80, hostPort, ...more }] }] },
  })
  test.each<[string, PodTraits, PodTraits, boolean]>([
    ['another port', port(80), port(81), true],
    ['the same port', port(80), port(80), false],
    ['another protocol', port(80), port(80, { protocol: 'UDP' }), true],
    ['another address', port(80, { hostIP: '127.0.0.1' }), port(80, { hostIP: '127.0.0.2' }), true],
    ['all addresses and one of them', port(80), port(80, { hostIP: '127.0.0.2' }), false],
    ['no host port', port(80), {}, true],
  ])('%s', (_what, there, wanted, fits) => {
    const taken = cluster([on(node('n'), pod('there', there))])
    expect(reasons(nodePorts, pod('p', wanted), taken)['n']).toEqual(
      fits ? [] : ["node(s) didn't have free ports for the requested pod ports"],
    )
  })
})

describe('NodeResourcesFit', () => {
  test.each<[string, NodeTraits['allocatable'], PodTraits['requests'], PodTraits['requests'], string[]]>([
    ['an empty node', {}, undefined, { cpu: '4', memory: '8Gi' }, []],
    ['the rest, exactly', {}, { cpu: '3' }, { cpu: '1' }, []],
    ['one too many', {}, { cpu: '3' }, { cpu: '1001m' }, ['Insufficient cpu']],
    [
      'all that is missing',
      {},
      { cpu: '4', memory: '8Gi' },
      { cpu: '1m', memory: '1' },
      ['Insufficient cpu', 'Insufficient memory'],
    ],
    [
      'a resource that the node does not have',
      {},
      undefined,
      { 'example.com/gpu': '1' },
      ['Insufficient example.com/gpu'],
    ],
    ['nothing of it is always there', {}, undefined, { 'example.com/gpu': '0' }, []],
    [
      'ephemeral storage',
      { 'ephemeral-storage': '1Gi' },
      undefined,
      { 'ephemeral-storage': '2Gi' },
      ['Insufficient ephemeral-storage'],
    ],
    ['places', { pods: '1' }, {}, {}, ['Too many pods']],
  ])('%s', (_what, allocatable, used, wanted, expected) => {
    const n = node('n', { allocatable: allocatable ?? {} })
    const info = used === undefined ? on(n) : on(n, pod('there', { requests: used }))
    expect(reasons(nodeResourcesFit(), pod('p', { requests: wanted ?? {} }), cluster([info]))['n']).toEqual(expected)
  })

  test('what even the empty node could not hold is not worth a preemption', () => {
    const filter = nodeResourcesFit().preFilter?.(pod('p', { requests: { cpu: '5' } }), cluster([]))
    expect(typeof filter === 'function' && filter(on(node('n')))?.code).toBe('UnschedulableAndUnresolvable')
    expect(
      typeof filter === 'function' &&
        filter(on(node('n', { allocatable: { cpu: '6' } }), pod('q', { requests: { cpu: '2' } })))?.code,
    ).toBe('Unschedulable')
  })
})
