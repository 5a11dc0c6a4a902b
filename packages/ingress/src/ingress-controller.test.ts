/** The loop: what is there, what appears, what goes; and what is written about it. */

import { setMaxListeners } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '@dinghy/shared/api/clock'
import { IngressClasses, Ingresses, Services } from '@dinghy/shared/api/resources'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import { createLogger } from '@dinghy/shared/process/logger'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import type { ClusterModel } from './cluster-model.ts'
import { GatewayClasses, Gateways, HttpRoutes } from './gateway/types.ts'
import { IngressController, type Serving } from './ingress-controller.ts'
import { controllerName } from './routing/ingress-routes.ts'

let server: TinyApiServer
let stop: AbortController
let ended: Promise<void>

beforeEach(async () => {
  server = await TinyApiServer.start()
  stop = new AbortController()
  setMaxListeners(0, stop.signal)
  ended = Promise.resolve()
})
afterEach(async () => {
  stop.abort()
  await ended
  await server.close()
})

class FakeServing implements Serving {
  begun = 0
  readonly shown: ClusterModel[] = []
  readonly changed: string[] = []

  begin(): void {
    this.begun += 1
  }
  async show(model: ClusterModel): Promise<void> {
    this.shown.push(model)
  }
  serviceChanged(key: string): void {
    this.changed.push(key)
  }
  portProblem(): undefined {
    return undefined
  }
  certificateProblem(key: string): string {
    return `local SSL certificate ${key} was not found`
  }
}

async function started(): Promise<FakeServing> {
  const serving = new FakeServing()
  const clock = systemClock
  const log = createLogger({ name: 'ingress', clock, write: () => undefined })
  const client = new ApiClient({ server: server.url, userAgent: 'ingress-controller' })
  const informers = new Informers(client, { clock, log })
  const recorder = new EventRecorder(client, { component: 'ingress-controller', clock, log })
  const publishAddresses = ['127.64.0.80']
  const controller = new IngressController({ client, informers, recorder, clock, log, serving, publishAddresses })
  informers.start(stop.signal)
  ended = controller.run(stop.signal)
  await expect.poll(() => controller.hasSynced()).toBe(true)
  return serving
}

function putIngress(name: string, service: string, more: object = {}): void {
  const backend = { service: { name: service, port: { number: 80 } } }
  const rules = [{ host: 'a.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }]
  const metadata = { name, namespace: 'shop', creationTimestamp: '2025-01-01T00:00:00Z' }
  server.put(Ingresses, { metadata, spec: { ingressClassName: 'dinghy', rules, ...more }, status: {} })
}

function putClasses(): void {
  server.put(IngressClasses, { metadata: { name: 'dinghy' }, spec: { controller: controllerName } })
  const gatewayClass = { metadata: { name: 'dinghy' }, spec: { controllerName }, status: {} }
  server.put(GatewayClasses, gatewayClass)
}

function written(kind: string): unknown[] {
  return server.requests
    .filter(({ method, path }) => method === 'PUT' && path.includes(kind) && path.endsWith('/status'))
    .map(({ body }) => (body as { status: unknown }).status)
}

test('with nothing to serve it watches four kinds, begins nothing, and accepts its class', async () => {
  putClasses()
  putIngress('foreign', 'web', { ingressClassName: 'nginx' })
  const serving = await started()
  const accepted = { conditions: [{ type: 'Accepted', status: 'True' }, {}] }
  await expect.poll(() => written('gatewayclasses').at(-1)).toMatchObject(accepted)
  expect(serving.begun).toBe(0)
  const watched = new Set(
    server.requests.filter(({ method }) => method === 'GET').map(({ path }) => path.split('/').at(-1)),
  )
  expect([...watched].map(String).toSorted()).toEqual(['gatewayclasses', 'gateways', 'ingressclasses', 'ingresses'])
})

test('an Ingress is served, told where, and told what is missing, once', async () => {
  putClasses()
  const serving = await started()
  putIngress('web', 'none')
  await expect.poll(() => serving.shown.at(-1)?.routes.length).toBe(1)
  const status = { loadBalancer: { ingress: [{ ip: '127.64.0.80' }] } }
  await expect.poll(() => written('ingresses').at(-1)).toEqual(status)
  const events = () =>
    server.requests
      .filter(({ method, path }) => method === 'POST' && path.includes('/events'))
      .map(({ body }) => (body as { message: string }).message)
  await expect
    .poll(events)
    .toEqual([
      'Scheduled for sync',
      'Error obtaining Endpoints for Service "shop/none": no object matching key "shop/none" in local store',
    ])
  server.put(Services, { metadata: { name: 'none', namespace: 'shop' }, spec: { ports: [{ port: 80 }] } })
  await expect.poll(() => serving.changed).toContain('shop/none')
  expect(serving.begun).toBe(1)
  expect(events()).toHaveLength(2)
})

test('a Gateway with its route: both are told', async () => {
  putClasses()
  const serving = await started()
  const metadata = { namespace: 'shop', creationTimestamp: '2025-01-01T00:00:00Z', generation: 1 }
  const listeners = [{ name: 'http', port: 8000, protocol: 'HTTP' }]
  const spec = { gatewayClassName: 'dinghy', listeners }
  server.put(Gateways, { metadata: { ...metadata, name: 'main' }, spec, status: {} })
  const route = { parentRefs: [{ name: 'main' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] }
  server.put(HttpRoutes, { metadata: { ...metadata, name: 'web' }, spec: route, status: {} })
  await expect
    .poll(() => written('httproutes').at(-1))
    .toMatchObject({ parents: [{ conditions: [{ reason: 'Accepted' }, { reason: 'BackendNotFound' }] }] })
  await expect.poll(() => written('gateways').at(-1)).toMatchObject({ listeners: [{ attachedRoutes: 1 }] })
  expect([...(serving.shown.at(-1)?.ports ?? [])]).toEqual([[8000, 'http']])
  server.put(Services, { metadata: { name: 'web', namespace: 'shop' }, spec: { ports: [{ port: 80 }] } })
  await expect
    .poll(() => written('httproutes').at(-1))
    .toMatchObject({ parents: [{ conditions: [{ reason: 'Accepted' }, { reason: 'ResolvedRefs' }] }] })
})
