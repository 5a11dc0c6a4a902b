import { mkdtemp, rm } from 'node:fs/promises'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { systemClock } from '@dinghy/shared/api/clock'
import type { Pod } from '@dinghy/shared/api/types'
import { Lister } from '@dinghy/shared/client/lister'
import { createLogger } from '@dinghy/shared/process/logger'
import { containerLabels, containerNameFor } from '../observed/labels.ts'
import { DockerClient } from '../docker/docker-client.ts'
import { PodObserver } from '../pods/pod-observer.ts'
import { FakeEngine } from '../testing/fake-engine.ts'
import { container, containerStatus, pod } from '../testing/objects.ts'
import { ContainerLookup } from './container-lookup.ts'
import { KubeletServer } from './kubelet-server.ts'
import { StatsSummary } from './stats-summary.ts'

let directory: string
let engine: FakeEngine
let server: KubeletServer
let base: string
const pods = new Lister<Pod>()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubelet-server-'))
  engine = new FakeEngine()
  await engine.listen(join(directory, 'docker.sock'))
  const docker = new DockerClient(join(directory, 'docker.sock'))
  const observer = new PodObserver(docker, () => directory)
  server = new KubeletServer({
    docker,
    lookup: new ContainerLookup(pods, observer),
    stats: new StatsSummary({ docker, observer, clock: systemClock, node: 'node-1' }),
    clock: systemClock,
    log: createLogger({ name: 'test', clock: systemClock, write: () => undefined }),
  })
  base = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
  const waiting = { reason: 'ImagePullBackOff', message: '' }
  const idle = container({ name: 'idle' })
  const containerStatuses = [containerStatus({ name: 'idle', state: { waiting } })]
  pods.set(pod({ containers: [container(), idle] }, { podIP: '127.0.0.1', containerStatuses }))
  await start(docker, ['exit', '0', 'one\ntwo\n'], 0)
  await start(docker, ['serve'], 1)
})

afterEach(async () => {
  server.close()
  await engine.close()
  await rm(directory, { recursive: true })
})

async function start(docker: DockerClient, command: string[], restartCount: number): Promise<void> {
  const facts = { node: 'node-1', sandboxId: 's', restartCount, crashLoopDelayMs: 0 }
  const { id } = await docker.createContainer(containerNameFor(pod(), 'app', restartCount), {
    Image: 'busybox:1',
    Cmd: command,
    Labels: containerLabels(pod(), container(), facts),
    HostConfig: { NetworkMode: 'container:s' },
  })
  await docker.startContainer(id)
}

async function get(path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${base}${path}`)
  return { status: response.status, text: await response.text() }
}

describe('logs', () => {
  test.each([
    ['/containerLogs/default/web/app?previous=true', 200, 'one\ntwo\n'],
    ['/containerLogs/default/web/app?previous=true&limitBytes=5', 200, 'one\nt'],
    ['/containerLogs/default/web/app', 200, ''],
  ])('%s', async (path, status, text) => {
    expect(await get(path)).toEqual({ status, text })
  })

  test.each([
    ['/containerLogs/default/nobody/app', 404, 'pods "nobody" not found'],
    ['/containerLogs/default/web/nope', 400, 'container nope is not valid for pod web'],
    ['/containerLogs/default/web/app?tailLines=x', 400, 'tailLines: Invalid value'],
    [
      '/containerLogs/default/web/idle',
      400,
      'container "idle" in pod "web" is waiting to start: trying and failing to pull image',
    ],
    [
      '/containerLogs/default/web/idle?previous=true',
      400,
      'previous terminated container "idle" in pod "web" not found',
    ],
    ['/nothing', 404, 'not found'],
  ])('%s is refused in plain text', async (path, code, message) => {
    const { status, text } = await get(path)
    expect(status).toBe(code)
    expect(text).toContain(message)
    expect(text).not.toContain('{')
  })
})

interface Session {
  /** What came on each channel. */
  channels: Map<number, string>
  closeCode: number
}

function open(path: string, protocol: string, messages: Buffer[]): Promise<Session> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${base}${path}`, protocol)
    const channels = new Map<number, string>()
    socket.on('open', () => messages.forEach((message) => socket.send(message)))
    socket.on('message', (data: Buffer) => {
      const number = data[0] ?? -1
      channels.set(number, (channels.get(number) ?? '') + data.subarray(1).toString('latin1'))
    })
    socket.on('close', (closeCode) => resolve({ channels, closeCode }))
    socket.on('error', reject)
  })
}

describe('exec', () => {
  const exec = '/exec/default/web/app?stdout=true&stderr=true'
  test.each(['v5.channel.k8s.io', 'v4.channel.k8s.io'])('%s: output, exit code, close', async (protocol) => {
    const { channels, closeCode } = await open(`${exec}&command=exit&command=3&command=bye`, protocol, [])
    expect(channels.get(1)).toBe('bye')
    expect(JSON.parse(channels.get(3)!)).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    })
    expect(closeCode).toBe(1000)
  })

  test('stdin, and its end', async () => {
    const messages = [Buffer.from('\0hello '), Buffer.from('\0world'), Buffer.from([255, 0])]
    const { channels } = await open(`${exec}&stdin=true&command=cat`, 'v5.channel.k8s.io', messages)
    expect(channels.get(1)).toBe('hello world')
    expect(JSON.parse(channels.get(3)!)).toEqual({ metadata: {}, status: 'Success' })
  })

  const refused: [string, number, string][] = [
    ['/exec/default/web/idle?command=ls', 400, 'container not found ("idle")'],
    ['/exec/default/nobody/app?command=ls', 404, 'pods "nobody" not found'],
    [exec, 400, 'you must specify a command for the container'],
  ]
  test.each(refused)('%s is refused on the error channel of a WebSocket', async (path, _code, message) => {
    const { channels, closeCode } = await open(path, 'v5.channel.k8s.io', [])
    expect(JSON.parse(channels.get(3)!)).toMatchObject({
      status: 'Failure',
      message: `Internal error occurred: unable to upgrade connection: ${message}`,
    })
    expect(closeCode).toBe(1000)
  })

  test.each(refused)('%s is refused before an upgrade to SPDY', async (path, code, message) => {
    const headers = { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' }
    const response = await new Promise<IncomingMessage>((resolve) => {
      httpGet(`http://${base}${path}`, { headers }, resolve)
    })
    let text = ''
    for await (const chunk of response) text += String(chunk)
    expect({ code: response.statusCode, text }).toEqual({ code, text: message })
  })
})

test('attaching to a container that ends meanwhile ends, too', async () => {
  await start(new DockerClient(join(directory, 'docker.sock')), ['endsEarly'], 2)
  const { channels, closeCode } = await open('/attach/default/web/app?stdout=true', 'v5.channel.k8s.io', [])
  expect(JSON.parse(channels.get(3)!)).toMatchObject({
    status: 'Failure',
    message: expect.stringMatching(
      /^Internal error occurred: error attaching to container: .* is not running$/,
    ) as string,
  })
  expect(closeCode).toBe(1000)
})

test('port forwarding carries bytes both ways', async () => {
  const echo = createServer((socket) => socket.pipe(socket))
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', () => resolve()))
  const { port } = echo.address() as AddressInfo
  const socket = new WebSocket(`ws://${base}/portForward/default/web?ports=${port}`, 'v4.channel.k8s.io')
  const received: Buffer[] = []
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => socket.send(Buffer.from('\0ping')))
    socket.on('message', (data: Buffer) => {
      received.push(data)
      if (received.length === 3) resolve()
    })
  })
  const opening = Buffer.alloc(2)
  opening.writeUInt16LE(port)
  expect(received[0]).toEqual(Buffer.concat([Buffer.from([0]), opening]))
  expect(received[1]).toEqual(Buffer.concat([Buffer.from([1]), opening]))
  expect(received[2]).toEqual(Buffer.from('\0ping'))
  socket.terminate()
  echo.close()
})

test('says that it lives, and which pods it has', async () => {
  expect(await get('/healthz')).toEqual({ status: 200, text: 'ok' })
  expect((JSON.parse((await get('/pods')).text) as { items: Pod[] }).items[0]?.metadata.name).toBe('web')
})

test('a web page may ask nothing, by HTTP or by WebSocket', async () => {
  const { statusCode } = await new Promise<IncomingMessage>((resolve) => {
    httpGet(`http://${base}/pods`, { headers: { Host: 'rebound.example' } }, (response) => resolve(response.resume()))
  })
  expect(statusCode).toBe(403)
  const socket = new WebSocket(`ws://${base}/exec/default/web/app?command=x`, 'v5.channel.k8s.io', {
    origin: 'https://evil.example',
  })
  const refused = await new Promise<number | undefined>((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.resume().statusCode))
    socket.on('open', () => resolve(101))
  })
  expect(refused).toBe(403)
})
