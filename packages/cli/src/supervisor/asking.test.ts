/** Asking components how they are, over real sockets. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { ListenAddress } from '@dinghy/shared/http/listen-address'
import { HttpServer } from '@dinghy/shared/http/server'
import { writeRunFile } from '@dinghy/shared/process/run-file'
import { temporaryState } from '../testing/temporary-state.ts'
import { complaintOf } from './complaint.ts'
import { askGates, pausedQueues } from './gates.ts'
import { askHealth, hasBecomeReady, readRunFile } from './health.ts'
import { NoAnswer, send } from './http.ts'
import { watchRunFiles } from './run-files.ts'

async function listening(
  routes: (server: HttpServer) => void,
  address: ListenAddress = { host: '127.0.0.1', port: 0 },
): Promise<string> {
  const server = new HttpServer()
  routes(server)
  const { url } = await server.listen(address)
  onTestFinished(() => server.close(0))
  return url
}

/** Accepts connections and never answers. */
async function silent(): Promise<string> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

test('a request has an answer, nobody to answer, or no answer in time', async () => {
  const url = await listening(({ app }) => void app.post('/x', () => 'yes'))
  expect(await send({ method: 'POST', url: `${url}/x`, body: {}, timeoutMs: 5_000 })).toEqual({
    status: 200,
    text: 'yes',
  })
  const nobody = { method: 'GET', url: '/', socketPath: '/nowhere/x.sock', timeoutMs: 5_000 } as const
  expect(await send(nobody)).toEqual({ status: 0, text: '' })
  await expect(send({ method: 'GET', url: await silent(), timeoutMs: 30 })).rejects.toThrow(NoAnswer)
  await expect(send({ method: 'GET', url: 'http://[bad', timeoutMs: 30 })).rejects.toThrow('Invalid URL')
})

test('the health of a component by its run file', async () => {
  const file = temporaryState().runFile('scheduler')
  const publish = (debug: string) => writeFileSync(file, JSON.stringify({ pid: 7, debug }))
  expect(await askHealth(file, 7, 1_000)).toBe('starting')
  publish(await listening(({ app }) => void app.get('/readyz', () => 'ok')))
  expect(await askHealth(file, 7, 1_000)).toBe('ready')
  // The file of the process before this one.
  expect(await askHealth(file, 8, 1_000)).toBe('starting')
  publish(await listening(({ app }) => void app.get('/readyz', (_request, reply) => reply.code(500).send('no'))))
  expect(await askHealth(file, 7, 1_000)).toBe('not ready')
  publish(await silent())
  expect(await askHealth(file, 7, 30)).toBe('silent')
  publish(await listening(({ app }) => void app.get('/readyz', () => 'ok'), { socketPath: `${file}.sock` }))
  expect(await askHealth(file, 7, 1_000)).toBe('ready')
  writeFileSync(file, '{')
  expect(() => readRunFile(file)).toThrow(SyntaxError)
})

test('who asks again and again keeps the connection', async () => {
  const ports: (number | undefined)[] = []
  const url = await listening(({ app }) => {
    app.get('/x', ({ raw }) => String(ports.push(raw.socket.remotePort)))
  })
  for (const keepAlive of [true, true, false])
    await send({ method: 'GET', url: `${url}/x`, timeoutMs: 5_000, keepAlive })
  expect(ports[1]).toBe(ports[0])
  expect(ports[2]).not.toBe(ports[0])
})

test('a component has become ready when its run file says so, and whoever watches hears of it', async () => {
  const state = temporaryState()
  const file = state.runFile('scheduler')
  const heard: string[] = []
  const watching = watchRunFiles(dirname(file), (name) => heard.push(name))
  onTestFinished(() => watching.close())
  expect(hasBecomeReady(file, 7)).toBe(false)
  writeRunFile(file, { name: 'scheduler', pid: 7, debug: '' })
  expect(hasBecomeReady(file, 7)).toBe(false)
  await vi.waitFor(() => expect(heard).toContain('scheduler'))
  writeRunFile(file, { name: 'scheduler', pid: 7, debug: '', readyAt: 1 })
  expect([hasBecomeReady(file, 7), hasBecomeReady(file, 8)]).toEqual([true, false])
  expect(() => watchRunFiles('/nowhere', () => undefined)).toThrow('ENOENT')
})

test('a component that is not ready says why: in its last words, or by its checks', async () => {
  const state = temporaryState()
  const scheduler = {
    name: 'scheduler',
    pid: 7,
    ready: false,
    restarts: 1,
    stopped: false,
    silent: false,
    settled: false,
  }
  expect(await complaintOf(scheduler, state)).toBeUndefined()
  const checks =
    '[+]ping ok\n[-]bootstrap failed: not yet\n[-]storage failed: database or disk is full\nreadyz check failed\n'
  const debug = await listening(({ app }) => void app.get('/readyz', (_request, reply) => reply.code(500).send(checks)))
  writeFileSync(state.runFile('scheduler'), JSON.stringify({ pid: 7, debug }))
  expect(await complaintOf(scheduler, state)).toBe('database or disk is full')
  expect(await complaintOf({ ...scheduler, pid: undefined }, state)).toBeUndefined()
  expect(await complaintOf({ ...scheduler, ready: true }, state)).toBeUndefined()
  writeFileSync(state.runFile('scheduler'), JSON.stringify({ pid: 7, debug: await silent() }))
  expect(await complaintOf(scheduler, state)).toBeUndefined()
  writeFileSync(state.log('scheduler'), '{"level":60,"msg":"the database is damaged"}\n')
  expect(await complaintOf(scheduler, state)).toBe('the database is damaged')
})

test('moves the gates of one loop or of all, and says what a component refuses', async () => {
  const asked: string[] = []
  const url = await listening(({ app }) => {
    app.post('/debug/pause', ({ originalUrl }) => {
      asked.push(originalUrl)
      return { queues: { a: { paused: true } } }
    })
    app.get('/debug/queue', (_request, reply) => reply.code(404).send('no queue "x"'))
  })
  expect(await askGates(url, 'pause')).toEqual({ a: { paused: true } })
  await askGates(url, 'pause', 'a b')
  expect(asked).toEqual(['/debug/pause', '/debug/pause?queue=a%20b'])
  await expect(askGates(url, 'queue', 'x')).rejects.toThrow('no queue "x"')
})

test('names the paused loops of those components that answer', async () => {
  const state = temporaryState()
  const queues = { a: { paused: true }, b: { paused: false } }
  const answers = await listening(({ app }) => void app.get('/debug/queue', () => ({ queues })))
  const refuses = await listening(() => undefined)
  const statuses = [
    { name: 'scheduler', pid: 1, debug: answers },
    { name: 'proxy', pid: 2, debug: refuses },
    { name: 'runtime', pid: 3, debug: await silent() },
  ].map(({ name, pid, debug }) => {
    writeFileSync(state.runFile(name), JSON.stringify({ pid, debug }))
    return { name, pid, ready: true, restarts: 0, stopped: false, silent: false, settled: true }
  })
  const gone = {
    name: 'controller',
    pid: undefined,
    ready: false,
    restarts: 0,
    stopped: true,
    silent: false,
    settled: false,
  }
  expect(Object.fromEntries(await pausedQueues([...statuses, gone], state))).toEqual({
    scheduler: ['a'],
    proxy: [],
    runtime: [],
    controller: [],
  })
})
