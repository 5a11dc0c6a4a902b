import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { eventStream } from './event-stream.ts'

let server: Server
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function serve(lines: () => AsyncIterable<Buffer[]>): Promise<number> {
  server = createServer((_request, response) => {
    const stream = eventStream(lines())
    stream.once('error', () => response.destroy()) // as Fastify does
    stream.pipe(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function* oneTwoThree(): AsyncGenerator<Buffer[]> {
  yield [Buffer.from('one\n')]
  await nextTurn()
  yield [Buffer.from('two\n'), Buffer.from('three\n')]
}

/** All that comes on a connection of its own. */
async function say(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let said = ''
  socket.on('data', (bytes) => (said += String(bytes)))
  socket.write(request)
  await once(socket, 'close')
  return said
}

test('what is given in one go is one chunk', async () => {
  const port = await serve(oneTwoThree)
  const said = await say(port, 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  expect(said.slice(said.indexOf('\r\n\r\n') + 4)).toBe('4\r\none\n\r\na\r\ntwo\nthree\n\r\n0\r\n\r\n')
})

test('a client of HTTP/1.0 gets no chunks', async () => {
  const said = await say(await serve(oneTwoThree), 'GET / HTTP/1.0\r\n\r\n')
  expect(said.slice(said.indexOf('\r\n\r\n') + 4)).toBe('one\ntwo\nthree\n')
})

test('the connection is good for another request when the stream has ended', async () => {
  const port = await serve(oneTwoThree)
  const again = 'GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
  const said = await say(port, again)
  expect(said.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
  expect(said.match(/three/g)).toHaveLength(2)
})

test('it goes on only when the client reads', async () => {
  const line = Buffer.alloc(64 * 1024, 'x')
  const total = 1_000
  let made = 0
  const port = await serve(async function* () {
    while (made < total) {
      made++
      yield [line]
    }
  })
  const [response] = (await once(get({ port, host: '127.0.0.1' }), 'response')) as [IncomingMessage]
  // Until nothing moves any more: all buffers on the way are full.
  for (let before = -1; before !== made;) {
    before = made
    for (let i = 0; i < 100; i++) await nextTurn()
  }
  expect(made).toBeLessThan(total)
  let read = 0
  for await (const bytes of response) read += (bytes as Buffer).length
  expect(read).toBe(total * line.length)
})

test('an error breaks the connection off', async () => {
  const port = await serve(async function* () {
    yield [Buffer.from('one\n')]
    throw new Error('too slow')
  })
  const [response] = (await once(get({ port, host: '127.0.0.1' }), 'response')) as [IncomingMessage]
  response.resume()
  await expect(once(response, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' })
})
