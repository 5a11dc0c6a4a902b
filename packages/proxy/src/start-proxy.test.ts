/**
 * The whole proxy against a small API server, on this machine's loopback interface: from a Service and its slices to a
 * connection that reaches a backend.
 */

import { setMaxListeners } from 'node:events'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { FakeClock } from '@dinghy/shared/api/clock'
import { Events, EndpointSlices, Nodes, Services } from '@dinghy/shared/api/resources'
import type { Service } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import type { DebugPage } from '@dinghy/shared/process/debug-server'
import { Health } from '@dinghy/shared/process/health'
import { createLogger } from '@dinghy/shared/process/logger'
import { Metrics } from '@dinghy/shared/process/metrics'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startProxy } from './start-proxy.ts'

let server: TinyApiServer
let clock: FakeClock
let stop: AbortController
let running: Promise<void>
let pages: Map<string, DebugPage>
let health: Health
let metrics: Metrics
let backends: Server[]
/** Free a moment ago: where the Service is to be reached. */
let port: number

beforeEach(async () => {
  server = await TinyApiServer.start()
  clock = new FakeClock()
  stop = new AbortController()
  setMaxListeners(0, stop.signal) // as runMain does
  backends = []
  pages = new Map()
  health = new Health()
  metrics = new Metrics()
  port = await backend('')
  await new Promise((resolve) => backends.pop()?.close(resolve))
})
afterEach(async () => {
  stop.abort()
  let isOver = false
  void running.finally(() => (isOver = true))
  // It waits a moment for what is established.
  await expect.poll(async () => await clock.advance(100).then(() => isOver), { timeout: 20_000 }).toBe(true)
  await server.close()
  await Promise.all(backends.map((one) => new Promise((resolve) => one.close(resolve))))
})

function start(): void {
  const log = createLogger({ name: 'proxy', level: 'fatal', clock })
  const client = new ApiClient({ server: server.url, userAgent: 'kube-proxy/n1' })
  const debug = { addPage: (path: string, page: DebugPage) => void pages.set(path, page) }
  const node = { name: 'n1', address: '127.0.0.1' }
  const deps = { client, clock, log, health, metrics, debug, node, mode: 'loopback', clusterCidr: '' } as const
  running = startProxy(deps, stop.signal)
}

/** Starts a server that says its words to whoever connects, and returns its port. */
async function backend(words: string): Promise<number> {
  const one = createServer((socket) => socket.end(words))
  backends.push(one)
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve))
  return (one.address() as AddressInfo).port
}
function putService(spec: Partial<Service['spec']> = {}): void {
  server.put(Services, {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { type: 'ClusterIP', clusterIP: '127.0.0.1', clusterIPs: ['127.0.0.1'], ports: [{ port }], ...spec },
  })
}
function putSlice(target: number, { name = '', protocol = 'TCP' } = {}): void {
  server.put(EndpointSlices, {
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name, port: target, protocol }],
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
  })
}
/** What is heard at the Service's address; undefined if nobody answers. */
async function hear(): Promise<string | undefined> {
  // Refused is what "nobody" means.
  return await text(connect({ host: '127.0.0.1', port })).catch(() => undefined)
}

test('a Service is reached as soon as it has an endpoint, follows its slices, and is gone with it', async () => {
  start()
  putService()
  putSlice(await backend('first'))
  await expect.poll(hear, { timeout: 20_000 }).toBe('first')
  expect(pages.get('/debug/rules')?.(new URLSearchParams(), new AbortController().signal)).toMatchObject({
    node: { name: 'n1' },
    rules: [{ state: 'serving', port }],
  })
  expect(await metrics.text()).toContain('dinghy_proxy_listeners{state="serving"} 1')
  putSlice(await backend('second'))
  await expect.poll(hear, { timeout: 20_000 }).toBe('second')
  server.remove(Services, 'web', 'shop')
  await expect.poll(hear, { timeout: 20_000 }).toBeUndefined()
})

test('a port that cannot be served is told of on the Service', async () => {
  server.put(Nodes, { metadata: { name: 'bare' }, spec: {}, status: null } as never)
  putService({ ports: [{ port, protocol: 'SCTP', name: 'sctp' }] })
  putSlice(await backend('never'), { name: 'sctp', protocol: 'SCTP' })
  start()
  await expect
    .poll(() => server.all(Events).map(({ reason, message }) => `${reason} ${message}`), { timeout: 20_000 })
    .toEqual(['PortNotServed Port sctp is not served: SCTP cannot be forwarded in user space'])
})
