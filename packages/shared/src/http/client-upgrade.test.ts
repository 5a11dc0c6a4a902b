import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { readText, TimeoutError } from './client.ts'
import { httpUpgrade } from './client-upgrade.ts'

const servers: Server[] = []
const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

/** Answers each connection with these bytes as soon as it has said something. */
async function answering(bytes: string): Promise<string> {
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined).once('data', () => socket.write(bytes))
  })
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

const accepted = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nX-Protocol: v4\r\n\r\n'
function request(url: string) {
  return { method: 'POST', url, protocol: 'tcp' }
}

test('what came with the headers is read first, and the headers are there', async () => {
  const answer = await httpUpgrade(request(await answering(`${accepted}early`)))
  if (!('socket' in answer)) throw new Error('refused')
  const [chunk] = (await once(answer.socket, 'data')) as [Buffer]
  expect([answer.headers['x-protocol'], chunk.toString()]).toEqual(['v4', 'early'])
})

test('a refusal is an answer with a body', async () => {
  const body = 'x'.repeat(100_000)
  const url = await answering(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const answer = await httpUpgrade(request(url))
  if ('socket' in answer) throw new Error('upgraded')
  expect([answer.status, (await readText(answer)).length]).toEqual([403, 100_000])
})

test('aborting ends the request, and later the connection', async () => {
  const early = new AbortController()
  const waiting = httpUpgrade(request(await answering('')), early.signal)
  early.abort()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  await expect(httpUpgrade(request(await answering('')), AbortSignal.abort())).rejects.toThrow('aborted')
  const late = new AbortController()
  const answer = await httpUpgrade(request(await answering(accepted)), late.signal)
  if (!('socket' in answer)) throw new Error('refused')
  late.abort()
  await once(answer.socket, 'close')
})

test('a peer that does not answer is given up; one that is not there is an error', async () => {
  const silent = { ...request(await answering('')), headersTimeoutMs: 20 }
  await expect(httpUpgrade(silent)).rejects.toBeInstanceOf(TimeoutError)
  const url = await answering('')
  servers.pop()?.close()
  await expect(httpUpgrade(request(url))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})
