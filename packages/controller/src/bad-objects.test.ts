/**
 * One bad object must not stop a loop that serves others: a Node and a Pod without status (a merge patch of
 * `status: null` could make them), a Node without spec, and lists that are null, beside good ones.
 */

import {
  DaemonSets,
  Deployments,
  EndpointSlices,
  Nodes,
  PodDisruptionBudgets,
  Pods,
  ReplicaSets,
  ResourceQuotas,
  Services,
} from '@dinghy/shared/api/resources'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, test } from 'vitest'
import { DaemonSetController } from './daemon-set/daemon-set-controller.ts'
import { DeploymentController } from './deployment/deployment-controller.ts'
import { DisruptionController } from './disruption/disruption-controller.ts'
import { EndpointSliceController } from './endpoint-slice/endpoint-slice-controller.ts'
import { NodeLifecycleController } from './node-lifecycle/node-lifecycle-controller.ts'
import { TaintEvictionController } from './node-lifecycle/taint-eviction-controller.ts'
import { PodGcController } from './pod-gc/pod-gc-controller.ts'
import { ReplicaSetController } from './replica-set/replica-set-controller.ts'
import { ResourceQuotaController } from './resource-quota/resource-quota-controller.ts'
import { LoopTest } from './testing/loop.ts'
import { at, makeDeployment, makeNode, makePod, metaOf, webTemplate } from './testing/objects.ts'
import { ClaimProtectionController } from './volume/claim-protection.ts'
import { EphemeralVolumeController } from './volume/ephemeral-volumes.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  server.put(Nodes, { ...makeNode('bad'), status: null } as never)
  server.put(Nodes, { ...makeNode('worse'), spec: null, status: {} } as never)
  server.put(Nodes, makeNode('good'))
  const labels = { app: 'web' }
  server.put(Pods, { ...makePod('no-status', { node: 'good', metadata: { labels } }), status: null } as never)
  const nulls = { conditions: null, containerStatuses: null, podIPs: null }
  server.put(Pods, { ...makePod('nulls', { node: 'bad', metadata: { labels } }), status: nulls } as never)
})
afterEach(() => loop.end())

test('workloads get their pods on all nodes', async () => {
  loop.start(DaemonSetController, DeploymentController, ReplicaSetController)
  server.put(Deployments, makeDeployment('shop', { spec: { selector: { matchLabels: { app: 'shop' } } } }))
  server.put(DaemonSets, {
    metadata: metaOf('agent'),
    spec: { selector: { matchLabels: { app: 'agent' } }, template: webTemplate('v1') },
    status: null,
  } as never)
  await loop.until(() => server.all(ReplicaSets).length === 1)
  await loop.until(() => server.read(DaemonSets, 'agent', 'default')?.status?.desiredNumberScheduled === 3)
  await loop.until(() => server.all(Pods).length === 2 + 3 + 3)
})

test('a Service is told of its good pods', async () => {
  const spec = { clusterIP: '10.0.0.1', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'page' }] }
  server.put(Services, { metadata: { name: 'web', namespace: 'default' }, spec })
  const ports = [{ name: 'page', containerPort: 8080 }]
  const containers = [{ name: 'web', image: 'web', ports }]
  const facts = { node: 'good', ip: '10.1.0.1', readyAt: 0, spec: { containers }, metadata: { labels: { app: 'web' } } }
  server.put(Pods, makePod('whole', facts))
  loop.start(EndpointSliceController)
  const addresses = () =>
    server.all(EndpointSlices).flatMap(({ endpoints }) => endpoints.flatMap((one) => one.addresses))
  await loop.until(() => addresses().includes('10.1.0.1'))
})

test('nodes are watched, pods evicted and collected, budgets and quotas kept', async () => {
  const counts = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }
  const selector = { matchLabels: { app: 'web' } }
  server.put(PodDisruptionBudgets, { metadata: metaOf('web'), spec: { minAvailable: 1, selector }, status: counts })
  server.put(ResourceQuotas, {
    metadata: metaOf('all'),
    spec: { hard: { pods: '9', 'requests.cpu': '9' } },
    status: {},
  })
  server.put(Pods, makePod('given-up', { metadata: { deletionTimestamp: at(0) } }))
  server.put(Pods, makePod('driven-out', { node: 'tainted', readyAt: 0 }))
  const status = { conditions: [{ type: 'Ready', status: 'True' }] }
  server.put(Nodes, {
    ...makeNode('tainted', { spec: { taints: [{ key: 'gpu', effect: 'NoExecute' }] } }),
    status,
  })
  loop.start(
    ClaimProtectionController,
    DisruptionController,
    EphemeralVolumeController,
    NodeLifecycleController,
    PodGcController,
    ResourceQuotaController,
    TaintEvictionController,
  )
  const pod = (name: string) => server.read(Pods, name, 'default')
  await loop.until(() => pod('driven-out') === undefined && pod('given-up') === undefined)
  await loop.until(() => server.read(PodDisruptionBudgets, 'web', 'default')?.status.expectedPods === 2)
  await loop.until(() => server.read(ResourceQuotas, 'all', 'default')?.status?.used?.['pods'] !== undefined)
  await loop.pass(12_000)
  await loop.until(() => {
    const ready = server.read(Nodes, 'tainted')?.status.conditions?.find(({ type }) => type === 'Ready')
    return ready?.status === 'Unknown'
  })
})
