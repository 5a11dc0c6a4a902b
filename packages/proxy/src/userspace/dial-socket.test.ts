import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DialSocket, dialThrough } from './dial-socket.ts'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

let directory: string
let path: string
let socket: DialSocket
let server: Server
let port: number

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dinghy-dial-'))
  path = join(directory, 'proxy-n1.sock')
  socket = new DialSocket(quiet)
  await socket.listen(path)
  server = createServer({ allowHalfOpen: true }, (client) => {
    client.write('hello ')
    client.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  await socket.close()
  await new Promise((resolve) => server.close(resolve))
  await rm(directory, { recursive: true })
})

test('bytes go both ways, and one end before the other', async () => {
  const connection = await dialThrough(path, { address: '127.0.0.1', port })
  connection.end('dinghy')
  expect(await text(connection)).toBe('hello dinghy')
})

test('an address that nobody answers at, and a socket that is not there, reject', async () => {
  await new Promise((resolve) => server.close(resolve))
  await expect(dialThrough(path, { address: '127.0.0.1', port })).rejects.toThrow(/ERROR.*ECONNREFUSED/)
  await expect(dialThrough(`${path}.gone`, { address: '127.0.0.1', port })).rejects.toMatchObject({ code: 'ENOENT' })
  server.listen(0)
})

test('the socket is its owner’s alone, and one that was left behind is replaced', async () => {
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await socket.close()
  socket = new DialSocket(quiet)
  await socket.listen(path)
  const connection = await dialThrough(path, { address: '127.0.0.1', port })
  connection.destroy()
  await expect(dialThrough(path, { address: 'example.com', port })).rejects.toThrow('ERROR not understood')
})
