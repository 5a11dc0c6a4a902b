import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { container } from '../testing/objects.ts'
import { portOf } from './check.ts'
import { grpcCheck } from './grpc-check.ts'
import { httpCheck, urlOf } from './http-check.ts'
import { tcpCheck } from './tcp-check.ts'

const servers: { close(): unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return (server.address() as AddressInfo).port
}

/** A port on which nobody listens: one that was just given back. */
async function closedPort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function patient() {
  return AbortSignal.timeout(5_000)
}

describe('http', () => {
  async function site(): Promise<string> {
    const port = await listen(
      createServer((request, response) => {
        const status = Number(request.url?.slice(1)) || 200
        if (request.url === '/moved') response.writeHead(302, { Location: '/204' })
        else if (request.url === '/away') response.writeHead(302, { Location: 'http://example.invalid/' })
        else if (request.url === '/loop') response.writeHead(302, { Location: '/loop' })
        else response.writeHead(status)
        response.end(`agent ${request.headers['user-agent']} host ${request.headers.host}`)
      }),
    )
    return `http://127.0.0.1:${port}`
  }

  test.each([
    ['/', 'success', 'agent kube-probe/1.33'],
    ['/204', 'success', ''],
    ['/399', 'success', 'agent'],
    ['/moved', 'success', ''],
    ['/away', 'success', 'agent'],
    ['/404', 'failure', 'HTTP probe failed with statuscode: 404'],
    ['/500', 'failure', 'HTTP probe failed with statuscode: 500'],
    ['/loop', 'failure', 'stopped after 10 redirects'],
  ])('%s is a %s', async (path, outcome, output) => {
    const result = await httpCheck(new URL((await site()) + path), undefined, patient())
    expect(result.outcome).toBe(outcome)
    expect(result.output).toContain(output)
  })

  test('own headers replace the usual ones', async () => {
    const headers = [
      { name: 'user-agent', value: 'me' },
      { name: 'Host', value: 'shop.example' },
    ]
    const { output } = await httpCheck(new URL(await site()), headers, patient())
    expect(output).toBe('agent me host shop.example')
  })

  test('nobody listens', async () => {
    const url = `http://127.0.0.1:${await closedPort()}/`
    const { output } = await httpCheck(new URL(url), undefined, patient())
    expect(output).toBe(`Get "${url}": dial tcp ${new URL(url).host}: connect: connection refused`)
  })

  test('nobody answers', async () => {
    const port = await listen(createTcpServer())
    const { outcome, output } = await httpCheck(
      new URL(`http://127.0.0.1:${port}/`),
      undefined,
      AbortSignal.timeout(30),
    )
    expect(outcome).toBe('failure')
    expect(output).toContain('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')
  })

  test.each([
    [{ port: 80 }, 'http://10.1.2.3:8080/'],
    [{ port: 80, path: 'healthz?full=1' }, 'http://10.1.2.3:8080/healthz?full=1'],
    [{ port: 80, scheme: 'HTTPS', host: 'shop', path: '/x' }, 'https://shop:8080/x'],
  ])('the URL of %j', (get, expected) => {
    expect(urlOf(get, '10.1.2.3', 8080).href).toBe(expected)
  })
})

describe('tcp', () => {
  test('somebody listens', async () => {
    const port = await listen(createTcpServer())
    expect(await tcpCheck('127.0.0.1', port, patient())).toEqual({ outcome: 'success', output: '' })
  })

  test('nobody listens', async () => {
    const port = await closedPort()
    const output = `dial tcp 127.0.0.1:${port}: connect: connection refused`
    expect(await tcpCheck('127.0.0.1', port, patient())).toEqual({ outcome: 'failure', output })
  })
})

describe('grpc', () => {
  /** Answers with the status that the service is named after. */
  async function healthServer(): Promise<number> {
    const server = createHttp2Server()
    server.on('stream', (stream) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const service = Buffer.concat(chunks).subarray(7).toString()
        const grpcStatus = ['none', '%zz'].includes(service) ? '12' : '0'
        stream.on('wantTrailers', () =>
          stream.sendTrailers({
            'grpc-status': grpcStatus,
            'grpc-message': service === 'none' ? 'unknown%20service' : service,
          }),
        )
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.end(grpcStatus === '0' ? Buffer.from([0, 0, 0, 0, 2, 0x08, service === '' ? 1 : 2]) : undefined)
      })
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  test.each([
    ['', 'success', 'service healthy'],
    ['sick', 'failure', 'service unhealthy (responded with "NOT_SERVING")'],
    [
      'none',
      'failure',
      'this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service',
    ],
    ['%zz', 'failure', 'this server does not implement the grpc health protocol (grpc.health.v1.Health): %zz'],
  ])('service "%s": %s', async (service, outcome, output) => {
    const address = { host: '127.0.0.1', port: await healthServer() }
    expect(await grpcCheck(address, service, 1000, patient())).toEqual({ outcome, output })
  })

  test('a server that says nothing', async () => {
    const port = await listen(createTcpServer())
    const { output } = await grpcCheck({ host: '127.0.0.1', port }, '', 30, AbortSignal.timeout(30))
    expect(output).toBe(
      `timeout: failed to connect service "127.0.0.1:${port}" within 0.03s: context deadline exceeded`,
    )
  })
})

test.each([
  [80, 80],
  ['http', 8080],
  ['9090', 9090],
])('port %s is %i', (port, expected) => {
  expect(portOf(port, container({ ports: [{ name: 'http', containerPort: 8080 }] }))).toBe(expected)
})

test('a port name that no port has', () => {
  expect(() => portOf('metrics', container())).toThrow("couldn't find port: metrics")
})
