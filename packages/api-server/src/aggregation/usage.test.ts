import { expect, test } from 'vitest'
import { nodeMetrics, podMetrics } from './usage.ts'

const time = '2026-01-01T00:00:00Z'
const now = '2026-01-01T00:00:05Z'

function used(name: string, nanoCores: number, bytes: number) {
  return { name, cpu: { time, usageNanoCores: nanoCores }, memory: { time, workingSetBytes: bytes } }
}

test('a pod: what each of its measured containers uses', () => {
  const containers = [used('web', 12_345_678, 3 * 2 ** 20), { name: 'starting' }, used('idle', 0, 1024)]
  const pod = { podRef: { name: 'web', namespace: 'shop' }, containers }
  expect(podMetrics({ name: 'web', namespace: 'shop', labels: { app: 'web' } }, pod, now)).toEqual({
    kind: 'PodMetrics',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' }, creationTimestamp: now },
    timestamp: time,
    window: '10s',
    containers: [
      { name: 'web', usage: { cpu: '12345678n', memory: '3072Ki' } },
      { name: 'idle', usage: { cpu: '0', memory: '1Ki' } },
    ],
  })
})

test('a pod without a measured container is not told of', () => {
  const pod = { podRef: { name: 'web', namespace: 'shop' }, containers: [{ name: 'web' }] }
  expect(podMetrics({ name: 'web', namespace: 'shop' }, pod, now)).toBeUndefined()
})

test('a node on which nothing runs uses nothing', () => {
  expect(nodeMetrics({ name: 'node-1' }, { node: { nodeName: 'node-1' }, pods: [] }, now)).toMatchObject({
    timestamp: now,
    usage: { cpu: '0', memory: '0Ki' },
  })
})
