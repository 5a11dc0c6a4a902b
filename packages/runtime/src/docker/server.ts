/**
 * The Engine API on its sockets: HTTP in, routes out, and the one place where errors become `{"message"}`.
 *
 *   request ─► version prefix ─► route ─► handler ─► response
 *                                 │ none: 404 page not found, or 405
 *                                 └ throws: DockerError → its status, anything else → 500 and a log line
 *
 * An upgrade request (attach, exec) takes the same way; its handler calls request.hijack() when it is ready to answer.
 */
import { createServer, ServerResponse, STATUS_CODES, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Logger } from '@dinghy/shared/process/logger'
import { checkShape, type Shape } from './body-shape.ts'
import { badParameter, DockerError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { TlsFiles } from './listen-address.ts'
import { splitVersion, type DockerRequest, type Router } from './router.ts'

export const apiVersion = '1.50'
export const minApiVersion = '1.24'

/** Bodies that are read whole; streams (build contexts, archives) are not. */
const maxBodyBytes = 32 * 1024 * 1024

export interface ServerOptions {
  router: Router
  log: Logger
  version: string
  /** Serve TLS, and only to clients whose certificate is signed by `ca`. */
  tls?: TlsFiles
}

export function createDockerServer({ router, log, version, tls }: ServerOptions): Server {
  const timing = { keepAlive: true, keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 60_000 }
  // A client that has sent all its input still wants to read (`docker run -i`), which https does not expect by itself.
  const secrecy = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2', allowHalfOpen: true } as const
  const server = tls === undefined ? createServer(timing) : createTlsServer({ ...timing, ...secrecy, ...tls })
  const handle = (message: IncomingMessage, response: ServerResponse, socket?: Duplex, head?: Buffer) => {
    for (const [name, value] of Object.entries(standardHeaders(version))) response.setHeader(name, value)
    serve(router, message, response, socket, head).catch((error: unknown) => {
      if (!(error instanceof DockerError))
        log.error({ err: error, method: message.method, url: message.url }, 'request failed')
      sendError(response, error)
    })
  }
  server.on('request', (message: IncomingMessage, response: ServerResponse) => handle(message, response))
  server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy()) // the client went away
    const response = new ServerResponse(message)
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0])
    response.on('finish', () => socket.end())
    handle(message, response, socket, head)
  })
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
  })
  return server
}

function standardHeaders(version: string): Record<string, string> {
  return {
    'Api-Version': apiVersion,
    'Docker-Experimental': 'false',
    Ostype: process.platform === 'win32' ? 'windows' : 'linux',
    Server: `Dinghy/${version} (${process.platform})`,
  }
}

async function serve(
  router: Router,
  message: IncomingMessage,
  response: ServerResponse,
  socket: Duplex | undefined,
  head: Buffer | undefined,
): Promise<void> {
  // Browsers can be made to send requests to a unix socket's TCP stand-in; no docker client ever sends an Origin.
  if (message.headers.origin !== undefined) throw new DockerError(403, 'requests from web pages are not served')
  const { pathname, query } = splitUrl(message.url ?? '/')
  const { version, path } = splitVersion(pathname)
  checkVersion(version)
  const method = message.method ?? 'GET'
  const match = router.match(method, path) ?? (method === 'HEAD' ? router.match('GET', path) : undefined)
  if (match === undefined) {
    if (router.hasPath(path)) throw new DockerError(405, 'method not allowed')
    throw new DockerError(404, 'page not found')
  }
  const controller = new AbortController()
  response.on('close', () => controller.abort(new DOMException('the client went away', 'AbortError')))
  const body = () => readBody(message, socket, head)
  const request: DockerRequest = {
    method,
    path,
    version,
    query,
    params: match.params,
    headers: message.headers,
    stream: message,
    signal: controller.signal,
    body,
    json: async <T>(shape: Shape) => {
      const value = parseJson(await body())
      checkShape(value, shape)
      return value as T
    },
    hijack: (contentType) => hijack(message, response, socket, head, contentType, version),
  }
  try {
    await match.handler(request, response)
  } catch (error) {
    // Nobody is left to be told, and giving up was right.
    if (controller.signal.aborted && error === controller.signal.reason) return
    throw error
  }
}

function splitUrl(url: string): { pathname: string; query: URLSearchParams } {
  const mark = url.indexOf('?')
  return mark < 0
    ? { pathname: url, query: new URLSearchParams() }
    : { pathname: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) }
}

function checkVersion(version: [number, number] | undefined): void {
  if (version === undefined) return
  const asked = version.join('.')
  if (compareVersions(version, parse(minApiVersion)) < 0) {
    throw badParameter(
      `client version ${asked} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`,
    )
  }
  if (compareVersions(version, parse(apiVersion)) > 0) {
    throw badParameter(`client version ${asked} is too new. Maximum supported API version is ${apiVersion}`)
  }
}

function parse(text: string): [number, number] {
  return text.split('.').map(Number) as [number, number]
}

export function compareVersions(a: [number, number], b: [number, number]): number {
  return a[0] - b[0] || a[1] - b[1]
}

async function readBody(message: IncomingMessage, socket?: Duplex, head?: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  if (socket !== undefined) return readUpgradeBody(message, socket, head)
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes) throw new DockerError(413, 'request body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Node's parser lets go of an upgraded connection at the end of the headers: the body is ours to read. */
async function readUpgradeBody(message: IncomingMessage, socket: Duplex, head?: Buffer): Promise<Buffer> {
  const length = Number(message.headers['content-length'] ?? 0)
  if (length > maxBodyBytes) throw new DockerError(413, 'request body too large')
  if (head !== undefined && head.length > 0) socket.unshift(head)
  let bytes = Buffer.alloc(0)
  while (bytes.length < length) {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) {
      if (socket.readableEnded || socket.destroyed) throw badParameter('unexpected end of the request body')
      await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')])
      continue
    }
    bytes = Buffer.concat([bytes, chunk])
  }
  if (bytes.length > length) socket.unshift(bytes.subarray(length))
  return bytes.subarray(0, length)
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(body.toString()) ?? {}
  } catch (error) {
    throw badParameter(`invalid JSON: ${messageOf(error)}`)
  }
}

/**
 * Since API 1.42 the content type of the answer tells raw and framed streams apart; clients before that always get
 * raw-stream. Without an upgrade request the connection is taken over just the same, after a 200.
 */
function hijack(
  message: IncomingMessage,
  response: ServerResponse,
  socket: Duplex | undefined,
  head: Buffer | undefined,
  contentType: string,
  version: [number, number] | undefined,
): Duplex {
  const type = version !== undefined && compareVersions(version, [1, 42]) < 0 ? rawStream : contentType
  const connection = socket ?? message.socket
  response.detachSocket(connection as Parameters<ServerResponse['detachSocket']>[0])
  if (socket === undefined) {
    connection.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n\r\n`)
    return connection
  }
  const bodyLength = Number(message.headers['content-length'] ?? 0)
  // Without a body to read, what came with the headers is already the stream.
  if (bodyLength === 0 && head !== undefined && head.length > 0) socket.unshift(head)
  connection.write(`HTTP/1.1 101 ${upgraded}\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`)
  return connection
}

/** The reason phrase that dockerd sends. */
const upgraded = 'UPGRADED'
export const rawStream = 'application/vnd.docker.raw-stream'
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream'

function sendError(response: ServerResponse, error: unknown): void {
  const status = error instanceof DockerError ? error.status : 500
  if (response.headersSent || response.socket === null) {
    // Too late for a status: break the connection, so that the client does not take half an answer for a whole one.
    response.destroy()
    return
  }
  if (status === 304) {
    response.writeHead(304).end()
    return
  }
  const body = Buffer.from(`${JSON.stringify({ message: messageOf(error) || STATUS_CODES[status] })}\n`)
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length })
  response.end(body)
}
