import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { systemClock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { afterEach, expect, test } from 'vitest'
import { listenTcp, type Forwarder } from './forwarder.ts'
import type { Backend } from '../rules/endpoints.ts'
import type { Rule } from './rules.ts'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const deps = { clock: systemClock, log: quiet, nodeOf: () => 'node-1' }
const servers: Server[] = []
const forwarders: Forwarder[] = []

afterEach(async () => {
  for (const forwarder of forwarders.splice(0)) {
    forwarder.close()
    forwarder.destroy()
  }
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})

async function backend(serve: (socket: Socket) => void, address = '127.0.0.1'): Promise<Backend> {
  const server = createServer({ allowHalfOpen: true }, serve)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  return { address, port: (server.address() as AddressInfo).port }
}

/** An address and port where nobody listens. */
async function nobody(): Promise<Backend> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return { address: '127.0.0.1', port }
}

async function forward(...backends: Backend[]): Promise<{ forwarder: Forwarder; rule: Rule }> {
  const { address, port } = await nobody()
  const rule: Rule = {
    address,
    port,
    protocol: 'TCP',
    kind: 'ClusterIP',
    service: 'shop/web',
    portName: '',
    backends,
    keepsToClientNode: false,
  }
  const forwarder = await listenTcp(rule, deps)
  forwarders.push(forwarder)
  return { forwarder, rule }
}

function dial({ address, port }: Rule): Socket {
  return connect({ host: address, port, allowHalfOpen: true })
}

/** What a client that only listens gets to hear. */
async function hear(rule: Rule): Promise<string> {
  const socket = dial(rule)
  socket.end()
  return await text(socket)
}

function saying(words: string): Promise<Backend> {
  return backend((socket) => socket.end(words))
}

test('bytes go both ways, and a half-closed connection stays open the other way', async () => {
  // Answers only once it has heard the end of the request.
  const echo = await backend((socket) => {
    let length = 0
    socket.on('data', (chunk) => (length += chunk.length))
    socket.once('end', () => socket.end(`heard ${length}`))
  })
  const { rule, forwarder } = await forward(echo)
  const client = dial(rule)
  client.end('x'.repeat(1_000_000))
  expect(await text(client)).toBe('heard 1000000')
  await expect.poll(() => forwarder.connections).toBe(0)
})

test('each backend gets its share', async () => {
  const { rule } = await forward(await saying('a'), await saying('b'), await saying('c'))
  const heard: string[] = []
  for (let i = 0; i < 9; i++) heard.push(await hear(rule))
  expect(heard.toSorted().join('')).toBe('aaabbbccc')
})

test('a backend that refuses is passed over, and no byte of the client is lost', async () => {
  const echo = await backend((socket) => socket.pipe(socket))
  const { rule } = await forward(await nobody(), await nobody(), echo)
  const client = dial(rule)
  client.end('hello')
  expect(await text(client)).toBe('hello')
})

test('when all refuse, the client is reset', async () => {
  const { rule } = await forward(await nobody())
  await expect(text(dial(rule))).rejects.toMatchObject({ code: 'ECONNRESET' })
})

test("a backend's reset reaches the client", async () => {
  const rude = await backend((socket) => socket.once('data', () => socket.resetAndDestroy()))
  const { rule } = await forward(rude)
  const client = dial(rule)
  client.write('hello')
  await expect(text(client)).rejects.toMatchObject({ code: 'ECONNRESET' })
})

test("a client's reset reaches the backend", async () => {
  const failures: Error[] = []
  const one = await backend((socket) => {
    socket.on('error', (error) => failures.push(error))
    socket.write('welcome')
  })
  const { rule } = await forward(one)
  const client = dial(rule)
  client.once('data', () => client.resetAndDestroy())
  await expect.poll(() => failures).toMatchObject([{ code: 'ECONNRESET' }])
})

test('an update changes where the next connection goes, not the established ones', async () => {
  const echo = await backend((socket) => socket.pipe(socket))
  const { forwarder, rule } = await forward(echo)
  const client = dial(rule)
  client.write('before ')
  await new Promise((resolve) => client.once('readable', resolve))
  forwarder.update({ ...rule, backends: [await saying('new')] })
  expect(await hear(rule)).toBe('new')
  client.end('after')
  expect(await text(client)).toBe('before after')
})

test('closing refuses newcomers and lets the established finish', async () => {
  const echo = await backend((socket) => socket.pipe(socket))
  const { forwarder, rule } = await forward(echo)
  const client = dial(rule)
  client.write('before ')
  await new Promise((resolve) => client.once('readable', resolve))
  forwarder.close()
  await expect(text(dial(rule))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(forwarder.connections).toBe(1)
  client.end('after')
  expect(await text(client)).toBe('before after')
})

test('an address that is taken is an error', async () => {
  const { rule } = await forward(await nobody())
  await expect(listenTcp(rule, deps)).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

test.runIf(process.platform === 'linux')('a pod keeps its own address as the source', async () => {
  const { rule } = await forward(await backend((socket) => socket.end(socket.remoteAddress ?? '')))
  const pod = connect({ host: rule.address, port: rule.port, localAddress: '127.64.9.9' })
  expect(await text(pod)).toBe('127.64.9.9')
})
