/** HTTP/2 on both sides, and TLS: gRPC's way through. */

import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientSessionOptions,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
  type ServerHttp2Stream,
} from 'node:http2'
import { createServer as createHttp1Server } from 'node:http'
import { connect as connectTls } from 'node:tls'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { authority, certificateFor, IngressFixture, portOf } from '../testing/ingress-fixture.ts'

let ingress: IngressFixture
const cleanUp: (() => unknown)[] = []

beforeEach(async () => {
  ingress = await new IngressFixture().start()
  ingress.route({})
})
afterEach(async () => {
  for (const act of cleanUp.splice(0)) act()
  await ingress.stop()
})

async function h2cBackend(handler: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void): Promise<number> {
  const server = createServer().on('stream', handler)
  cleanUp.push(() => server.close())
  return portOf(server)
}

function session(url: string, options: ClientSessionOptions & SecureClientSessionOptions = {}): ClientHttp2Session {
  const made = connect(url, { ca: authority.certificate, ...options }).on('error', () => undefined)
  cleanUp.push(() => made.destroy())
  return made
}

async function call(client: ClientHttp2Session, headers: Record<string, string>, body?: string) {
  const stream = client.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  let trailers: IncomingHttpHeaders = {}
  stream.on('trailers', (received: IncomingHttpHeaders) => (trailers = received))
  const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }]
  return { head, body: (await buffer(stream)).toString(), trailers }
}

const grpc = { ':method': 'POST', ':path': '/shop.Cart/Add', 'content-type': 'application/grpc', te: 'trailers' }

test.each(['prior knowledge', 'TLS'])(
  'a gRPC call by %s: messages both ways, trailers, at the same time',
  async (way) => {
    let seen: IncomingHttpHeaders = {}
    const port = await h2cBackend((stream, headers) => {
      seen = headers
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }))
      // Each message is answered when it comes, before the next has been sent.
      stream.on('data', (chunk: Buffer) => stream.write(`re: ${chunk.toString()};`)).on('end', () => stream.end())
    })
    ingress.serve('web', [port], 'kubernetes.io/h2c')
    ingress.addCertificate('localhost', certificateFor('localhost'))
    const client = session(way === 'TLS' ? `https://localhost:${ingress.https}` : `http://127.0.0.1:${ingress.http}`)
    const stream = client.request(grpc)
    let trailers: IncomingHttpHeaders = {}
    stream.on('trailers', (received: IncomingHttpHeaders) => (trailers = received))
    stream.write('one')
    expect(String((await once(stream, 'data'))[0])).toBe('re: one;')
    stream.write('two')
    expect(String((await once(stream, 'data'))[0])).toBe('re: two;')
    stream.end()
    await once(stream, 'end')
    expect(trailers).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'fine' })
    expect(seen).toMatchObject({
      ':path': '/shop.Cart/Add',
      te: 'trailers',
      'x-forwarded-proto': way === 'TLS' ? 'https' : 'http',
      'x-forwarded-port': way === 'TLS' ? '443' : '80',
    })
  },
)

test('gRPC hears in its own words what cannot be served', async () => {
  const client = session(`http://127.0.0.1:${ingress.http}`)
  ingress.serve('web', [])
  const { head } = await call(client, grpc, 'x')
  expect(head).toMatchObject({ ':status': 200, 'grpc-status': '14' })
  ingress.route({ host: 'other.example' })
  expect((await call(client, grpc, 'x')).head).toMatchObject({ ':status': 200, 'grpc-status': '12' })
})

test('an HTTP/2 client and a backend that speaks HTTP/1.1', async () => {
  const server = createHttp1Server((asked, response) => {
    void buffer(asked).then((body) => {
      response.writeHead(200, { 'Set-Cookie': ['a=1', 'b=2'], Connection: 'close' })
      response.end(`${asked.headers.host} ${asked.headers.cookie} ${asked.headers.via} ${body.toString()}`)
    })
  })
  cleanUp.push(() => server.close())
  ingress.serve('web', [await portOf(server)])
  const client = session(`http://127.0.0.1:${ingress.http}`)
  const headers = { ':method': 'POST', ':path': '/', ':authority': 'a.example', cookie: 'x=1; y=2' }
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => call(client, headers, `body ${index}`)))
  for (const [index, { head, body }] of answers.entries()) {
    expect(body).toBe(`a.example x=1; y=2 2.0 dinghy-test body ${index}`)
    expect(head).toMatchObject({ 'set-cookie': ['a=1', 'b=2'] })
    expect(head.connection).toBeUndefined()
  }
})

test('an HTTP/1.1 client and a backend that speaks h2c', async () => {
  const port = await h2cBackend((stream, headers) => {
    stream.respond({ ':status': 200 })
    stream.end(`${headers[':authority']} ${headers[':path']}`)
  })
  ingress.serve('web', [port], 'kubernetes.io/h2c')
  const answer = await fetch(`http://127.0.0.1:${ingress.http}/x?y`)
  expect(await answer.text()).toBe(`127.0.0.1:${ingress.http} /x?y`)
})

test('a stream that the backend refuses goes to another endpoint', async () => {
  let refused = 0
  const first = await h2cBackend((stream) => {
    refused += 1
    stream.on('error', () => undefined).close(7)
  })
  const second = await h2cBackend((stream) => {
    stream.respond({ ':status': 200 })
    stream.end('second')
  })
  ingress.serve('web', [first, second], 'kubernetes.io/h2c')
  const client = session(`http://127.0.0.1:${ingress.http}`)
  for (let count = 0; count < 3; count++) {
    expect((await call(client, { ':path': '/' })).body).toBe('second')
  }
  expect(refused).toBeGreaterThan(0)
})

test('an HTTP/2 client that gives up resets its stream at the backend', async () => {
  let seen: ServerHttp2Stream | undefined
  const port = await h2cBackend((stream) => void (seen = stream.on('error', () => undefined)))
  ingress.serve('web', [port], 'h2c')
  const stream = session(`http://127.0.0.1:${ingress.http}`).request({ ':path': '/' })
  stream.on('error', () => undefined)
  await expect.poll(() => seen).toBeDefined()
  stream.close(8)
  await expect.poll(() => seen?.closed).toBe(true)
  expect(ingress.forwarder.inFlight).toBe(0)
})

/** The name in the certificate that a client gets. */
async function shownTo(servername: string | undefined, alpn = 'http/1.1'): Promise<string> {
  const socket = connectTls({
    port: ingress.https,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: [alpn],
    ...(servername ? { servername } : {}),
  })
  await once(socket, 'secureConnect')
  const { CN } = socket.getPeerCertificate().subject
  const protocol = String(socket.alpnProtocol)
  socket.destroy()
  return `${String(CN)} ${protocol}`
}

test('certificates by name, replaced while it runs', async () => {
  ingress.addCertificate('a.example', certificateFor('a.example'))
  expect(await shownTo('a.example')).toBe('a.example http/1.1')
  expect(await shownTo('A.example', 'h2')).toBe('a.example h2')
  expect(await shownTo('b.example')).toBe('fallback.example http/1.1')
  expect(await shownTo(undefined)).toBe('fallback.example http/1.1')
  ingress.addCertificate('a.example', certificateFor('new.example'))
  expect(await shownTo('a.example')).toBe('new.example http/1.1')
})

test('nothing that is not TLS stays at a TLS port, and nothing half-way', async () => {
  const socket = connectTls({ port: ingress.http, host: '127.0.0.1' }).on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  await expect(fetch(`http://127.0.0.1:${ingress.https}/`)).rejects.toThrow()
})

test('a stop lets requests come to their ends', async () => {
  const waiting: ServerHttp2Stream[] = []
  const port = await h2cBackend((stream) => void waiting.push(stream))
  ingress.serve('web', [port], 'h2c')
  const answer = call(session(`http://127.0.0.1:${ingress.http}`), { ':path': '/' })
  await expect.poll(() => waiting.length).toBe(1)
  const closed = ingress.server.close(async () => {
    await expect.poll(() => ingress.forwarder.inFlight).toBe(0)
  })
  waiting[0]?.respond({ ':status': 200 })
  waiting[0]?.end('after all')
  expect((await answer).body).toBe('after all')
  await closed
})
