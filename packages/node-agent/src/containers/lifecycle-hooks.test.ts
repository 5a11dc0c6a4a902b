import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { LifecycleHandler } from '@dinghy/shared/api/types'
import { DockerClient } from '../docker/docker-client.ts'
import { FakeEngine } from '../testing/fake-engine.ts'
import { container, pod, podUid } from '../testing/objects.ts'
import { runHook } from './lifecycle-hooks.ts'

let directory: string
let engine: FakeEngine
let docker: DockerClient
let containerId: string
let server: Server
let port: number
let paths: string[]
const clock = new FakeClock()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lifecycle-hooks-'))
  engine = new FakeEngine()
  await engine.listen(join(directory, 'docker.sock'))
  docker = new DockerClient(join(directory, 'docker.sock'))
  const body = { Image: 'busybox:1', Cmd: ['serve'], Labels: {}, HostConfig: { NetworkMode: 'none' } }
  containerId = (await docker.createContainer('app', body)).id
  await docker.startContainer(containerId)
  paths = []
  server = createServer((request, response) => {
    paths.push(request.url ?? '')
    response.writeHead(500).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ;({ port } = server.address() as AddressInfo)
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await engine.close()
  await rm(directory, { recursive: true })
})

function run(handler: LifecycleHandler): Promise<void> {
  const target = { pod: pod(), container: container(), containerId, podIP: '127.0.0.1' }
  return runHook(docker, clock, handler, target, new AbortController().signal)
}
const where = `for Container "app" in Pod "web_default(${podUid})" failed`

test('a command that succeeds is fine; one that fails is told with its output', async () => {
  await run({ exec: { command: ['exit', '0'] } })
  const reason = 'command \'exit 3 oh no\' exited with 3: oh no, message: "oh no"'
  await expect(run({ exec: { command: ['exit', '3', 'oh', 'no'] } })).rejects.toThrow(
    `Exec lifecycle hook ([exit 3 oh no]) ${where} - error: ${reason}`,
  )
})

test('any answer to a GET will do, only silence will not', async () => {
  await run({ httpGet: { path: '/bye', port } })
  expect(paths).toEqual(['/bye'])
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port: silent } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  await expect(run({ httpGet: { path: '/bye', port: silent } })).rejects.toThrow(
    `HTTP lifecycle hook (/bye) ${where} - error: Get "http://127.0.0.1:${silent}/bye": dial tcp`,
  )
})

test('a sleep takes its time', async () => {
  let isOver = false
  const hook = run({ sleep: { seconds: 5 } }).then(() => (isOver = true))
  await clock.advance(4_999)
  expect(isOver).toBe(false)
  await clock.advance(1)
  await hook
})

test('anything else is no handler', async () => {
  await expect(run({ tcpSocket: { port } })).rejects.toThrow('invalid handler: tcpSocket')
})
