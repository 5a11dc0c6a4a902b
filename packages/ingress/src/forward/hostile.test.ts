/** Clients and backends that are broken, slow, or mean it. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Http1Fixture } from '../testing/http1-fixture.ts'

let ingress: Http1Fixture

beforeEach(async () => {
  ingress = new Http1Fixture({ headTimeoutMs: 300 })
  await ingress.start()
  ingress.route({})
})
afterEach(() => ingress.stop())

// What two servers in a row could understand differently.
test.each([
  'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'GET / HTTP/1.1\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nbody',
  'GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n',
  'GET /a/..%2fadmin HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /../x HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n',
  'CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n',
  'TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`,
  'GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 x, 1.1 dinghy-test\r\nConnection: close\r\n\r\n',
  'nonsense\r\n\r\n',
])('is refused and reaches no backend: %j', async (text) => {
  const { port, heard } = await ingress.rawBackend('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  ingress.serve('web', [port])
  const answer = await ingress.raw(text.slice(0, 60_000), /\r\n\r\n/)
  expect(answer).toMatch(/^HTTP\/1.1 (4\d\d|508) /)
  expect(heard).toEqual([])
})

test('a whole address names the host, and what follows on the connection is read rightly', async () => {
  const { port, heard } = await ingress.rawBackend('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  ingress.serve('web', [port])
  const first = 'GET http://b.example/x HTTP/1.1\r\nHost: a\r\n\r\n'
  const second = 'GET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  expect((await ingress.raw(first + second)).match(/HTTP\/1.1 200/g)).toHaveLength(2)
  expect(heard.map((one) => one.split('\r\n').slice(0, 2))).toEqual([
    ['GET /x HTTP/1.1', 'Host: b.example'],
    ['GET /y HTTP/1.1', 'Host: a'],
  ])
})

// A backend that somebody has talked into saying more than one answer, or one that can be read in two ways.
test.each([
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok',
  'HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX: a\u0000b\r\n\r\n',
  'HTTP/1.1 99 OK\r\n\r\n',
  'SSH-2.0-OpenSSH\r\n\r\n',
  'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n',
])('a backend that answers %j is a bad gateway', async (text) => {
  const { port } = await ingress.rawBackend(text)
  ingress.serve('web', [port])
  expect(await ingress.ask('/')).toMatchObject({ status: 502 })
})

test('what a backend says beyond its answer reaches nobody', async () => {
  const one = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  const { port } = await ingress.rawBackend(one + one.replace('ok', 'no'), one)
  ingress.serve('web', [port])
  expect((await ingress.ask('/')).body).toBe('ok')
  expect((await ingress.ask('/')).body).toBe('ok')
})

test('an answer that breaks off is seen to break off', async () => {
  const { port } = await ingress.backend((_asked, response) => {
    response.writeHead(200, { 'Content-Length': 10 })
    response.write('half', () => response.socket?.destroy())
  })
  ingress.serve('web', [port])
  await expect(ingress.ask('/')).rejects.toThrow()
})

test('clients that are silent, or drip their head, are let go', async () => {
  const socket = connect(ingress.http, '127.0.0.1').on('error', () => undefined)
  await once(socket, 'close')
  expect(await ingress.raw('GET / HTTP/1.1\r\nHost: a\r\n')).toMatch(/^HTTP\/1.1 408 /)
})

test('answers that do not come, and bodies that do not go on', async () => {
  await ingress.stop()
  ingress = new Http1Fixture({ idleTimeoutMs: 300 })
  await ingress.start()
  ingress.route({})
  const { port } = await ingress.backend(() => undefined)
  ingress.serve('web', [port])
  expect(await ingress.ask('/')).toMatchObject({ status: 504 })
  expect(await ingress.raw('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf')).toMatch(/^HTTP\/1.1 408 /)
  ingress.route({ requestTimeoutMs: 50 })
  expect(await ingress.ask('/')).toMatchObject({ status: 504 })
})
