/**
 * The whole server over real sockets of this machine, with a name server behind it that is a socket of the test.
 */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { Resolver as Client } from 'node:dns/promises'
import { connect } from 'node:net'
import { decode, encode, type Answer, streamDecode, streamEncode } from 'dns-packet'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '@dinghy/shared/api/clock'
import { createLogger } from '@dinghy/shared/process/logger'
import { Metrics } from '@dinghy/shared/process/metrics'
import { Forwarder } from '@dinghy/shared/dns/forwarder'
import { Resolver } from './resolver.ts'
import { type DnsServer, listen } from '@dinghy/shared/dns/server'
import { stubDomains } from './stub-domains.ts'
import type { ClusterView, EndpointFacts } from './zone.ts'

let server: DnsServer
let upstream: Socket
let client: Client
/** What the name server behind ours was asked, and how it answers. */
let asked: string[]
let answerFor: (name: string) => { answers: Answer[]; code?: number } | undefined
let metrics: Metrics
const stop = new AbortController()

const port = { name: '', protocol: 'TCP', port: 1 }
const many: EndpointFacts[] = Array.from({ length: 100 }, (_, i) => ({ address: `10.1.0.${i}`, ports: [port] }))
const cluster: ClusterView = {
  service: (namespace, name) =>
    name === 'web'
      ? { name, namespace, clusterIps: ['10.96.0.7'], ports: [] }
      : name === 'many'
        ? { name, namespace, clusterIps: [], ports: [port] }
        : name === 'far'
          ? { name, namespace, clusterIps: [], externalName: 'Example.org', ports: [] }
          : undefined,
  endpoints: () => many,
  hasNamespace: () => true,
  serviceAt: () => undefined,
  endpointsAt: () => [],
}

beforeEach(async () => {
  asked = []
  answerFor = (name) => ({ answers: [{ name, type: 'A', ttl: 60, data: '192.0.2.1' }] })
  upstream = createSocket('udp4')
  upstream.bind(0, '127.0.0.1')
  await once(upstream, 'listening')
  upstream.on('message', (message, from) => {
    const { id = 0, questions = [] } = decode(message)
    const name = questions[0]?.name ?? ''
    asked.push(name)
    const made = answerFor(name)
    if (!made) return
    upstream.send(
      encode({ type: 'response', id, questions, answers: made.answers, flags: made.code ?? 0 }),
      from.port,
      from.address,
    )
  })
  metrics = new Metrics()
  const log = createLogger({ name: 'dns', clock: systemClock, write: () => undefined })
  const upstreams = new Map([
    ['', [`127.0.0.1:${upstream.address().port}`]],
    ...stubDomains('nowhere.example=127.0.0.1:1'),
  ])
  const forwarder = new Forwarder({ upstreams, clock: systemClock, log })
  const zone = { domain: 'cluster.local', ttl: 30 }
  const resolver = new Resolver({ zone, cluster, forwarder, metrics, signal: stop.signal })
  server = await listen({ host: '127.0.0.1', port: 0, resolver, log })
  client = new Client({ timeout: 20_000, tries: 1 })
  client.setServers([`127.0.0.1:${server.port}`])
})
afterEach(async () => {
  await server.close()
  upstream.close()
})

test('a Service by its name, in whatever case', async () => {
  expect(await client.resolve4('WEB.shop.svc.Cluster.Local', { ttl: true })).toEqual([
    { address: '10.96.0.7', ttl: 30 },
  ])
  await expect(client.resolve4('nope.shop.svc.cluster.local')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  await expect(client.resolve6('web.shop.svc.cluster.local')).rejects.toMatchObject({ code: 'ENODATA' })
  expect(asked).toEqual([])
  expect(await metrics.text()).toContain('coredns_dns_requests_total{type="A",rcode="NXDOMAIN"} 1')
})

test('the rest of the world is asked for once, and remembered', async () => {
  expect(await client.resolve4('example.com')).toEqual(['192.0.2.1'])
  expect(await client.resolve4('example.com')).toEqual(['192.0.2.1'])
  expect(asked).toEqual(['example.com'])
})

test('that a name is not there is remembered, too; a failure is not', async () => {
  answerFor = () => ({ answers: [], code: 3 })
  await expect(client.resolve4('gone.example')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  await expect(client.resolve4('gone.example')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  answerFor = () => ({ answers: [], code: 2 })
  await expect(client.resolve4('broken.example')).rejects.toMatchObject({ code: 'ESERVFAIL' })
  await expect(client.resolve4('broken.example')).rejects.toMatchObject({ code: 'ESERVFAIL' })
  expect(asked).toEqual(['gone.example', 'broken.example', 'broken.example'])
})

test('an ExternalName leads to its address', async () => {
  expect(await client.resolve4('far.shop.svc.cluster.local')).toEqual(['192.0.2.1'])
  expect(await client.resolveCname('far.shop.svc.cluster.local')).toEqual(['Example.org'])
})

test('a name server that is not there answers for its domain at once, and for no other', async () => {
  await expect(client.resolve4('a.nowhere.example')).rejects.toMatchObject({ code: 'ESERVFAIL' })
  expect(await client.resolve4('example.com')).toEqual(['192.0.2.1'])
  expect(asked).toEqual(['example.com'])
})

test('what is too long for UDP comes by TCP', async () => {
  expect(await client.resolve4('many.shop.svc.cluster.local')).toHaveLength(100)
})

test('several questions on one connection, in one piece or many', async () => {
  const socket = connect({ host: '127.0.0.1', port: server.port })
  const ask = (id: number) =>
    streamEncode({ type: 'query', id, questions: [{ type: 'A', name: 'web.shop.svc.cluster.local' }] })
  const both = Buffer.concat([ask(1), ask(2)])
  socket.write(both.subarray(0, 5))
  socket.write(both.subarray(5))
  let received = Buffer.alloc(0)
  while (received.length < 2 || decodeAll(received).length < 2) {
    received = Buffer.concat([received, ((await once(socket, 'data')) as [Buffer])[0]])
  }
  expect(decodeAll(received)).toEqual([1, 2])
  socket.destroy()
})

function decodeAll(bytes: Buffer): number[] {
  if (bytes.length < 2 || bytes.length < bytes.readUInt16BE(0) + 2) return []
  const length = bytes.readUInt16BE(0) + 2
  return [streamDecode(bytes.subarray(0, length))?.id ?? -1, ...decodeAll(bytes.subarray(length))]
}

test('rubbish is not answered, and hurts nobody', async () => {
  const socket = createSocket('udp4')
  for (const text of ['', 'x', 'GET / HTTP/1.1\r\n\r\n', '\0'.repeat(12), '\xff'.repeat(600)]) {
    socket.send(Buffer.from(text, 'latin1'), server.port, '127.0.0.1')
  }
  const tcp = connect({ host: '127.0.0.1', port: server.port })
  tcp.write(Buffer.alloc(9000, 0xff))
  await once(tcp, 'close')
  expect(await client.resolve4('web.shop.svc.cluster.local')).toEqual(['10.96.0.7'])
  socket.close()
})
