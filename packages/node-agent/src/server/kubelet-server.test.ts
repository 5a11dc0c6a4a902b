import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Pod } from '@dinghy/shared/api/types'
import { defined } from '@dinghy/testing/defined'
import type { FakeEngine } from '../testing/fake-engine.ts'
import { TestKubelet } from '../testing/kubelet.ts'
import { container, pod } from '../testing/objects.ts'
import { SpdyPeer } from '../testing/spdy-peer.ts'
import { until } from '../testing/until.ts'

let kubelet: TestKubelet
let engine: FakeEngine
let base: string

beforeEach(async () => {
  kubelet = await TestKubelet.start()
  ;({ engine, base } = kubelet)
})
afterEach(() => kubelet.stop())

function get(path: string) {
  return kubelet.get(path)
}

describe('logs', () => {
  test.each([
    ['/containerLogs/default/web/app?previous=true', 200, 'one\ntwo\n'],
    ['/containerLogs/default/web/app?previous=true&limitBytes=5', 200, 'one\nt'],
    ['/containerLogs/default/web/app', 200, ''],
  ])('%s', async (path, status, text) => {
    expect(await get(path)).toEqual({ status, text })
  })

  test('a follower is connected before the first word, and hears the rest as it comes', async () => {
    const response = await fetch(`http://${base}/containerLogs/default/web/app?follow=true`)
    expect(response.headers.get('content-type')).toBe('text/plain')
    const running = defined(engine.all('app').at(-1))
    engine.say(running, 'hello')
    const reader = defined(response.body).getReader()
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('hello')
    engine.end(running, 0)
    expect((await reader.read()).done).toBe(true)
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
    ['/%zz', 400, 'not a valid url'],
    ['/exec/default/web/%zz?command=ls&stdout=1', 400, 'not a valid url'],
    ['/exec/default/web/app?command=ls&stdout=1', 400, 'unable to upgrade: missing upgrade headers in request'],
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

function open(path: string, protocol: string, messages: Buffer[], channels = new Map<number, string>()) {
  return new Promise<Session>((resolve, reject) => {
    const socket = new WebSocket(`ws://${base}${path}`, protocol)
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
    expect(JSON.parse(channels.get(3) ?? '')).toMatchObject({
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
    expect(JSON.parse(channels.get(3) ?? '')).toEqual({ metadata: {}, status: 'Success' })
  })

  const refused: [string, number, string][] = [
    ['/exec/default/web/idle?command=ls&stdout=true', 400, 'container not found ("idle")'],
    ['/exec/default/nobody/app?command=ls&stdout=true', 404, 'pods "nobody" not found'],
    [exec, 400, 'you must specify a command for the container'],
    ['/exec/default/web/app?command=ls&stdout=False', 400, 'you must specify at least 1 of stdin, stdout, stderr'],
  ]
  test.each(refused)('%s is refused on the error channel of a WebSocket', async (path, _code, message) => {
    const { channels, closeCode } = await open(path, 'v5.channel.k8s.io', [])
    expect(JSON.parse(channels.get(3) ?? '')).toMatchObject({
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

test('Python says True', async () => {
  const query = 'stdin=False&stdout=True&stderr=True&tty=False&command=exit&command=0&command=bye'
  expect((await open(`/exec/default/web/app?${query}`, 'v4.channel.k8s.io', [])).channels.get(1)).toBe('bye')
})

describe('older protocols of exec', () => {
  const exec = '/exec/default/web/app?stdout=true&stdin=true'
  /** Each message as it came, with the type of its frame. */
  function messages(path: string, protocols: string[], ...input: (string | Buffer)[]): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${base}${path}`, protocols)
      const received: string[] = []
      socket.on('open', () => input.forEach((message) => socket.send(message)))
      socket.on('message', (data: Buffer, isBinary) =>
        received.push(`${isBinary ? 'b' : 't'}:${data.toString('latin1')}`),
      )
      socket.on('close', () => resolve(received))
      socket.on('error', reject)
    })
  }

  test.each<[string, string[], string[], string[]]>([
    ['none named', [], ['b:\x01'], ['b:\x01bye']],
    ['channel.k8s.io', ['channel.k8s.io'], ['b:\x01'], ['b:\x01bye']],
    ['base64.channel.k8s.io', ['base64.channel.k8s.io'], ['t:1'], ['t:1Ynll']],
  ])('%s: a success is silence, a failure its message', async (_name, protocols, greeting, output) => {
    const success = await messages(`${exec}&command=exit&command=0&command=bye`, protocols)
    expect(success).toEqual([...greeting, ...output])
    const failure = (await messages(`${exec}&command=exit&command=3`, protocols)).at(-1) ?? ''
    const text = failure.startsWith('t') ? Buffer.from(failure.slice(3), 'base64').toString() : failure.slice(3)
    expect(text).toBe('command terminated with non-zero exit code: exit status 3')
  })

  test('v4.base64.channel.k8s.io ends with a Status', async () => {
    const all = await messages(`${exec}&command=exit&command=0&command=bye`, ['v4.base64.channel.k8s.io'])
    expect(all.slice(0, 2)).toEqual(['t:1', 't:1Ynll'])
    const status = JSON.parse(Buffer.from(all[2]?.slice(3) ?? '', 'base64').toString()) as unknown
    expect(status).toEqual({ metadata: {}, status: 'Success' })
  })

  test('the best one that both speak is taken', async () => {
    const offered = ['base64.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io']
    const status = (await messages(`${exec}&command=exit&command=0`, offered)).at(-1)
    expect(status).toBe('b:\x03{"metadata":{},"status":"Success"}')
  })

  test('a log is one stream without channels', async () => {
    const path = '/containerLogs/default/web/app?previous=true'
    expect(await messages(path, ['binary.k8s.io'])).toEqual(['b:', 'b:one\ntwo\n'])
    expect(await messages(path, [])).toEqual(['b:', 'b:one\ntwo\n'])
    expect(await messages(path, ['base64.binary.k8s.io'])).toEqual(['t:', 't:b25lCnR3bwo='])
  })

  test('a client that offers others alone is refused', async () => {
    await expect(messages(`${exec}&command=exit`, ['v9.channel.k8s.io'])).rejects.toThrow('403')
  })

  test('a client that leaves before the log is read ends nothing but itself', async () => {
    const path = '/containerLogs/default/web/app?follow=true'
    await expect(messages(path, ['v4.channel.k8s.io'])).rejects.toThrow('403')
    await until(() => engine.requests.some((request) => request.endsWith('/logs')))
    expect((await get('/healthz')).status).toBe(200)
  })

  test('a log that there is not is refused before the handshake', async () => {
    await expect(messages('/containerLogs/default/nobody/app', [])).rejects.toThrow('404')
  })
})

describe('attach', () => {
  const path = '/attach/default/web/app?stdin=true&stdout=true'

  test.each([true, false])('the one session of a stdinOnce container gets every byte once (tty: %s)', async (Tty) => {
    await kubelet.run(['serve'], 2, { Tty })
    kubelet.pods.set(pod({ containers: [container({ stdin: true, stdinOnce: true, tty: Tty })] }))
    const running = defined(engine.all('app').at(-1))
    engine.say(running, 'said before, ')
    const channels = new Map<number, string>()
    const session = open(`${path}&tty=${Tty}`, 'v5.channel.k8s.io', [], channels)
    await until(() => channels.get(1) === 'said before, ')
    engine.say(running, 'said now')
    engine.end(running, 0)
    await session
    expect(channels.get(1)).toBe('said before, said now')
    expect(JSON.parse(channels.get(3) ?? '')).toEqual({ metadata: {}, status: 'Success' })
  })

  test('whoever comes later hears what is said from then on', async () => {
    await kubelet.run(['serve'], 2)
    kubelet.pods.set(pod({ containers: [container({ stdin: true, stdinOnce: true })] }))
    const running = defined(engine.all('app').at(-1))
    engine.say(running, 'old')
    const [first, second] = [new Map<number, string>(), new Map<number, string>()]
    const sessions = [open(path, 'v5.channel.k8s.io', [], first)]
    await until(() => first.get(1) === 'old')
    sessions.push(open(path, 'v5.channel.k8s.io', [], second))
    // The empty message that says that the connection stands.
    await until(() => second.get(1) === '')
    engine.say(running, 'new')
    engine.end(running, 0)
    await Promise.all(sessions)
    expect([first.get(1), second.get(1)]).toEqual(['oldnew', 'new'])
  })
})

describe('node logs', () => {
  beforeEach(async () => {
    await mkdir(join(kubelet.directory, 'logs/old'), { recursive: true })
    await writeFile(join(kubelet.directory, 'logs/proxy-node-1.log'), 'ready\n')
    await writeFile(join(kubelet.directory, 'secret'), 'x')
    await symlink(join(kubelet.directory, 'secret'), join(kubelet.directory, 'logs/link'))
  })

  test('a directory is a page of links, a file its text', async () => {
    const { status, text } = await get('/logs/')
    expect(status).toBe(200)
    expect(text).toContain('<a href="proxy-node-1.log">proxy-node-1.log</a>\n')
    expect(text).toContain('<a href="old/">old/</a>\n')
    expect(await get('/logs/proxy-node-1.log')).toEqual({ status: 200, text: 'ready\n' })
    expect((await get('/logs')).text).toContain('proxy-node-1.log')
    expect((await get('/logs/old')).text).toContain('<pre>\n</pre>')
  })

  test.each(['/logs/nothing', '/logs/..%2fsecret', '/logs/link', '/logs/proxy-node-1.log/x', '/logs/%00'])(
    '%s is not found',
    async (path) => expect((await get(path)).status).toBe(404),
  )
})

test('attaching to a container that ends meanwhile ends, too', async () => {
  await kubelet.run(['endsEarly'], 2)
  const { channels, closeCode } = await open('/attach/default/web/app?stdout=true', 'v5.channel.k8s.io', [])
  expect(JSON.parse(channels.get(3) ?? '')).toMatchObject({
    status: 'Failure',
    message: expect.stringMatching(
      /^Internal error occurred: error attaching to container: .* is not running$/,
    ) as string,
  })
  expect(closeCode).toBe(1000)
})

async function startEcho(): Promise<{ port: number; close: () => void }> {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket))
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', () => resolve()))
  return { port: (echo.address() as AddressInfo).port, close: () => echo.close() }
}

async function unusedPort(): Promise<number> {
  const { port, close } = await startEcho()
  close()
  return port
}

test('port forwarding over WebSocket channels carries bytes both ways', async () => {
  const echo = await startEcho()
  const { port } = echo
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

test('over base64 channels, too, and says on the error channel what cannot be reached', async () => {
  const port = await unusedPort()
  const socket = new WebSocket(`ws://${base}/portForward/default/web?ports=${port}`, 'v4.base64.channel.k8s.io')
  const received: string[] = []
  socket.on('message', (data: Buffer) => received.push(data.toString()))
  await new Promise((resolve) => socket.on('close', resolve))
  const [data, error, failure = ''] = received.map(
    (text) => `${text[0]}${Buffer.from(text.slice(1), 'base64').toString('latin1')}`,
  )
  const opening = Buffer.alloc(2)
  opening.writeUInt16LE(port)
  expect([data, error]).toEqual([`0${opening.toString('latin1')}`, `1${opening.toString('latin1')}`])
  expect(failure).toMatch(new RegExp(`^1an error occurred forwarding ${port}: .*ECONNREFUSED`))
})

test('WebSocket channels without a port are closed with the reason', async () => {
  const socket = new WebSocket(`ws://${base}/portForward/default/web`, 'v4.channel.k8s.io')
  const [code, reason] = await new Promise<[number, Buffer]>((resolve) => {
    socket.on('close', (...closing) => resolve(closing))
  })
  expect([code, reason.toString()]).toEqual([1008, 'query parameter "ports" is required'])
})

/** A raw SPDY connection, and one that is tunnelled through a WebSocket as kubectl does it since 1.30. */
function spdyPeers(path: string): Promise<SpdyPeer[]> {
  const url = `http://${base}${path}`
  return Promise.all([SpdyPeer.open(url, 'portforward.k8s.io'), SpdyPeer.openTunnel(url)])
}

test('port forwarding over SPDY joins a pair of streams for each connection', async () => {
  const echo = await startEcho()
  for (const peer of await spdyPeers('/portForward/default/web')) {
    const open = async (requestid: string, port: number) => {
      const error = await peer.openStream({ streamtype: 'error', port: String(port), requestid })
      return { error, data: await peer.openStream({ streamtype: 'data', port: String(port), requestid }) }
    }
    const [first, second] = [await open('0', echo.port), await open('1', echo.port)]
    peer.write(first.data, 'one', true)
    peer.write(second.data, 'two', true)
    await until(() => peer.isEnded(first.data) && peer.isEnded(second.data))
    expect([peer.textOf(first.data), peer.textOf(second.data)]).toEqual(['one', 'two'])
    const failed = await open('2', await unusedPort())
    await until(() => peer.isEnded(failed.error) && peer.isEnded(failed.data))
    expect(peer.textOf(failed.error)).toMatch(/^an error occurred forwarding \d+: .*ECONNREFUSED/)
    peer.socket.destroy()
  }
  echo.close()
})

describe('exec over SPDY', () => {
  const v4 = 'v4.channel.k8s.io'
  const exec = '/exec/default/web/app?stdin=true&stdout=true&stderr=true'
  function open(path: string): Promise<SpdyPeer> {
    return SpdyPeer.open(`http://${base}${path}`, v4)
  }

  test('begins when all streams are there, and ends with the Status', async () => {
    const peer = await open(`${exec}&command=cat`)
    const error = await peer.openStream({ streamtype: 'error' })
    const stdin = await peer.openStream({ streamtype: 'stdin' })
    peer.write(stdin, 'hello ')
    const stdout = await peer.openStream({ streamtype: 'stdout' })
    expect(engine.executed).toEqual([])
    const stderr = await peer.openStream({ streamtype: 'stderr' })
    peer.write(stdin, 'world', true)
    await until(() => [error, stdout, stderr].every((id) => peer.isEnded(id)))
    expect(peer.textOf(stdout)).toBe('hello world')
    expect(JSON.parse(peer.textOf(error))).toEqual({ metadata: {}, status: 'Success' })
    peer.socket.destroy()
  })

  test('passes the size of the terminal on', async () => {
    const peer = await open('/attach/default/web/app?stdout=true&tty=true')
    await peer.openStream({ streamtype: 'error' })
    await peer.openStream({ streamtype: 'stdout' })
    const resize = await peer.openStream({ streamtype: 'resize' })
    peer.write(resize, '{"Width":80,"Height":24}\n{"Width":90,"Height":30}\n')
    await until(() => engine.sizesOfTerminals.length === 2)
    expect(engine.sizesOfTerminals).toEqual(['80x24', '90x30'])
    peer.socket.destroy()
    await until(() => peer.isClosed)
  })

  test('a client that leaves early leaves nothing behind', async () => {
    const peer = await open(`${exec}&command=cat`)
    peer.socket.destroy()
    await until(() => peer.isClosed)
    expect(engine.executed).toEqual([])
    expect((await get('/healthz')).status).toBe(200)
  })

  test.each([
    ['SPDY/3.1', 'v3.channel.k8s.io', 'unable to negotiate protocol: client supports v3.channel.k8s.io'],
    ['SPDY/2', v4, 'unable to upgrade: SPDY/2 is not spoken here'],
  ])('%s with %s is refused', async (upgrade, protocol, message) => {
    const headers = { Connection: 'Upgrade', Upgrade: upgrade, 'X-Stream-Protocol-Version': protocol }
    const response = await new Promise<IncomingMessage>((resolve) => {
      httpGet(`http://${base}${exec}&command=cat`, { headers }, resolve)
    })
    let text = ''
    for await (const chunk of response) text += String(chunk)
    expect(response.statusCode).toBe(400)
    expect(text).toContain(message)
  })
})

test('a handshake that is none ends the connection', async () => {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const path = '/exec/default/web/app?stdout=true&command=x'
    httpGet(`http://${base}${path}`, { headers }, (answer) => resolve(answer.resume())).on('error', reject)
  })
  expect(response.statusCode).toBe(400)
})

test('tells what pods use', async () => {
  const running = engine.all('app').at(-1)
  if (running) engine.usage.set(running.id, { cpuNanos: 2_000_000_000, memoryBytes: 5_000, inactiveBytes: 1_000 })
  const { node, pods } = JSON.parse((await get('/stats/summary')).text) as StatsBody
  expect(node).toMatchObject({ nodeName: 'node-1', memory: { usageBytes: 5_000, workingSetBytes: 4_000 } })
  expect(pods).toHaveLength(1)
  expect(pods[0]?.podRef).toMatchObject({ name: 'web', namespace: 'default' })
  const [app] = pods[0]?.containers ?? []
  expect(app).toMatchObject({ name: 'app', cpu: { usageCoreNanoSeconds: 2_000_000_000 } })
  expect(app?.cpu.usageNanoCores).toBeGreaterThan(0)
})

interface StatsBody {
  node: object
  pods: { podRef: object; containers: { name: string; cpu: { usageNanoCores: number } }[] }[]
}

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
