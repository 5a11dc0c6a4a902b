import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { readBody } from './body.ts'
import { httpRequest, readJson, readText, type Target } from './client.ts'
import { httpUpgrade } from './client-upgrade.ts'
import { HttpError } from './http-error.ts'
import { isLocalRequest } from './local-request.ts'
import { parseHostPort } from './listen-address.ts'
import { HttpServer, type HttpServerOptions } from './server.ts'
import { takeConnection } from './upgrade.ts'

const servers: HttpServer[] = []
const dir = mkdtempSync(join(tmpdir(), 'http-server-'))
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)))
  rmSync(dir, { recursive: true, force: true })
})

function create(options: HttpServerOptions = {}): HttpServer {
  const server = new HttpServer(options)
  servers.push(server)
  return server
}

const loopback = { host: '127.0.0.1', port: 0 }

async function ask(url: Target, method = 'GET', headers: Record<string, string> = {}, body?: string) {
  const response = await httpRequest({ method, url, headers, ...(body === undefined ? {} : { body }) })
  return { status: response.status, headers: response.headers, text: await readText(response) }
}

/** What a server says to these bytes, until it hangs up. */
async function say(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  return answer
}

describe('listening', () => {
  test('one application answers on TCP, on a unix socket of its owner, and behind TLS', async () => {
    const key = join(dir, 'key.pem')
    const cert = join(dir, 'cert.pem')
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    rmSync(dir, { recursive: true, force: true })
    execFileSync('mkdir', ['-p', dir])
    execFileSync('openssl', [...request, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const server = create()
    server.app.get('/hello', async () => 'hello')
    const tcp = await server.listen(loopback)
    const socketPath = join(dir, 'socket')
    await server.listen({ socketPath })
    const tls = await server.listen({ ...loopback, tls: { key: readFileSync(key), cert: readFileSync(cert) } })
    expect((await ask(`${tcp.url}/hello`)).text).toBe('hello')
    expect((await ask({ socketPath, path: '/hello' })).text).toBe('hello')
    expect(statSync(socketPath).mode & 0o777).toBe(0o600)
    const trusting = { ca: readFileSync(cert) }
    const secure = await httpRequest({ method: 'GET', url: `${tls.url}/hello`, tls: trusting })
    expect(await readText(secure)).toBe('hello')
    await expect(httpRequest({ method: 'GET', url: `${tls.url}/hello`, tls: {} })).rejects.toThrow('self-signed')
  })

  test('a socket that nobody serves is replaced, one that is served is not', async () => {
    execFileSync('mkdir', ['-p', dir])
    const socketPath = join(dir, 's')
    writeFileSync(socketPath, '')
    await create().listen({ socketPath })
    await expect(create().listen({ socketPath })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  test('a port that is taken is an error of the caller', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    await expect(create().listen({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    other.close()
  })

  test.each([
    ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    ['[::1]:0', { host: '::1', port: 0 }],
  ])('%s', (text, address) => expect(parseHostPort(text)).toEqual(address))
})

describe('errors', () => {
  test('everything thrown becomes an answer in one place: by a handler, a guard, a route that is not there', async () => {
    const server = create({
      guard: (headers) => {
        if (!isLocalRequest(headers)) throw new HttpError(403, 'no strangers')
      },
      errorHandler: (error) => ({
        statusCode: (error as HttpError).statusCode ?? 500,
        headers: { 'content-type': 'application/json', 'x-handled': 'yes' },
        body: JSON.stringify({ message: (error as Error).message }),
      }),
    })
    server.app.get('/broken', async () => {
      throw new Error('broken')
    })
    server.app.get('/things/:name', async () => 'a thing')
    const { url } = await server.listen(loopback)
    const answers = [
      await ask(`${url}/broken`),
      await ask(`${url}/none`),
      await ask(`${url}/broken`, 'DELETE'),
      await ask(`${url}/broken`, 'GET', { origin: 'https://evil.example' }),
      await ask({ origin: url, path: '/things/%zz' }),
    ]
    expect(answers.map(({ status, text }) => [status, JSON.parse(text)])).toEqual([
      [500, { message: 'broken' }],
      [404, { message: '404 page not found' }],
      [404, { message: '404 page not found' }],
      [403, { message: 'no strangers' }],
      [400, { message: "'/things/%zz' is not a valid url component" }],
    ])
    expect(answers.every(({ headers }) => headers['x-handled'] === 'yes')).toBe(true)
  })

  test('without an error handler the answer is plain text', async () => {
    const { url } = await create().listen(loopback)
    const { status, headers, text } = await ask(url)
    expect([status, headers['content-type'], text]).toEqual([404, 'text/plain; charset=utf-8', '404 page not found'])
  })

  test('a stream that breaks breaks the connection: half an answer never looks whole', async () => {
    const server = create()
    server.app.get('/', (_request, reply) => {
      const stream = new Readable({ read: () => undefined })
      stream.push('half')
      setImmediate(() => stream.destroy(new Error('broken')))
      return reply.send(stream)
    })
    const { url } = await server.listen(loopback)
    await expect(ask(url)).rejects.toThrow()
  })

  test('what is no HTTP, and headers without end, are refused and cut off', async () => {
    const { port } = await create().listen(loopback)
    expect(await say(port, 'EHLO there\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
    expect(await say(port, `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}`)).toMatch(/^HTTP\/1.1 431 /)
  })
})

describe('bodies', () => {
  const echo = (limit: number) => {
    const server = create()
    server.app.post('/', async (request) => await readBody(request.raw, limit))
    return server.listen(loopback)
  }

  test.each(['application/json', 'text/plain', 'no media type at all', undefined])(
    'of type %s are left alone',
    async (type) => {
      const { url } = await echo(100)
      expect((await ask(url, 'POST', type === undefined ? {} : { 'content-type': type }, '{"a": 1}')).text).toBe(
        '{"a": 1}',
      )
      expect((await ask(url, 'POST')).text).toBe('')
    },
  )

  test('larger than the limit are refused, whether they say so or not', async () => {
    const { url } = await echo(5)
    expect((await ask(url, 'POST', {}, '12345')).text).toBe('12345')
    expect((await ask(url, 'POST', {}, '123456')).status).toBe(413)
    const chunked = await httpRequest({
      method: 'POST',
      url,
      body: Readable.from([Buffer.from('1234'), Buffer.from('56')]),
    })
    expect([chunked.status, chunked.headers.connection]).toEqual([413, 'close'])
  })

  test('of a client that hangs up half-way are an error', async () => {
    const server = create()
    const failed = new Promise((resolve) => {
      server.app.post('/', async (request) => await readBody(request.raw, 100).catch(resolve))
    })
    const { port } = await server.listen(loopback)
    const socket = connect(port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf', () => socket.destroy())
    expect(await failed).toMatchObject({ statusCode: 400 })
  })
})

describe('leaving HTTP', () => {
  /** Greets, then echoes; what the request's body said comes first. */
  function parrot(options: HttpServerOptions = {}): HttpServer {
    const server = create(options)
    server.app.addHook('onRequest', async (request) => {
      if (request.headers['x-user'] === 'nobody') throw new HttpError(401, 'who are you?')
    })
    server.app.post('/parrot', async (request, reply) => {
      const said = await readBody(request.raw, 100)
      const socket = takeConnection(request, reply)
      socket.write(`HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nheard ${said.toString()};`)
      socket.pipe(socket)
    })
    return server
  }

  const asked = (url: string, path = '/parrot', headers = {}) =>
    httpUpgrade({ method: 'POST', url: { origin: url, path }, protocol: 'tcp', headers, body: '{"Tty":true}' })

  test('the handler takes the connection, with the body read and nothing of the stream lost', async () => {
    const { url } = await parrot().listen(loopback)
    const answer = await asked(url)
    if (!('socket' in answer)) throw new Error(`refused: ${answer.status}`)
    answer.socket.end('polly')
    expect(await readText({ body: answer.socket })).toBe('heard {"Tty":true};polly')
  })

  test('bytes of the new protocol that came with the headers are read first', async () => {
    const { port } = await parrot().listen(loopback)
    const head =
      'POST /parrot HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n'
    const socket = connect(port, '127.0.0.1')
    socket.end(`${head}hithere`)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    expect(answer.split('\r\n\r\n')[1]).toBe('heard hi;there')
  })

  test('which comes right behind another request is answered after it, or cuts a connection that waits', async () => {
    const server = create()
    server.app.get('/now', (_request, reply) => {
      reply.hijack()
      reply.raw.end('first')
    })
    server.app.get('/never', () => new Promise(() => undefined))
    server.app.get('/upgrade', (request, reply) => {
      takeConnection(request, reply).end('HTTP/1.1 101 Switching Protocols\r\n\r\nsecond')
    })
    const { port } = await server.listen(loopback)
    const host = 'Host: 127.0.0.1\r\n'
    const upgrade = `GET /upgrade HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`
    const behind = async (path: string) => await say(port, `GET ${path} HTTP/1.1\r\n${host}\r\n${upgrade}`)
    expect(await behind('/now')).toMatch(/^HTTP\/1.1 200 [^]*first[^]*HTTP\/1.1 101 [^]*second$/)
    expect(await behind('/never')).toBe('')
    expect(await say(port, upgrade)).toContain('second')
  })

  test('the same hooks refuse it, and the same errors', async () => {
    const { url } = await parrot().listen(loopback)
    const refused = await asked(url, '/parrot', { 'x-user': 'nobody' })
    if ('socket' in refused) throw new Error('upgraded')
    expect([refused.status, refused.headers.connection, await readText(refused)]).toEqual([
      401,
      'close',
      'who are you?',
    ])
    const lost = await asked(url, '/none')
    expect(lost.status).toBe(404)
  })
})

test('the headers of a stream go out before its first byte', async () => {
  const server = create()
  server.app.get('/', (_request, reply) => reply.header('x-follow', '1').send(new Readable({ read: () => undefined })))
  const { url } = await server.listen(loopback)
  const response = await httpRequest({ method: 'GET', url })
  expect(response.headers['x-follow']).toBe('1')
  response.body.on('error', () => undefined).destroy()
})

describe('the signal of a request', () => {
  test('is aborted when the client goes away', async () => {
    const server = create()
    const reason = new Promise((resolve) => {
      server.app.get('/', (request, reply) => {
        const signal = server.signalOf(request, reply)
        signal.addEventListener('abort', () => resolve(signal.reason))
        reply.raw.writeHead(200).flushHeaders()
        reply.hijack()
      })
    })
    const { url } = await server.listen(loopback)
    const response = await httpRequest({ method: 'GET', url })
    response.body.on('error', () => undefined).destroy()
    expect(String(await reason)).toContain('the client went away')
  })
})

describe('closing', () => {
  test('lets requests finish, ends the lasting ones, accepts nobody new', async () => {
    const server = create()
    let finish: (text: string) => void = () => undefined
    const reached: (() => void)[] = []
    const arrived = () => new Promise<void>((resolve) => reached.push(resolve))
    server.app.get('/slow', () => {
      reached.shift()?.()
      return new Promise((resolve) => (finish = resolve))
    })
    server.app.get('/watch', (request, reply) => {
      const signal = server.signalOf(request, reply)
      const stream = new Readable({ read: () => undefined })
      stream.push('first ')
      signal.addEventListener('abort', () => {
        stream.push('last')
        stream.push(null)
      })
      return reply.send(stream)
    })
    const { url } = await server.listen(loopback)
    const started = arrived()
    const slow = ask(`${url}/slow`)
    const watch = await httpRequest({ method: 'GET', url: `${url}/watch` })
    await started
    const closing = server.close(60_000)
    expect(await readText(watch)).toBe('first last')
    await expect(ask(`${url}/slow`)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    finish('finished')
    expect((await slow).text).toBe('finished')
    await closing
  })

  test('cuts what is not over when the grace is', async () => {
    const clock = new FakeClock()
    const server = create({ clock })
    const reached = new Promise<void>((resolve) => {
      server.app.get('/forever', () => {
        resolve()
        return new Promise(() => undefined)
      })
    })
    server.app.post('/upgrade', (request, reply) => {
      const socket = takeConnection(request, reply)
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
    })
    const { url } = await server.listen(loopback)
    const asked = ask(`${url}/forever`)
    const refused = expect(asked).rejects.toMatchObject({ code: 'ECONNRESET' })
    const upgraded = await httpUpgrade({ method: 'POST', url: `${url}/upgrade`, protocol: 'tcp' })
    if (!('socket' in upgraded)) throw new Error(`refused: ${upgraded.status}`)
    await reached
    const closing = server.close(1000)
    await clock.advance(1000)
    upgraded.socket.resume()
    await once(upgraded.socket, 'close')
    await refused
    await closing
  })

  test('an idle connection does not hold it up', async () => {
    const server = create()
    server.app.get('/', async () => ({ a: 1 }))
    const { url } = await server.listen(loopback)
    expect(await readJson(await httpRequest({ method: 'GET', url }))).toEqual({ a: 1 })
    await server.close(600_000)
  })
})
