import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '@dinghy/shared/api/clock'
import { conflict } from '@dinghy/shared/docker/errors'
import type { HttpServer } from '@dinghy/shared/http/server'
import { createLogger } from '@dinghy/shared/process/logger'
import { JsonStream } from './json-stream.ts'
import { openStream, sendEmpty, sendJson } from './request.ts'
import { Router } from './router.ts'
import { createDockerServer, listen } from './server.ts'

let root: string
let socket: string
let server: HttpServer
let logged: string[]

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'docker-server-'))
  socket = join(root, 'docker.sock')
  logged = []
  const log = createLogger({ name: 'test', clock: systemClock, write: (line) => void logged.push(line) })
  server = createDockerServer({ log, version: '1' })
  const router = new Router(server, log)
  router.add('GET', '/images/json', (_request, reply) => sendJson(reply, 200, 'list'))
  router.add('GET', '/images/:name/json', ({ params, version, query }, reply) =>
    sendJson(reply, 200, [params['name'], version, query.getAll('q')]),
  )
  router.add('POST', '/echo', async (request, reply) =>
    sendJson(reply, 201, await request.json({ fields: { HostConfig: { fields: { Memory: 'integer' } } } })),
  )
  router.add('POST', '/nothing', (_request, reply) => sendEmpty(reply, 204))
  router.add('GET', '/conflict', () => {
    throw conflict('already there')
  })
  router.add('GET', '/bug', () => {
    throw new TypeError('a bug')
  })
  router.add('GET', '/half', async (_request, reply) => {
    openStream(reply, 'application/json').write('half')
    throw await Promise.reject(new Error('broken'))
  })
  router.add('POST', '/progress', async ({ query }, reply) => {
    const stream = new JsonStream(reply)
    await stream.run(async () => {
      if (query.get('early')) throw conflict('early')
      stream.send({ status: 'one' })
      throw await Promise.reject(conflict('late'))
    })
  })
  router.add('POST', '/hijack', async (request) => {
    if (request.query.get('read')) await request.json({ fields: {} })
    const connection = await request.hijack('application/vnd.docker.multiplexed-stream')
    connection.pipe(connection)
  })
  await listen(server, { kind: 'unix', path: socket }, undefined)
})
afterEach(async () => {
  await server.close(0)
  rmSync(root, { recursive: true, force: true })
})

/** What the server answers to these bytes, until it closes; our side is closed as soon as they are sent. */
async function answer(request: string): Promise<string> {
  const client = connect(socket)
  client.end(request)
  return await text(client)
}

function ask(method: string, path: string, body = '', headers = ''): Promise<string> {
  return answer(
    `${method} ${path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`,
  )
}

test('names hold slashes, and the version is optional', async () => {
  expect(await ask('GET', '/v1.41/images/localhost:5000/a/b/json?q=1&q=2')).toMatch(
    /^HTTP\/1.1 200 OK\r\n(.*\r\n)*\r\n\["localhost:5000\/a\/b",\[1,41\],\["1","2"\]\]\n$/,
  )
  expect(await ask('GET', '/images/json')).toContain('"list"')
  expect(await ask('GET', '/images/50%/json')).toContain('"50%"')
})

test('every answer says which engine it is', async () => {
  expect(await ask('GET', '/images/json')).toMatch(/api-version: 1.50\r\n(.*\r\n)*server: Dinghy\/1 /i)
  expect(await ask('GET', '/conflict')).toMatch(/api-version: 1.50/i)
  expect(await ask('POST', '/progress')).toMatch(/api-version: 1.50/i)
})

test.each([
  ['GET', '/conflict', 409, 'already there'],
  ['GET', '/bug', 500, 'a bug'],
  ['GET', '/v1.23/images/json', 400, 'client version 1.23 is too old'],
  ['GET', '/v1.99/images/json', 400, 'client version 1.99 is too new'],
  ['GET', '/none', 404, 'page not found'],
  ['POST', '/images/json', 404, 'page not found'],
  ['GET', '/images/%ff/json', 400, 'not a valid url component'],
])('%s %s is answered %i %s', async (method, path, status, message) => {
  const [head = '', body = ''] = (await ask(method, path)).split('\r\n\r\n')
  expect(head).toContain(`HTTP/1.1 ${status} `)
  expect(head).toMatch(/^content-type: application\/json$/m)
  expect((JSON.parse(body) as { message: string }).message).toContain(message)
  expect(logged.length).toBe(status === 500 ? 1 : 0)
})

test('web pages are not served', async () => {
  expect(await ask('GET', '/images/json', '', 'Origin: http://x\r\n')).toContain('HTTP/1.1 403 ')
})

test('a body is JSON with names in any case', async () => {
  expect(await ask('POST', '/echo', '{"hostconfig":{"memory":5}}')).toContain('{"HostConfig":{"Memory":5}}\n')
  expect(await ask('POST', '/echo', '{"hostconfig":{"memory":"5"}}')).toContain('HostConfig.Memory must be an integer')
  expect(await ask('POST', '/echo', '{')).toContain('400 Bad Request')
  expect(await ask('POST', '/nothing')).toMatch(/^HTTP\/1.1 204 No Content\r\n(.*\r\n)*\r\n$/)
})

test('HEAD is GET without a body', async () => {
  expect(await ask('HEAD', '/images/json')).toMatch(/^HTTP\/1.1 200 OK\r\n(.*\r\n)*\r\n$/)
})

test('an error in the middle of an answer breaks the connection', async () => {
  const said = await ask('GET', '/half')
  expect(said).toContain('half')
  expect(said).not.toMatch(/0\r\n\r\n$/)
  expect(logged.length).toBe(1)
})

test('progress: an error before the first line is a status, later it is a line', async () => {
  expect(await ask('POST', '/progress?early=1')).toMatch(/^HTTP\/1.1 409 Conflict/)
  const late = await ask('POST', '/progress')
  expect(late).toMatch(/^HTTP\/1.1 200 OK/)
  expect(late).toContain('{"status":"one"}\r\n')
  expect(late).toContain('{"errorDetail":{"message":"late"},"error":"late"}\r\n')
})

const asUpgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n'

test.each([
  [asUpgrade, '/v1.50/hijack', '101 UPGRADED', 'multiplexed'],
  [asUpgrade, '/v1.50/hijack?read=1', '101 UPGRADED', 'multiplexed'],
  [asUpgrade, '/v1.41/hijack', '101 UPGRADED', 'raw'],
  ['', '/v1.50/hijack', '200 OK', 'multiplexed'],
  ['', '/v1.50/hijack?read=1', '200 OK', 'multiplexed'],
])('with headers %j %s takes the connection over', async (headers, path, status, type) => {
  const client = connect(socket)
  client.write(`POST ${path} HTTP/1.1\r\nHost: docker\r\n${headers}Content-Length: 2\r\n\r\n{}`)
  await new Promise((resolve) => client.once('readable', resolve))
  client.end('hello')
  expect(await text(client)).toBe(
    `HTTP/1.1 ${status}\r\nContent-Type: application/vnd.docker.${type}-stream\r\n${headers}\r\nhello`,
  )
})
