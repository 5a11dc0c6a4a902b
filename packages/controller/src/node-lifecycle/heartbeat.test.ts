import type { Lease, Node, NodeCondition } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { at, epoch, makeNode, metaOf } from '../testing/objects.ts'
import { conditionsAfterSilence, observeHeartbeat } from './heartbeat.ts'

const graceMs = 8_000

function node(conditions?: NodeCondition[]): Node {
  return { ...makeNode('node-1'), status: conditions ? { conditions } : {} }
}

const ready: NodeCondition = {
  type: 'Ready',
  status: 'True',
  reason: 'KubeletReady',
  lastHeartbeatTime: at(0),
  lastTransitionTime: at(0),
}

function lease(renewTime: string): Lease {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: metaOf('node-1'), spec: { renewTime } }
}

describe('when a node was last heard of', () => {
  const first = observeHeartbeat(undefined, node([ready]), lease('1'), epoch)
  test.each<[string, Node, Lease | undefined, number]>([
    ['nothing new', node([ready]), lease('1'), 0],
    ['the lease was renewed', node([ready]), lease('2'), 5_000],
    ['the status was written', node([{ ...ready, lastHeartbeatTime: at(5) }]), lease('1'), 5_000],
    ['the lease was deleted: no sign of life', node([ready]), undefined, 0],
  ])('%s', (_name, now, nowLease, seenAfterMs) => {
    expect(observeHeartbeat(first, now, nowLease, epoch + 5_000).seenMs - epoch).toBe(seenAfterMs)
  })
})

describe('after silence', () => {
  const heard = { renewTime: '1', reportTime: at(0), seenMs: epoch }
  const after = (one: Node, ms: number) => conditionsAfterSilence(one, heard, epoch + ms, graceMs)

  test('within the grace period nothing changes', () => {
    const one = node([ready])
    expect(after(one, graceMs)).toBe(one.status.conditions)
  })

  test('then everything that the kubelet reports on is unknown, and the rest is left alone', () => {
    const network = { type: 'NetworkUnavailable', status: 'False' }
    const conditions = after(node([ready, network]), graceMs + 1)
    expect(conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ['Ready', 'Unknown', 'NodeStatusUnknown'],
      ['NetworkUnavailable', 'False', undefined],
      ['MemoryPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['DiskPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['PIDPressure', 'Unknown', 'NodeStatusNeverUpdated'],
    ])
    expect(conditions?.[0]).toMatchObject({
      message: 'Kubelet stopped posting node status.',
      lastHeartbeatTime: at(0),
      lastTransitionTime: at(8),
    })
  })

  test('and said once', () => {
    const silent = node(after(node([ready]), graceMs + 1))
    expect(after(silent, graceMs + 60_000)).toBe(silent.status.conditions)
  })

  test('a node that never reported is given a minute', () => {
    expect(after(node(), 60_000)).toBeUndefined()
    expect(after(node(), 60_001)?.[0]).toMatchObject({
      type: 'Ready',
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
    })
  })
})
