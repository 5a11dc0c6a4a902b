import { describe, expect, test } from 'vitest'
import { getCondition } from '@dinghy/shared/api/conditions'
import type { NodeStatus } from '@dinghy/shared/api/types'
import { defined } from '@dinghy/testing/defined'
import { startOfTime } from '../testing/objects.ts'
import type { Machine } from './machine.ts'
import { isSameNodeStatus, nodeDraft, nodeStatus, type NodeStatusFacts } from './node-object.ts'

const gibibyte = 1024 ** 3
const machine: Machine = {
  cpus: 4,
  memoryBytes: 8 * gibibyte,
  diskBytes: 100 * gibibyte,
  kernelVersion: '6.1',
  osImage: 'Debian',
  operatingSystem: 'linux',
  architecture: 'amd64',
  machineId: 'm',
  bootId: 'b',
}
const identity = { name: 'node-1', address: '127.64.1.1', podCidr: '127.64.1.0/24', kubeletPort: 10250 }

function statusOf(overrides: Partial<NodeStatusFacts> = {}, previous?: NodeStatus) {
  return nodeStatus(
    {
      identity,
      machine,
      pressure: { memoryAvailableBytes: gibibyte, diskAvailableBytes: gibibyte },
      runtimeVersion: 'docker://28.0.0',
      runtimeDown: undefined,
      images: [],
      nowMs: startOfTime,
      ...overrides,
    },
    previous,
  )
}

test('tells where it is, what it has and what pods may have of it', () => {
  const status = statusOf()
  expect(status.addresses).toEqual([
    { type: 'InternalIP', address: '127.64.1.1' },
    { type: 'Hostname', address: 'node-1' },
  ])
  expect(status.capacity).toEqual({ cpu: '4', 'ephemeral-storage': '104857600Ki', memory: '8388608Ki', pods: '110' })
  expect(status.allocatable).toMatchObject({ memory: '8286208Ki', 'ephemeral-storage': '96636764160' })
  expect(status.daemonEndpoints?.kubeletEndpoint?.Port).toBe(10250)
  expect(nodeDraft(identity, machine, status).metadata.labels).toMatchObject({
    'kubernetes.io/hostname': 'node-1',
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
  })
})

describe('conditions', () => {
  const tight = { memoryAvailableBytes: 1, diskAvailableBytes: 1 }
  test.each<[string, Partial<NodeStatusFacts>, string, string]>([
    ['all is well', {}, 'Ready', 'True KubeletReady kubelet is posting ready status'],
    [
      'no runtime',
      { runtimeDown: 'container runtime is down' },
      'Ready',
      'False KubeletNotReady container runtime is down',
    ],
    ['enough memory', {}, 'MemoryPressure', 'False KubeletHasSufficientMemory kubelet has sufficient memory available'],
    [
      'no memory',
      { pressure: tight },
      'MemoryPressure',
      'True KubeletHasInsufficientMemory kubelet has insufficient memory available',
    ],
    ['no disk', { pressure: tight }, 'DiskPressure', 'True KubeletHasDiskPressure kubelet has disk pressure'],
  ])('%s', (_name, facts, type, expected) => {
    const { status, reason, message } = defined(getCondition(statusOf(facts).conditions, type))
    expect(`${status} ${reason} ${message}`).toBe(expected)
  })

  test('keep the time of their last change, and those of others stay', () => {
    const before = statusOf({}, { conditions: [{ type: 'NetworkUnavailable', status: 'False' }] })
    const after = statusOf({ runtimeDown: 'container runtime is down', nowMs: startOfTime + 60_000 }, before)
    const times = Object.fromEntries(
      defined(after.conditions).map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    )
    expect(times).toMatchObject({ Ready: '2025-01-01T00:01:00Z', DiskPressure: '2025-01-01T00:00:00Z' })
    expect(after.conditions?.[0]?.type).toBe('NetworkUnavailable')
  })
})

test('a heartbeat alone is no change', () => {
  const before = statusOf()
  expect(isSameNodeStatus(before, statusOf({ nowMs: startOfTime + 60_000 }, before))).toBe(true)
  const down = statusOf({ runtimeDown: 'container runtime is down' }, before)
  expect(isSameNodeStatus(before, down)).toBe(false)
})

test('what the API server makes of a status is no change: other keys first, and no empty lists', () => {
  const written = statusOf()
  const { addresses, ...rest } = written
  const read = { ...rest, addresses: addresses?.map(({ type, address }) => ({ address, type })) }
  expect(isSameNodeStatus(read, statusOf({ nowMs: startOfTime + 60_000 }, read))).toBe(true)
  expect(written).not.toHaveProperty('images')
})

test('images that are gone are no longer named', () => {
  const before = statusOf({ images: [{ Id: 'a', RepoTags: ['small:1'], RepoDigests: null, Size: 1 }] })
  expect(before.images).toHaveLength(1)
  expect(statusOf({}, before)).not.toHaveProperty('images')
})

test('the largest images, by all their names', () => {
  const images = [
    { Id: 'a', RepoTags: ['small:1'], RepoDigests: null, Size: 1 },
    { Id: 'b', RepoTags: ['big:1'], RepoDigests: ['big@sha256:0'], Size: 9 },
    { Id: 'c', RepoTags: null, RepoDigests: null, Size: 5 },
  ]
  expect(statusOf({ images }).images).toEqual([
    { names: ['big@sha256:0', 'big:1'], sizeBytes: 9 },
    { names: ['small:1'], sizeBytes: 1 },
  ])
})
