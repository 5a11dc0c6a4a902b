import { expect, test } from 'vitest'
import { metricsColumns, nodeMetrics, podMetrics } from './usage.ts'

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

test('a row shows the sum over the containers', () => {
  const containers = [used('web', 1_500_000, 3 * 2 ** 20), used('sidecar', 500_000, 2 ** 20)]
  const pod = podMetrics({ name: 'web' }, { podRef: { name: 'web', namespace: 'shop' }, containers }, now)
  const node = nodeMetrics({ name: 'node-1' }, { node: { nodeName: 'node-1', ...used('', 5, 2048) }, pods: [] }, now)
  const rows = [pod, node].map((one) => metricsColumns.map((column) => (one ? column.cell(one, 0) : '')))
  expect(metricsColumns.map(({ name }) => name)).toEqual(['Name', 'cpu', 'memory', 'Window'])
  expect(rows).toEqual([
    ['web', '2m', '4Mi', '10s'],
    ['node-1', '5n', '2Ki', '10s'],
  ])
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
