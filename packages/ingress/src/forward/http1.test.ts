/** Requests of HTTP/1.1 through real sockets: forwarded, streamed, shared out, sent again. */

import { once } from 'node:events'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Http1Fixture } from '../testing/http1-fixture.ts'
import { portOf, to } from '../testing/ingress-fixture.ts'

let ingress: Http1Fixture

beforeEach(async () => {
  ingress = new Http1Fixture({ headTimeoutMs: 300 })
  await ingress.start()
  ingress.route({})
})
afterEach(() => ingress.stop())

test('a request arrives with who sent it, and without what concerns the connection', async () => {
  let seen: IncomingMessage | undefined
  const { port } = await ingress.backend((asked, response) => {
    seen = asked
    response.setHeader('Set-Cookie', ['a=1', 'b=2']).setHeader('Keep-Alive', 'timeout=1').end('hello')
  })
  ingress.serve('web', [port])
  const headers = {
    Host: 'Shop.Example:8080',
    'X-Forwarded-For': '6.6.6.6',
    Forwarded: 'for=6.6.6.6',
    Connection: 'close, X-Secret',
    'X-Secret': 'here',
    'X-Kept': 'yes',
    TE: 'trailers',
  }
  const answer = await ingress.ask('/a/b?c=d', { headers })
  expect(answer).toMatchObject({ status: 200, body: 'hello', headers: { 'set-cookie': ['a=1', 'b=2'] } })
  expect(seen).toMatchObject({ method: 'GET', url: '/a/b?c=d' })
  const { connection: _, ...rest } = seen?.headers ?? {}
  expect(rest).toEqual({
    host: 'Shop.Example:8080',
    'x-kept': 'yes',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'Shop.Example:8080',
    'x-forwarded-port': '80',
    'x-forwarded-proto': 'http',
    'x-real-ip': '127.0.0.1',
    'x-request-id': 'id',
    via: '1.1 dinghy-test',
  })
})

test('bodies with and without a length, and trailers, go both ways', async () => {
  const { port } = await ingress.backend((asked, response) => {
    void buffer(asked).then((body) => {
      response.writeHead(201, { Trailer: 'X-Sum' })
      response.write(`${asked.headers['content-length'] ?? 'chunked'} `)
      response.addTrailers({ 'X-Sum': asked.trailers['x-asked'] ?? 'none' })
      response.end(body)
    })
  })
  ingress.serve('web', [port])
  expect(await ingress.ask('/', { method: 'POST', headers: { 'Content-Length': 5 } }, 'hello')).toMatchObject({
    status: 201,
    body: '5 hello',
    trailers: { 'x-sum': 'none' },
  })
  const chunked =
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nX-Asked: 7\r\n\r\n'
  expect(await ingress.raw(chunked)).toMatch(/^HTTP\/1.1 201 [^]*chunked [^]*abc[^]*X-Sum: 7\r\n\r\n$/)
})

test('what is streamed arrives piece by piece, and a slow reader slows the backend down', async () => {
  let backendResponse: ServerResponse | undefined
  const { port } = await ingress.backend((_asked, response) => {
    backendResponse = response
    response.write('first')
  })
  ingress.serve('web', [port])
  const asked = request({ host: '127.0.0.1', port: ingress.http, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  expect(String((await once(response, 'data'))[0])).toBe('first')
  response.pause()
  const piece = Buffer.alloc(1 << 20)
  let sent = 0
  // Kernel buffers hold some of it; that it ends at all is the point.
  const isFull = () => (backendResponse?.writableLength ?? 0) > 8 << 20
  while (sent < 200 && !isFull()) {
    backendResponse?.write(piece)
    sent += 1
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(sent).toBeLessThan(200)
  backendResponse?.end('last')
  const rest = await buffer(response)
  expect(rest.subarray(-4).toString()).toBe('last')
})

test('an upload is not read faster than the backend takes it', async () => {
  const { port } = await ingress.backend((asked, response) => {
    asked.once('data', () => {
      asked.pause()
      response.writeHead(200).flushHeaders()
    })
  })
  ingress.serve('web', [port])
  const asked = request({ host: '127.0.0.1', port: ingress.http, method: 'POST', agent: false })
  asked.on('error', () => undefined)
  asked.write('x')
  await once(asked, 'response')
  let sent = 0
  while (sent < 200 && asked.writableLength < 8 << 20) {
    asked.write(Buffer.alloc(1 << 20))
    sent += 1
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(sent).toBeLessThan(200)
  asked.destroy()
})

test('connections to a backend are kept and used again', async () => {
  const { server, port } = await ingress.backend((_asked, response) => response.end('x'))
  let opened = 0
  server.on('connection', () => (opened += 1))
  ingress.serve('web', [port])
  for (let count = 0; count < 5; count++) expect((await ingress.ask('/')).body).toBe('x')
  expect(opened).toBe(1)
})

test('an endpoint that refuses is passed over, for a body, too', async () => {
  const { port } = await ingress.backend((asked, response) => void buffer(asked).then((body) => response.end(body)))
  const gone = await ingress.backend(() => undefined)
  gone.server.close()
  await once(gone.server, 'close')
  ingress.serve('web', [gone.port, port])
  for (let count = 0; count < 4; count++) {
    expect(await ingress.ask('/', { method: 'POST' }, 'body')).toMatchObject({ status: 200, body: 'body' })
  }
  ingress.serve('web', [gone.port])
  expect(await ingress.ask('/')).toMatchObject({ status: 502 })
})

test('a kept connection that the backend has closed costs a GET nothing, and a POST is not sent twice', async () => {
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  const seen: string[] = []
  const server = createTcpServer((socket) => {
    let count = 0
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        seen.push(chunk.toString().split(' ')[0] ?? '')
        // The second request of a connection meets one that closes just now.
        if (++count > 1) socket.destroy()
        else socket.write(ok)
      })
  })
  ingress.serve('web', [await portOf(server)])
  expect((await ingress.ask('/')).body).toBe('ok')
  expect((await ingress.ask('/')).body).toBe('ok')
  expect(seen).toEqual(['GET', 'GET', 'GET'])
  expect(await ingress.ask('/', { method: 'POST' })).toMatchObject({ status: 502 })
  expect(seen).toEqual(['GET', 'GET', 'GET', 'POST'])
  server.close()
})

test('a POST does not take a kept connection whose end has arrived', async () => {
  const { server, port } = await ingress.backend((asked, response) => {
    void buffer(asked).then((body) => response.end(body))
  })
  ingress.serve('web', [port])
  const socket = connect(ingress.http, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  for (let count = 1; count <= 20; count++) {
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect.poll(() => heard.match(/200 OK/g)?.length, { interval: 2 }).toBe(2 * count - 1)
    // Both are on their way to the ingress in the same moment.
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody')
    server.closeIdleConnections()
    await expect.poll(() => heard.match(/HTTP\/1.1 \d/g)?.length, { interval: 2 }).toBe(2 * count)
  }
  expect(heard).not.toContain('502')
  socket.destroy()
})

test('a request is not sent again once it may have been seen', async () => {
  const { port, heard, close } = await ingress.rawBackend('HTTP/1.1 200')
  const another = await ingress.backend((_asked, response) => response.end('another'))
  ingress.serve('web', [port])
  const answer = ingress.ask('/')
  await expect.poll(() => heard.length).toBe(1)
  ingress.serve('web', [port, another.port])
  close()
  expect(await answer).toMatchObject({ status: 502 })
})

test('an endpoint that has left gets no new request, and the one under way comes to its end', async () => {
  const waiting: ServerResponse[] = []
  const old = await ingress.backend((_asked, response) => void waiting.push(response))
  const fresh = await ingress.backend((_asked, response) => response.end('new'))
  ingress.serve('web', [old.port])
  const first = ingress.ask('/')
  await expect.poll(() => waiting.length).toBe(1)
  ingress.serve('web', [fresh.port])
  expect((await ingress.ask('/')).body).toBe('new')
  waiting[0]?.end('old')
  expect((await first).body).toBe('old')
  await expect.poll(() => new Promise((resolve) => old.server.getConnections((_, count) => resolve(count)))).toBe(0)
})

test('the least loaded endpoint is next', async () => {
  const busy = await ingress.backend(() => undefined)
  const idle = await ingress.backend((_asked, response) => response.end('idle'))
  ingress.serve('web', [busy.port])
  const held = request({ host: '127.0.0.1', port: ingress.http, agent: false }).end()
  held.on('error', () => undefined)
  await once(busy.server, 'request')
  ingress.serve('web', [busy.port, idle.port])
  for (let count = 0; count < 6; count++) expect((await ingress.ask('/')).body).toBe('idle')
  held.destroy()
})

test('weights share requests out, and a backend that is not there fails its share', async () => {
  const { port } = await ingress.backend((_asked, response) => response.end('web'))
  ingress.serve('web', [port])
  ingress.route({ backends: [to('web', 3), { target: undefined, weight: 1, filters: [] }, to('web', 0)] })
  const answers = await Promise.all(Array.from({ length: 400 }, () => ingress.ask('/')))
  const failed = answers.filter(({ status }) => status === 503).length
  // Binomial: 400 tries, a quarter; outside of this once in many millions.
  expect(failed).toBeGreaterThan(50)
  expect(failed).toBeLessThan(150)
})

test.each([
  [{ backends: [] }, 503],
  [{ backends: [to('none')] }, 503],
  [{ host: 'other.example' }, 404],
  [
    {
      backends: [to('none')],
      source: { kind: 'HTTPRoute' as const, namespace: 's', name: 'n', rule: 0, createdAt: '' },
    },
    500,
  ],
])('what cannot be served says so: %j', async (route, status) => {
  ingress.route(route)
  expect(await ingress.ask('/')).toMatchObject({ status })
})

test('filters: a redirect, a rewrite, headers both ways, a mirror', async () => {
  const mirrored: string[] = []
  const mirror = await ingress.backend((asked, response) => {
    void buffer(asked).then((body) => mirrored.push(`${asked.url} ${body.toString()}`))
    response.end()
  })
  const { port } = await ingress.backend((asked, response) => {
    void buffer(asked).then(() => {
      response.setHeader('X-Gone', '1').end(`${asked.headers.host} ${asked.url} ${asked.headers['x-new']}`)
    })
  })
  ingress.serve('web', [port])
  ingress.serve('mirror', [mirror.port])
  const path = { type: 'Prefix' as const, value: '/old' }
  const modified = { set: [{ name: 'X-New', value: 'n' }], add: [], remove: ['x-gone'] }
  ingress.route({
    path,
    filters: [
      { type: 'RequestHeaderModifier', ...modified },
      { type: 'ResponseHeaderModifier', ...modified },
      { type: 'URLRewrite', hostname: 'inside.example', path: { type: 'ReplacePrefixMatch', value: '/new' } },
      { type: 'RequestMirror', target: { service: 'shop/mirror', port: 80 }, numerator: 1, denominator: 1 },
    ],
  })
  const answer = await ingress.ask('/old/x?q', { method: 'POST' }, 'body')
  expect(answer.body).toBe('inside.example /new/x?q n')
  expect([answer.headers['x-new'], answer.headers['x-gone']]).toEqual(['n', undefined])
  await expect.poll(() => mirrored).toEqual(['/new/x?q body'])
  ingress.route({ path, filters: [{ type: 'RequestRedirect', scheme: 'https', code: 301 }], backends: [] })
  const redirected = await ingress.ask('/old?q', { headers: { Host: 'a.example' } })
  expect([redirected.status, redirected.headers.location]).toEqual([301, 'https://a.example/old?q'])
})

test('a WebSocket: both sides talk, and a refusal is an ordinary answer', async () => {
  const { server, port } = await ingress.backend((_asked, response) => response.writeHead(403).end('no'))
  ingress.serve('web', [port])
  const hello = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly'
  expect(await ingress.raw(hello)).toMatch(/^HTTP\/1.1 403 [^]*\r\nno\r\n/)
  server.on('upgrade', (asked: IncomingMessage, socket: Socket) => {
    socket.write(
      `HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: ${asked.headers.upgrade}\r\n\r\nhi `,
    )
    socket.pipe(socket)
  })
  expect(await ingress.raw(hello, /early$/)).toMatch(/^HTTP\/1.1 101 [^]*X: websocket[^]*\r\n\r\nhi early$/)
  await expect.poll(() => JSON.stringify(ingress.backends.view())).toContain('"inFlight":0')
})

test('a wish for h2c is not followed, and the request is served', async () => {
  const { port } = await ingress.backend((asked, response) => {
    void buffer(asked).then((body) => response.end(`${asked.headers.upgrade} ${body.toString()}`))
  })
  ingress.serve('web', [port])
  const text =
    'POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nContent-Length: 4\r\n\r\nbody'
  expect(await ingress.raw(text, /body$/)).toMatch(/^HTTP\/1.1 200 [^]*undefined body$/)
})

test('clients that leave take their requests with them', async () => {
  const { server, port } = await ingress.backend(() => undefined)
  ingress.serve('web', [port])
  const asked = request({ host: '127.0.0.1', port: ingress.http, agent: false }).end()
  asked.on('error', () => undefined)
  const [seen] = (await once(server, 'request')) as [IncomingMessage]
  asked.destroy()
  await once(seen.socket, 'close')
  expect(ingress.forwarder.inFlight).toBe(0)
  expect(ingress.lines.at(-1)).toMatchObject({ status: 499, service: 'shop/web', msg: 'request' })
})

test('requests are counted by the hosts of routes', async () => {
  const { port } = await ingress.backend((_asked, response) => response.end('x'))
  ingress.serve('web', [port])
  ingress.route({ host: '*.example' })
  await ingress.ask('/', { headers: { Host: 'a.example' } })
  await ingress.ask('/', { headers: { Host: 'b.example' } })
  await ingress.ask('/', { headers: { Host: 'c.org' } })
  const text = await ingress.metrics.text()
  expect(text).toContain('dinghy_ingress_requests_total{host="*.example",service="shop/web",code="200"} 2')
  expect(text).toContain('dinghy_ingress_requests_total{host="",service="",code="404"} 1')
})
