import { describe, expect, test } from 'vitest'
import type { DaemonSet, Node, Pod } from '@dinghy/shared/api/types'
import { at, epoch, makeNode, makePod, metaOf, webTemplate, type PodFacts } from '../testing/objects.ts'
import { daemonPod, isWantedOn, nodeOf } from './daemon-pod.ts'
import { planDaemons, type DaemonWorld } from './daemon-plan.ts'
import { daemonSetStatus } from './daemon-status.ts'
import { FailureBackoff } from './failure-backoff.ts'

function makeDaemonSet(spec: Partial<DaemonSet['spec']> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: metaOf('agent', { generation: 1 }),
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: webTemplate('v1'),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      ...spec,
    },
    status: { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 },
  }
}

const nodes = ['n1', 'n2', 'n3'].map((name) => makeNode(name))
function podOn(node: string, hash: string, more: PodFacts = {}) {
  return makePod(`${node}-${hash}`, {
    node,
    readyAt: 0,
    ...more,
    metadata: { labels: { 'controller-revision-hash': hash }, ...more.metadata },
  })
}
const leaving = { metadata: { labels: { 'controller-revision-hash': 'old' }, deletionTimestamp: at(5) } }

function plan(pods: Pod[], more: Partial<DaemonWorld> = {}) {
  const world = {
    daemonSet: makeDaemonSet(),
    nodes,
    pods,
    hash: 'new',
    now: epoch + 100_000,
    backoffMs: () => 0,
    ...more,
  }
  const { create, remove, finished, retryInMs } = planDaemons(world)
  return {
    create,
    remove: remove.map(({ metadata }) => metadata.name),
    ...(finished.length > 0 ? { finished: finished.map(({ metadata }) => metadata.name) } : {}),
    ...(retryInMs === undefined ? {} : { retryInMs }),
  }
}

describe('placing', () => {
  test('puts one pod on every node', () => {
    expect(plan([podOn('n2', 'new')])).toEqual({ create: ['n1', 'n3'], remove: [] })
  })

  test('counts a pod that is meant for a node but not there yet', () => {
    const draft = daemonPod(makeDaemonSet(), 'n1', 'new')
    const waiting = makePod('waiting', {
      phase: 'Pending',
      spec: draft.spec ?? {},
      metadata: { labels: draft.metadata.labels ?? {} },
    })
    expect(nodeOf(waiting)).toBe('n1')
    expect(plan([waiting])).toEqual({ create: ['n2', 'n3'], remove: [] })
  })

  test('waits for a leaving pod before it makes the next', () => {
    const others = [podOn('n2', 'new'), podOn('n3', 'new')]
    expect(plan([podOn('n1', 'old', leaving), ...others])).toEqual({ create: [], remove: [] })
  })

  test('keeps the oldest of several pods on a node', () => {
    const young = podOn('n1', 'new', { metadata: { creationTimestamp: at(50) } })
    young.metadata.name = 'young'
    const pods = [young, podOn('n1', 'new'), podOn('n2', 'new'), podOn('n3', 'new')]
    expect(plan(pods)).toEqual({ create: [], remove: ['young'] })
  })

  test('replaces finished pods, failed ones not too often', () => {
    const pods = [
      podOn('n1', 'new', { phase: 'Failed' }),
      podOn('n2', 'new', { phase: 'Succeeded' }),
      podOn('n3', 'new'),
    ]
    const both = ['n1-new', 'n2-new']
    expect(plan(pods)).toEqual({ create: [], remove: both, finished: both })
    expect(plan(pods, { backoffMs: () => 700 })).toEqual({
      create: [],
      remove: ['n2-new'],
      finished: ['n2-new'],
      retryInMs: 700,
    })
  })

  test('removes pods waiting for a node that is gone', () => {
    const draft = daemonPod(makeDaemonSet(), 'gone', 'new')
    const waiting = makePod('waiting', { phase: 'Pending', spec: draft.spec ?? {} })
    expect(plan([waiting, podOn('n1', 'new'), podOn('n2', 'new'), podOn('n3', 'new'), podOn('gone', 'new')])).toEqual({
      create: [],
      remove: ['waiting'],
    })
  })
})

describe('isWantedOn', () => {
  const tainted = (key: string, effect: string) => makeNode('n', { spec: { taints: [{ key, effect }] } })
  const withSpec = (spec: object) => {
    const template = webTemplate('v1')
    return makeDaemonSet({ template: { ...template, spec: { ...template.spec, ...spec } } })
  }
  const labelled = makeNode('n', { metadata: { labels: { disk: 'ssd' } } })
  const affinity = (operator: string) => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator, values: ['ssd'] }] }],
        },
      },
    },
  })
  const table: [string, object, Node, boolean, boolean][] = [
    ['any node', {}, makeNode('n'), true, true],
    ['a node with the label', { nodeSelector: { disk: 'ssd' } }, labelled, true, true],
    ['a node without it', { nodeSelector: { disk: 'ssd' } }, makeNode('n'), false, false],
    ['affinity', affinity('In'), labelled, true, true],
    ['anti-affinity', affinity('NotIn'), labelled, false, false],
    ['another node by name', { nodeName: 'other' }, makeNode('n'), false, false],
    ['NoSchedule: no new pod, but one that is there stays', {}, tainted('special', 'NoSchedule'), false, true],
    ['NoExecute', {}, tainted('special', 'NoExecute'), false, false],
    ['PreferNoSchedule', {}, tainted('special', 'PreferNoSchedule'), true, true],
    ['cordoned', {}, tainted('node.kubernetes.io/unschedulable', 'NoSchedule'), true, true],
    ['unreachable', {}, tainted('node.kubernetes.io/unreachable', 'NoExecute'), true, true],
    ['no network', {}, tainted('node.kubernetes.io/network-unavailable', 'NoSchedule'), false, true],
    [
      'no network, on the host',
      { hostNetwork: true },
      tainted('node.kubernetes.io/network-unavailable', 'NoSchedule'),
      true,
      true,
    ],
    ['tolerated', { tolerations: [{ operator: 'Exists' }] }, tainted('special', 'NoExecute'), true, true],
  ]
  test.each(table)('%s', (_name, spec, node, shouldRun, mayStay) => {
    expect(isWantedOn(withSpec(spec), node)).toEqual({ shouldRun, mayStay })
  })

  test('takes pods away from nodes that are no longer meant', () => {
    const nowTainted = [tainted('special', 'NoExecute'), tainted('special', 'NoSchedule')]
    nowTainted.forEach((node, index) => (node.metadata.name = `n${index + 1}`))
    expect(plan([podOn('n1', 'new'), podOn('n2', 'new')], { nodes: nowTainted })).toEqual({
      create: [],
      remove: ['n1-new'],
    })
  })
})

describe('a rolling update in place', () => {
  const update = (pods: Pod[], maxUnavailable: number | string) =>
    plan(pods, {
      daemonSet: makeDaemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } } }),
    }).remove
  const old = nodes.map(({ metadata }) => podOn(metadata.name, 'old'))

  test.each([
    [1, ['n1-old']],
    [2, ['n1-old', 'n2-old']],
    ['34%', ['n1-old', 'n2-old']],
    [0, ['n1-old']],
  ])('with maxUnavailable %s', (maxUnavailable, removed) => expect(update(old, maxUnavailable)).toEqual(removed))

  test('waits for the new pod', () => {
    const starting = podOn('n1', 'new', { readyAt: undefined })
    expect(update([starting, ...old.slice(1)], 1)).toEqual([])
    expect(update([podOn('n1', 'new'), ...old.slice(1)], 1)).toEqual(['n2-old'])
  })

  test('replaces broken old pods at once', () => {
    const broken = [podOn('n1', 'old', { readyAt: undefined }), podOn('n2', 'old', { readyAt: undefined })]
    expect(update([...broken, podOn('n3', 'new', { readyAt: undefined })], 1)).toEqual(['n1-old', 'n2-old'])
  })

  test('does nothing by itself with OnDelete', () => {
    expect(plan(old, { daemonSet: makeDaemonSet({ updateStrategy: { type: 'OnDelete' } }) })).toEqual({
      create: [],
      remove: [],
    })
  })
})

describe('a rolling update with surge', () => {
  const daemonSet = makeDaemonSet({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
  })
  const old = nodes.map(({ metadata }) => podOn(metadata.name, 'old'))
  const update = (pods: Pod[]) => plan(pods, { daemonSet })

  test('adds a new pod beside the old one', () => expect(update(old)).toEqual({ create: ['n1'], remove: [] }))

  test('waits for it', () => {
    expect(update([...old, podOn('n1', 'new', { readyAt: undefined })])).toEqual({ create: [], remove: [] })
  })

  test('then removes the old one', () => {
    expect(update([...old, podOn('n1', 'new')])).toEqual({ create: [], remove: ['n1-old'] })
  })

  test('does not let an old pod stay that is not even ready', () => {
    const broken = podOn('n1', 'old', { readyAt: undefined })
    const pods = [broken, ...old.slice(1), podOn('n1', 'new', { readyAt: undefined })]
    expect(update(pods)).toEqual({ create: [], remove: ['n1-old'] })
  })
})

describe('daemonSetStatus', () => {
  test('counts nodes', () => {
    const repelling = makeNode('n4', { spec: { taints: [{ key: 'special', effect: 'NoSchedule' }] } })
    const pods = [podOn('n1', 'new'), podOn('n2', 'old', { readyAt: undefined }), podOn('n4', 'old')]
    expect(daemonSetStatus(makeDaemonSet(), [...nodes, repelling], pods, 'new', epoch)).toEqual({
      desiredNumberScheduled: 3,
      currentNumberScheduled: 2,
      numberMisscheduled: 1,
      numberReady: 1,
      numberAvailable: 1,
      numberUnavailable: 2,
      updatedNumberScheduled: 1,
      observedGeneration: 1,
    })
  })
})

describe('FailureBackoff', () => {
  test('doubles, and forgets', () => {
    const backoff = new FailureBackoff()
    const waits = [0, 1000, 3000].map((now) => {
      backoff.failed('agent/n1', now)
      return backoff.remainingMs('agent/n1', now)
    })
    expect(waits).toEqual([1000, 2000, 4000])
    expect(backoff.remainingMs('agent/n1', 7000)).toBe(0)
    expect(backoff.remainingMs('agent/n2', 0)).toBe(0)
    backoff.failed('agent/n1', 3_600_000)
    expect(backoff.remainingMs('agent/n1', 3_600_000)).toBe(1000)
  })
})
