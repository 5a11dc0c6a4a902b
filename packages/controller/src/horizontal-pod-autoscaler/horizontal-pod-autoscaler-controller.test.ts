/**
 * The loop of HorizontalPodAutoscalers over a real connection: it reads metrics, sets the scale and says why.
 */

import { Deployments, HorizontalPodAutoscalers, Pods } from '@dinghy/shared/api/resources'
import { forbidden } from '@dinghy/shared/api/errors'
import type { HorizontalPodAutoscaler } from '@dinghy/shared/api/types'
import type { SeenRequest, TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { makePod, metaOf } from '../testing/objects.ts'
import { HorizontalPodAutoscalerController } from './horizontal-pod-autoscaler-controller.ts'

let loop: LoopTest
let server: TinyApiServer
/** What the target's scale says, and what the metrics APIs say by path. */
let replicas: number
let usage: Record<string, string>
let values: Record<string, string>

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  server.resources = [Deployments]
  server.answerFor = answer
  replicas = 1
  usage = {}
  values = {}
})
afterEach(() => loop.end())

function answer({ method, path, body }: SeenRequest): object | undefined {
  if (path.endsWith('/deployments/web/scale')) {
    if (method === 'PUT') replicas = (body as { spec: { replicas: number } }).spec.replicas
    return { metadata: metaOf('web'), spec: { replicas }, status: { replicas, selector: 'app=web' } }
  }
  const timestamp = new Date(loop.clock.now()).toISOString()
  if (path.includes('/metrics.k8s.io/')) {
    const items = Object.entries(usage).map(([name, cpu]) => ({
      metadata: { name },
      timestamp,
      window: '10s',
      containers: [{ name: 'c', usage: { cpu } }],
    }))
    return { items }
  }
  const value = Object.entries(values).find(([part]) => path.includes(part))?.[1]
  return value === undefined ? undefined : { items: [{ describedObject: { name: 'a' }, timestamp, value }] }
}

function putPod(name: string): void {
  const spec = { containers: [{ name: 'c', image: 'busybox', resources: { requests: { cpu: '100m' } } }] }
  const pod = makePod(name, { readyAt: -1000_000, metadata: { labels: { app: 'web' } } })
  const status = { ...pod.status, phase: 'Running', startTime: new Date(loop.clock.now() - 1000_000).toISOString() }
  server.put(Pods, { ...pod, spec: { ...pod.spec, ...spec }, status })
}

function putAutoscaler(spec: Partial<HorizontalPodAutoscaler['spec']> = {}, name = 'web'): void {
  server.put(HorizontalPodAutoscalers, {
    metadata: metaOf(name),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 3,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
      ...spec,
    },
    status: { desiredReplicas: 0 },
  })
}

function status() {
  return server.read(HorizontalPodAutoscalers, 'web', 'default')?.status
}
function condition(type: string) {
  const found = status()?.conditions?.find((one) => one.type === type)
  return found && [found.status, found.reason]
}

test('up with the load, and down when it has been gone for the window', async () => {
  putPod('a')
  usage = { a: '100m' }
  putAutoscaler()
  loop.start(HorizontalPodAutoscalerController)
  await loop.until(() => replicas === 2)
  await loop.until(() => status()?.currentMetrics?.[0]?.resource?.current.averageUtilization === 100)
  expect(status()).toMatchObject({
    currentReplicas: 1,
    desiredReplicas: 2,
    lastScaleTime: expect.any(String) as string,
  })
  expect(condition('AbleToScale')).toEqual(['True', 'SucceededRescale'])
  await loop.until(() =>
    loop.events.includes(
      'SuccessfulRescale New size: 2; reason: cpu resource utilization (percentage of request) above target',
    ),
  )
  putPod('b')
  usage = { a: '1m', b: '1m' }
  await loop.pass(60_000)
  expect([replicas, condition('AbleToScale')]).toEqual([2, ['True', 'ScaleDownStabilized']])
  await loop.pass(300_000)
  await loop.until(() => replicas === 1)
  await loop.until(() => loop.events.includes('SuccessfulRescale New size: 1; reason: All metrics below target'))
})

test('bounds go before metrics, and nothing scales what was scaled to zero', async () => {
  replicas = 9
  putAutoscaler()
  loop.start(HorizontalPodAutoscalerController)
  await loop.until(() => replicas === 3)
  replicas = 0
  await loop.until(() => condition('ScalingActive')?.[1] === 'ScalingDisabled')
  expect(replicas).toBe(0)
})

test('two that count the same pods stand back, until one of them goes', async () => {
  replicas = 1
  putPod('a')
  usage = { a: '100m' }
  putAutoscaler({ maxReplicas: 1 })
  loop.start(HorizontalPodAutoscalerController)
  await loop.until(() => condition('ScalingActive')?.[0] === 'True')
  putAutoscaler({}, 'rival')
  const message = 'pods by selector app=web are controlled by multiple HPAs: [{rival default} {web default}]'
  await loop.until(() => loop.events.includes(`AmbiguousSelector ${message}`))
  await loop.until(() => condition('ScalingActive')?.[1] === 'AmbiguousSelector')
  expect(replicas).toBe(1)
  server.remove(HorizontalPodAutoscalers, 'rival', 'default')
  await loop.until(() => condition('ScalingActive')?.[1] === 'ValidMetricFound')
})

test('a metric that cannot be read is told, and does not let the number shrink', async () => {
  replicas = 2
  putPod('a')
  usage = { a: '10m' }
  values = { 'external.metrics.k8s.io': '8' }
  const external = (target: object) => ({
    type: 'External',
    external: { metric: { name: 'queue' }, target: { type: 'Value', ...target } },
  })
  putAutoscaler({
    metrics: [
      { type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 50 } } },
      external({ value: '8' }),
    ],
  })
  loop.start(HorizontalPodAutoscalerController)
  await loop.until(() => condition('ScalingActive')?.[1] === 'ValidMetricFound')
  await loop.until(() =>
    loop.events.some((event) => event.startsWith('FailedGetResourceMetric failed to get memory utilization')),
  )
  values = { 'external.metrics.k8s.io': '1' }
  await loop.until(() => condition('ScalingActive')?.[1] === 'FailedGetResourceMetric')
  expect(replicas).toBe(2)
})

test.each([
  ['Pods', { type: 'Pods', pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '5' } } }, 2],
  [
    'Object',
    {
      type: 'Object',
      object: {
        describedObject: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'front' },
        metric: { name: 'rps' },
        target: { type: 'AverageValue', averageValue: '4' },
      },
    },
    3,
  ],
  [
    'External',
    { type: 'External', external: { metric: { name: 'q' }, target: { type: 'AverageValue', averageValue: '4' } } },
    3,
  ],
])('%s metrics come from their own APIs', async (_type, metric, wanted) => {
  putPod('a')
  values = { '/pods/*/rps': '10', '/deployments.apps/front/rps': '10', '/external.metrics.k8s.io/': '10' }
  putAutoscaler({ metrics: [metric] })
  loop.start(HorizontalPodAutoscalerController)
  await loop.until(() => replicas === wanted)
})

test('a target that cannot be read or written is told', async () => {
  putAutoscaler({ scaleTargetRef: { apiVersion: 'example.com/v1', kind: 'Unknown', name: 'web' } })
  loop.start(HorizontalPodAutoscalerController)
  await loop.until(() => condition('AbleToScale')?.[1] === 'FailedGetScale')
  server.failNext = ({ method, path }) =>
    method === 'PUT' && path.endsWith('/scale') ? forbidden('apps', 'deployments', 'web', 'not today') : undefined
  replicas = 9
  putAutoscaler()
  await loop.until(() => condition('AbleToScale')?.[1] === 'FailedUpdateScale')
  await loop.until(() =>
    loop.events.some((event) => event.startsWith('FailedRescale New size: 3; reason: Current number')),
  )
})
