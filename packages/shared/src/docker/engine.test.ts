import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { DockerEngine } from './engine.ts'

let root: string
let server: Server
let clock: FakeClock
let asked: IncomingMessage[]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'engine-'))
  clock = new FakeClock()
  asked = []
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  rmSync(root, { recursive: true, force: true })
})

async function engine(answer: (...args: Parameters<RequestListener>) => unknown): Promise<DockerEngine> {
  server = createServer((request, response) => {
    asked.push(request)
    answer(request, response)
  })
  server.listen(join(root, 'socket'))
  await once(server, 'listening')
  return new DockerEngine(join(root, 'socket'), { apiVersion: '1.44', clock, timeoutMs: 1000 })
}

test('queries and bodies are JSON, and the version is in the path', async () => {
  const docker = await engine((request, response) => {
    void text(request).then((got) => response.end(JSON.stringify({ got })))
  })
  const query = { all: 1, none: undefined, filters: { label: ['a'] } }
  expect(await docker.json('POST', '/x', { query, body: { A: 1 } })).toEqual({ got: '{"A":1}' })
  expect(decodeURIComponent(asked[0]?.url ?? '')).toBe('/v1.44/x?all=1&filters={"label":["a"]}')
  expect(asked[0]?.headers['content-type']).toBe('application/json')
})

test('a refusal carries the words and the status of the engine', async () => {
  const docker = await engine((_request, response) => response.writeHead(409).end('{"message":"no"}'))
  await expect(docker.json('GET', '/x')).rejects.toMatchObject({ name: 'DockerError', status: 409, message: 'no' })
  await expect(docker.hijack('/x')).rejects.toMatchObject({ status: 409, message: 'no' })
  await expect(docker.exists('/x')).rejects.toMatchObject({ status: 409 })
})

test('what is not found does not exist', async () => {
  const docker = await engine((request, response) => response.writeHead(request.url === '/v1.44/a' ? 200 : 404).end())
  expect([await docker.exists('/a'), await docker.exists('/b')]).toEqual([true, false])
})

test('an engine that is not there has status 0', async () => {
  const docker = await engine((_request, response) => response.end())
  const gone = new DockerEngine(join(root, 'other'))
  await expect(gone.json('GET', '/x')).rejects.toMatchObject({ status: 0 })
  expect(await docker.json('GET', '/x')).toBeUndefined()
})

test('so has one that does not answer in time', async () => {
  let answering: (() => void) | undefined
  const arrived = new Promise<void>((resolve) => (answering = resolve))
  const docker = await engine(() => answering?.())
  const call = docker.json('GET', '/x', { lastsMs: 500 })
  // It fails before it is awaited below.
  call.catch(() => undefined)
  await arrived
  await clock.advance(1500)
  await expect(call).rejects.toMatchObject({
    status: 0,
    message: 'the container runtime did not answer within 1.5s',
  })
})

test('a stream has to begin in time, and may then take as long as it likes', async () => {
  const docker = await engine((_request, response) => {
    response.writeHead(200).write('{"status":"one"}\n')
  })
  const { body } = await docker.request('GET', '/x')
  await clock.advance(10_000)
  expect(String((await once(body, 'data'))[0])).toBe('{"status":"one"}\n')
  body.destroy()
})

test('an abort ends a call with its reason', async () => {
  const stop = new AbortController()
  const docker = await engine(() => stop.abort(new Error('stopped')))
  await expect(docker.json('GET', '/x', {}, stop.signal)).rejects.toThrow('stopped')
})

test('progress that carries an error throws it', async () => {
  const docker = await engine((_request, response) =>
    response.end('{"status":"one"}\n{"errorDetail":{"message":"broken"},"error":"broken"}\n'),
  )
  const seen: unknown[] = []
  const all = async () => {
    for await (const { status } of docker.progress('/build', { body: Readable.from(['tar']) })) seen.push(status)
  }
  await expect(all()).rejects.toMatchObject({ status: 500, message: 'broken' })
  expect(seen).toEqual(['one'])
  expect(asked[0]?.headers['content-type']).toBe('application/x-tar')
})

test('a hijacked connection keeps what came with the answer, and ends one way at a time', async () => {
  const docker = await engine((_request, response) => response.end())
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst ')
    socket.on('end', () => socket.end('last'))
    socket.resume()
  })
  const stream = await docker.hijack('/exec/1/start', { body: { Detach: false } })
  stream.socket.end()
  let seen = ''
  for await (const chunk of stream) seen += chunk.toString()
  expect(seen).toBe('first last')
})
