/**
 * IngressServer: the sockets that clients connect to.
 *
 *   port 80  ─► first bytes: "PRI * HTTP/2.0"? ─► http2 ─┐
 *                          else ─► http/1 ───────────────┼─► Forwarder
 *   port 443 ─► TLS: the certificate by SNI; ALPN ─► h2 ─┤
 *                                        http/1.1 ───────┘
 *
 * Node's own servers read the requests: llhttp is strict about everything that requests have been smuggled with (two
 * lengths, a length beside chunks, bare line feeds, spaces before colons), and both servers have limits of their own.
 * One server of each version takes the connections of all ports.
 *
 * Callers may rely on: a connection must send its first byte, a handshake or a head be complete within `headTimeoutMs`;
 * a head may have 32 KiB; a kept connection is closed after 75 s without a request; a stop lets what is under way come
 * to its end.
 */

import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext, TLSSocket } from 'node:tls'
import type { Clock } from '@dinghy/shared/api/clock'
import { listenOn } from '@dinghy/shared/http/listen-address'
import type { KeyPair } from '@dinghy/shared/pki/authority'
import type { Logger } from '@dinghy/shared/process/logger'
import type { ClientRequest, ConnectionFacts } from './client-request.ts'
import { Http1Client } from './http1-client.ts'
import { fieldLines } from './http1-connection.ts'
import { Http2Client } from './http2-client.ts'
import { IdleWatch } from './idle-watch.ts'

export interface IngressServerDeps {
  handle: (client: ClientRequest) => void
  /** The certificate for a name that a client asks for at a port. */
  certificateFor: (port: number, serverName: string) => SecureContext
  /** The certificate for clients that ask for no name. */
  certificateOf: (port: number) => KeyPair
  clock: Clock
  log: Logger
  headTimeoutMs: number
}

const keepAliveMs = 75_000
const mostHeadBytes = 32 * 1024
const mostHeaders = 200
/** As nginx has it. */
const mostStreams = 128
const preface = 'PRI * HTTP/2.0\r\n'

export interface OpenPort {
  /** "http://127.0.0.1:8080" */
  readonly url: string
  close(): void
}

export class IngressServer {
  readonly #deps: IngressServerDeps
  readonly #http1: HttpServer
  readonly #http2: Http2Server
  /** Of sockets and of sessions. */
  readonly #facts = new WeakMap<object, ConnectionFacts>()
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #tls = new Map<number, Set<{ setSecureContext(options: { cert: string; key: string }): void }>>()
  readonly #silent: IdleWatch
  #adopting: ConnectionFacts | undefined
  #isClosing = false

  constructor(deps: IngressServerDeps) {
    this.#deps = deps
    this.#silent = new IdleWatch(deps.clock, deps.headTimeoutMs)
    // Loaded when the first Ingress or Gateway is there: most of the memory of this process goes to these two.
    this.#http1 = process.getBuiltinModule('node:http').createServer({
      maxHeaderSize: mostHeadBytes,
      headersTimeout: deps.headTimeoutMs,
      // A body may take as long as it likes, as long as it moves: the exchange looks at that.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.min(2_000, deps.headTimeoutMs),
    })
    this.#http1.maxHeadersCount = mostHeaders
    this.#http1
      .on('request', (request, response) => {
        if (this.#isClosing) response.shouldKeepAlive = false
        deps.handle(new Http1Client(request, response, this.#factsOf(request.socket)))
      })
      .on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head))
      .on('connect', (_request, socket) => refuse(socket, '405 Method Not Allowed'))
      .on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(socket, statusLineFor(error.code)))
      // It never listens itself, and looks for those that are late only from then on.
      .emit('listening')
    this.#http2 = process.getBuiltinModule('node:http2').createServer({
      maxSessionMemory: 8,
      settings: { maxConcurrentStreams: mostStreams, maxHeaderListSize: mostHeadBytes, enablePush: false },
    })
    this.#http2
      .on('session', (session) => this.#openSession(session))
      .on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
        if (raw.length > 2 * mostHeaders) return stream.respond({ ':status': 431 }, { endStream: true })
        deps.handle(new Http2Client(stream, headers, raw, this.#factsOf(stream.session)))
      })
  }

  /** Rejects with node's error (EADDRINUSE, EACCES, …). */
  async open(address: { host: string; port: number }, facts: ConnectionFacts): Promise<OpenPort> {
    const server = facts.scheme === 'https' ? this.#tlsServer(facts) : this.#plainServer(facts)
    const { url } = await listenOn(server, address)
    return { url: facts.scheme === 'https' ? url.replace('http:', 'https:') : url, close: () => void server.close() }
  }

  /** The certificate for clients without a name is a server's own. */
  certificatesChanged(): void {
    for (const [port, servers] of this.#tls) {
      const { certificate: cert, key } = this.#deps.certificateOf(port)
      for (const server of servers) server.setSecureContext({ cert, key })
    }
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** After the ports have been closed: `drained` says when what is under way has ended, or has had its time. */
  async close(drained: () => Promise<void>): Promise<void> {
    this.#isClosing = true
    this.#http1.close()
    this.#http1.closeIdleConnections()
    for (const session of this.#sessions) session.close()
    await drained()
    this.#silent.stop()
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
  }

  #plainServer(facts: ConnectionFacts): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    return server.on('connection', (socket) => {
      this.#hold(socket)
      const silent = { movedAtMs: this.#deps.clock.now(), onIdle: () => void socket.destroy() }
      this.#silent.add(silent)
      const heard = () => this.#silent.delete(silent)
      socket.once('close', heard)
      socket.once('data', (first: Buffer) => {
        socket.off('close', heard)
        heard()
        socket.pause()
        socket.unshift(first)
        const isHttp2 =
          first.toString('latin1', 0, preface.length) === preface.slice(0, first.length) && first.length >= 3
        this.#adopt(socket, facts, isHttp2)
      })
    })
  }

  #tlsServer(facts: ConnectionFacts): Server {
    const { port } = facts
    const { certificate: cert, key } = this.#deps.certificateOf(port)
    const server = process.getBuiltinModule('node:tls').createServer({
      cert,
      key,
      allowHalfOpen: true,
      noDelay: true,
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: this.#deps.headTimeoutMs,
      SNICallback: (name, callback) => callback(null, this.#deps.certificateFor(port, name.toLowerCase())),
    })
    const servers = this.#tls.get(port) ?? new Set()
    this.#tls.set(port, servers.add(server))
    return server
      .on('close', () => servers.delete(server))
      .on('connection', (socket: Socket) => this.#hold(socket))
      .on('secureConnection', (socket: TLSSocket) => this.#adopt(socket, facts, socket.alpnProtocol === 'h2'))
      .on('tlsClientError', (error: Error, socket: Socket) => {
        this.#deps.log.debug({ reason: error.message }, 'a TLS handshake failed')
        socket.destroy()
      })
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket)
    // Clients come and go as they like.
    socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket))
  }

  #adopt(socket: Socket, facts: ConnectionFacts, isHttp2: boolean): void {
    this.#facts.set(socket, facts)
    this.#adopting = facts
    ;(isHttp2 ? this.#http2 : this.#http1).emit('connection', socket)
    this.#adopting = undefined
    process.nextTick(() => socket.resume())
  }

  #openSession(session: ServerHttp2Session): void {
    if (this.#adopting) this.#facts.set(session, this.#adopting)
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
    session.on('error', (error) => this.#deps.log.debug({ reason: error.message }, 'a client broke its HTTP/2 session'))
    session.setTimeout(keepAliveMs, () => session.close())
  }

  #factsOf(connection: object | undefined): ConnectionFacts {
    return this.#facts.get(connection ?? this) ?? { port: 0, scheme: 'http' }
  }

  /** node:http hands over whoever asks for another protocol, whatever it is and whether anybody wants to follow. */
  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { upgrade = '', connection = '' } = request.headers
    const isBodyless = request.headers['transfer-encoding'] === undefined && !Number(request.headers['content-length'])
    const isWanted = /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection) && !/^h2c?$|tls|http/i.test(upgrade.trim())
    if (isWanted && isBodyless) {
      if (head.length > 0) socket.unshift(head)
      const response = new (process.getBuiltinModule('node:http').ServerResponse)(request)
      response.shouldKeepAlive = false
      response.assignSocket(socket)
      response.once('finish', () => void socket.end())
      return this.#deps.handle(new Http1Client(request, response, this.#factsOf(socket), upgrade))
    }
    // To ignore it is allowed (RFC 9110, section 7.8): the same bytes once more, without the wish.
    const { method, url, rawHeaders } = request
    const kept = rawHeaders.flatMap((name, index) =>
      index % 2 === 1 || /^(?:upgrade|connection|http2-settings)$/i.test(name)
        ? []
        : [name, rawHeaders[index + 1] ?? ''],
    )
    socket.unshift(Buffer.concat([Buffer.from(`${method} ${url} HTTP/1.1\r\n${fieldLines(kept)}\r\n`, 'latin1'), head]))
    this.#adopt(socket, this.#factsOf(socket), false)
  }
}

function refuse(socket: Duplex, status: string): void {
  if (!socket.writable || socket.destroyed) return void socket.destroy()
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, 'latin1')
  socket.on('error', () => undefined)
}

function statusLineFor(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'
}
