import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { httpRequest, readBytes, readJson, readLines, readText, TimeoutError } from './client.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers) server.closeAllConnections()
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})

/** undici takes a connection into use again only in the next turn of the event loop. */
function connectionIsFree(): Promise<unknown> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function serve(handler: Handler, path?: string): Promise<string> {
  const server = createServer(handler)
  servers.push(server)
  await new Promise<void>((resolve) => (path ? server.listen(path, resolve) : server.listen(0, '127.0.0.1', resolve)))
  return path ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  request.pipe(response)
}

test('connections are kept and used again', async () => {
  const ports = new Set<number | undefined>()
  const url = await serve(({ socket }, response) => {
    ports.add(socket.remotePort)
    response.end('{"a":1}')
  })
  for (let i = 0; i < 3; i++) {
    expect(await readJson(await httpRequest({ method: 'GET', url }))).toEqual({ a: 1 })
    await connectionIsFree()
  }
  expect(ports.size).toBe(1)
  for (let i = 0; i < 3; i++) await readText(await httpRequest({ method: 'GET', url, keepAlive: false }))
  expect(ports.size).toBe(4)
})

test('a peer that does not answer is given up, before its headers and between the parts of its body', async () => {
  const url = await serve((request, response) => {
    if (request.url === '/body') response.write('half')
  })
  await expect(httpRequest({ method: 'GET', url, headersTimeoutMs: 20 })).rejects.toBeInstanceOf(TimeoutError)
  const response = await httpRequest({ method: 'GET', url: `${url}/body`, bodyTimeoutMs: 20 })
  await expect(readText(response)).rejects.toThrow('Body Timeout')
})

test('a body may be destroyed unread, or half read', async () => {
  const url = await serve((_request, response) => void response.write('endless'))
  const [unread, half] = await Promise.all([httpRequest({ method: 'GET', url }), httpRequest({ method: 'GET', url })])
  for await (const chunk of half.body) {
    expect(String(chunk)).toBe('endless')
    break
  }
  const closed = new Promise((resolve) => unread.body.once('close', resolve))
  unread.body.destroy()
  await closed
})

test('a body that is larger than the caller likes is refused', async () => {
  const url = await serve(echo)
  const asked = async (body: string) => await httpRequest({ method: 'POST', url, body })
  expect((await readBytes(await asked('12345'), 5)).toString()).toBe('12345')
  await expect(readBytes(await asked('123456'), 5)).rejects.toThrow('larger than 5 bytes')
})

test('headers go out as they are given, the ones without a value left out', async () => {
  const url = await serve(({ headers }, response) => response.end(JSON.stringify(headers)))
  const headers = { Host: 'docker', 'X-Number': 7, 'X-None': undefined, 'X-Many': ['a', 'b'] }
  const seen = await readJson<Record<string, string>>(await httpRequest({ method: 'GET', url, headers }))
  expect(seen).toMatchObject({ host: 'docker', 'x-number': '7', 'x-many': 'a, b' })
  expect(seen).not.toHaveProperty('x-none')
})

test('a unix socket serves as well as a port', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'http-'))
  const socketPath = await serve((request, response) => response.end(request.url), join(dir, 's'))
  const response = await httpRequest({ method: 'GET', url: { socketPath, path: '/containers/json?all=1' } })
  expect(await readText(response)).toBe('/containers/json?all=1')
  rmSync(dir, { recursive: true })
})

test.each<[string, string | Buffer | Readable]>([
  ['text', 'héllo'],
  ['bytes', Buffer.from('héllo')],
  ['a stream', Readable.from([Buffer.from('hé'), Buffer.from('llo')])],
])('a body may be %s', async (_name, body) => {
  const url = await serve(echo)
  expect(await readText(await httpRequest({ method: 'POST', url, body }))).toBe('héllo')
})

test('an error status is an answer like any other, and an empty body is nothing', async () => {
  const url = await serve((_request, response) => response.writeHead(503).end())
  const response = await httpRequest({ method: 'GET', url })
  expect([response.status, await readJson(response)]).toEqual([503, undefined])
})

test('aborting ends the request, and later the body', async () => {
  const url = await serve((_request, response) => void response.write('a'))
  const early = new AbortController()
  const waiting = httpRequest({ method: 'GET', url }, early.signal)
  early.abort()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  const late = new AbortController()
  const response = await httpRequest({ method: 'GET', url }, late.signal)
  const reading = readText(response)
  late.abort()
  await expect(reading).rejects.toThrow('aborted')
})

describe('a kept connection that the server has closed', () => {
  /** Hangs up on every request but the first of a connection. */
  function rude(): { handler: Handler; count: () => number } {
    const greeted = new WeakSet()
    let requests = 0
    const handler: Handler = ({ socket }, response) => {
      requests += 1
      if (greeted.has(socket)) socket.destroy()
      else response.end('welcome')
      greeted.add(socket)
    }
    return { handler, count: () => requests }
  }

  test.each([['GET'], ['PUT'], ['DELETE']])('a %s is sent again', async (method) => {
    const { handler, count } = rude()
    const url = await serve(handler)
    await readText(await httpRequest({ method: 'GET', url }))
    await connectionIsFree()
    expect(await readText(await httpRequest({ method, url }))).toBe('welcome')
    expect(count()).toBe(3)
  })

  test('a POST is not: it might be done twice', async () => {
    const { handler, count } = rude()
    const url = await serve(handler)
    await readText(await httpRequest({ method: 'GET', url }))
    await connectionIsFree()
    await expect(httpRequest({ method: 'POST', url, body: 'x' })).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(count()).toBe(2)
  })
})

test('lines are cut wherever packets were, and half a line is not a line', async () => {
  const bytes = Buffer.from('one\ntwö\n\nthree\nhal')
  const lines: string[] = []
  for await (const line of readLines(
    Readable.from(
      [...bytes].map((byte) => Buffer.from([byte])),
      { objectMode: false },
    ),
  ))
    lines.push(line)
  expect(lines).toEqual(['one', 'twö', 'three'])
})
