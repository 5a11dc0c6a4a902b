/** The gateway against a small API server: from a Service to a connection that reaches a node's port. */

import { setMaxListeners } from 'node:events'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { FakeClock } from '@dinghy/shared/api/clock'
import { EndpointSlices, Nodes, Services } from '@dinghy/shared/api/resources'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Health } from '@dinghy/shared/process/health'
import { createLogger } from '@dinghy/shared/process/logger'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startGateway } from './start-gateway.ts'

let api: TinyApiServer
let node: Server
let nodePort: number
let clock: FakeClock
let stop: AbortController
let running: Promise<void>
let routes: Map<string, string[]>

beforeEach(async () => {
  api = await TinyApiServer.start()
  clock = new FakeClock()
  stop = new AbortController()
  setMaxListeners(0, stop.signal) // as runMain does
  routes = new Map()
  node = createServer((socket) => socket.end('the node'))
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve))
  nodePort = (node.address() as AddressInfo).port
  const deps = {
    client: new ApiClient({ server: api.url, userAgent: 'gateway' }),
    clock,
    log: createLogger({ name: 'gateway', level: 'fatal', clock }),
    health: new Health(),
    debug: { addPage: () => undefined },
    nodePortAddress: '127.0.0.2',
    routes: { set: async (all: ReadonlyMap<string, string[]>) => void (routes = new Map(all)) },
  }
  running = startGateway(deps, stop.signal)
})
afterEach(async () => {
  stop.abort()
  let isOver = false
  void running.finally(() => (isOver = true))
  await expect.poll(async () => await clock.advance(100).then(() => isOver), { timeout: 20_000 }).toBe(true)
  await api.close()
  await new Promise((resolve) => node.close(resolve))
})

function putNode(ready: 'True' | 'False'): void {
  const status = {
    conditions: [{ type: 'Ready', status: ready }],
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
  }
  api.put(Nodes, { metadata: { name: 'n1' }, spec: {}, status })
}
async function hear(): Promise<string | undefined> {
  // Refused is what undefined means.
  return await text(connect({ host: '127.0.0.2', port: nodePort })).catch(() => undefined)
}

test('leads to the nodes that are Ready, by node port and by route', async () => {
  putNode('True')
  api.put(Services, {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { type: 'LoadBalancer', clusterIP: '10.96.0.10', ports: [{ port: 80, nodePort }] },
    status: { loadBalancer: { ingress: [{ ip: '172.30.0.201' }] } },
  })
  api.put(EndpointSlices, {
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: ['10.244.1.2'], conditions: { ready: true }, nodeName: 'n1' }],
  })
  await expect.poll(hear, { timeout: 20_000 }).toBe('the node')
  expect(routes).toEqual(new Map([['172.30.0.201', ['127.0.0.1']]]))
  putNode('False')
  await expect.poll(hear, { timeout: 20_000 }).toBeUndefined()
  await expect.poll(() => routes.get('172.30.0.201'), { timeout: 20_000 }).toEqual([])
  putNode('True')
  await expect.poll(hear, { timeout: 20_000 }).toBe('the node')
  api.remove(Services, 'web', 'shop')
  await expect.poll(() => routes.size, { timeout: 20_000 }).toBe(0)
})
