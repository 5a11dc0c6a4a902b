import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { PortProxies } from './port-proxy.ts'
import type { PublishRequest } from './ports.ts'

const proxies = new PortProxies(new FakeClock())
afterEach(() => proxies.close())

function request(containerPort: number, hostPort: number, protocol: 'tcp' | 'udp' = 'tcp'): PublishRequest {
  return {
    containerPort,
    protocol,
    hostIp: '127.0.0.1',
    hostPorts: [hostPort],
  }
}

async function echoServer(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return (server.address() as AddressInfo).port
}

test('bytes go both ways, and a half-closed client still gets its answer', async () => {
  const [published] = await proxies.publish('a', '127.0.0.1', [request(await echoServer(), 0)])
  const client = connect(published?.hostPort ?? 0, '127.0.0.1')
  client.end('hello')
  let answer = ''
  for await (const chunk of client) answer += String(chunk)
  expect(answer).toBe('hello')
})

test('datagrams find their way back', async () => {
  const server = createSocket('udp4', (message, from) => server.send(message, from.port, from.address))
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  const [published] = await proxies.publish('a', '127.0.0.1', [request(server.address().port, 0, 'udp')])
  const client = createSocket('udp4')
  client.send('ping', published?.hostPort ?? 0, '127.0.0.1')
  const [message] = (await once(client, 'message')) as [Buffer]
  expect(message.toString()).toBe('ping')
  client.close()
  server.close()
})

test('an open port can be led elsewhere', async () => {
  const port = await echoServer()
  const [published] = await proxies.publish('a', '192.0.2.1', [request(port, 0)])
  proxies.retarget('a', '127.0.0.1')
  const client = connect(published?.hostPort ?? 0, '127.0.0.1')
  client.end('hello')
  let answer = ''
  for await (const chunk of client) answer += String(chunk)
  expect(answer).toBe('hello')
})

test('a port is given once; a container that cannot have all gets none', async () => {
  const target = await echoServer()
  const [first] = await proxies.publish('a', '127.0.0.1', [request(target, 0)])
  const port = first?.hostPort ?? 0
  await expect(proxies.publish('b', '127.0.0.1', [request(target, 0), request(target, port)])).rejects.toThrow(
    `Bind for 127.0.0.1:${port} failed: port is already allocated`,
  )
  expect(proxies.published('b')).toEqual([])
  await proxies.unpublish('a')
  expect(await proxies.publish('b', '127.0.0.1', [request(target, port)])).toHaveLength(1)
})

test("somebody else's port is told apart from our own", async () => {
  const taken = await echoServer()
  await expect(proxies.publish('a', '127.0.0.1', [request(80, taken)])).rejects.toThrow('address already in use')
})

test('what is published on all addresses is open at gateways that come later, and at those that were there', async () => {
  const answers = async (port: number, host: string) => {
    const client = connect(port, host)
    const [answer] = (await Promise.race([once(client.end('x'), 'data'), once(client, 'close')])) as [Buffer | boolean]
    return String(answer) === 'x'
  }
  const target = await echoServer()
  const everywhere = { ...request(target, 0), hostIp: '0.0.0.0' }
  const [first] = await proxies.publish('a', '127.0.0.1', [everywhere, request(target, 0)])
  const [, onlyHere] = proxies.published('a')
  await proxies.addGateway('127.0.0.77')
  // A bridge that has been removed since.
  await proxies.addGateway('192.0.2.123')
  const [second] = await proxies.publish('b', '127.0.0.1', [everywhere])
  expect(await answers(first?.hostPort ?? 0, '127.0.0.77')).toBe(true)
  expect(await answers(second?.hostPort ?? 0, '127.0.0.77')).toBe(true)
  await expect(answers(onlyHere?.hostPort ?? 0, '127.0.0.77')).rejects.toThrow('ECONNREFUSED')
  await proxies.unpublish('a')
  await expect(answers(first?.hostPort ?? 0, '127.0.0.77')).rejects.toThrow('ECONNREFUSED')
})
