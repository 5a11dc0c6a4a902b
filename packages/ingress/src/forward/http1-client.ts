/** A client that speaks HTTP/1: a request and a response of node:http as a ClientRequest. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { BodyReader, ClientRequest, ConnectionFacts } from './client-request.ts'
import { fieldLines } from './http1-connection.ts'
import { joinDuplexes } from './join-duplexes.ts'

/** A first part of a body that is not larger goes out together with the head. */
const mostHeldBytes = 16 * 1024

export class Http1Client implements ClientRequest {
  readonly connection: ConnectionFacts
  readonly version: '1.0' | '1.1'
  readonly remoteAddress: string
  readonly method: string
  readonly target: string
  readonly authority: string | undefined
  readonly headers: readonly string[]
  readonly body: 'none' | 'known' | 'unknown'
  readonly contentLength: string | undefined
  readonly upgrade: string | undefined
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #held: Buffer | undefined
  /** Head and first piece of the body wait for the end of this turn: what came in one packet goes out in one. */
  #isWaiting = false

  constructor(request: IncomingMessage, response: ServerResponse, connection: ConnectionFacts, upgrade?: string) {
    const { rawHeaders, headers, httpVersion, socket } = request
    this.#request = request
    this.#response = response
    this.connection = connection
    this.version = httpVersion === '1.0' ? '1.0' : '1.1'
    this.remoteAddress = plainAddress(socket.remoteAddress)
    this.method = request.method ?? ''
    this.target = request.url ?? ''
    this.headers = rawHeaders
    this.authority = hasTwoHosts(rawHeaders) ? undefined : headers.host
    this.contentLength = headers['content-length']
    const isChunked = headers['transfer-encoding'] !== undefined
    this.body = isChunked ? 'unknown' : (this.contentLength ?? '0') === '0' ? 'none' : 'known'
    this.upgrade = upgrade
  }

  readBody({ onData, onEnd }: BodyReader): void {
    this.#request.on('data', onData).once('end', () => onEnd(this.#request.rawTrailers))
  }

  pauseBody(): void {
    this.#request.pause()
  }

  resumeBody(): void {
    this.#request.resume()
  }

  onGone(listener: () => void): void {
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) listener()
    })
  }

  onDrain(listener: () => void): void {
    this.#response.once('drain', listener)
  }

  inform(status: number, headers: string[]): void {
    // RFC 9110, section 15.2: not to clients that do not know of them. 100 has been said by node already.
    if (this.version === '1.0' || status === 100 || this.#response.headersSent) return
    this.#request.socket.write(`HTTP/1.1 ${status} Information\r\n${fieldLines(headers)}\r\n`, 'latin1')
  }

  respond(status: number, headers: string[]): void {
    this.#response.writeHead(status, headers)
    this.#isWaiting = true
    process.nextTick(() => this.#flush())
  }

  write(chunk: Buffer): boolean {
    if (this.#isWaiting && !this.#held && chunk.length <= mostHeldBytes) {
      this.#held = chunk
      return true
    }
    this.#flush()
    return this.#response.write(chunk)
  }

  end(trailers: string[]): void {
    const held = this.#held
    this.#held = undefined
    this.#isWaiting = false
    if (trailers.length > 0) this.#response.addTrailers(pairsOf(trailers))
    // As text, head and body are one piece for the socket.
    if (held) this.#response.end(held.toString('latin1'), 'latin1')
    else this.#response.end()
    // What is still to come of a request that was answered early has to be read, or no other could follow.
    this.#request.resume()
  }

  cut(): void {
    this.#request.socket.destroy()
  }

  switchProtocols(headers: string[], backend: Duplex): void {
    const { socket } = this.#request
    this.#response.detachSocket(socket)
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fieldLines(headers)}\r\n`, 'latin1')
    joinDuplexes(socket, backend)
  }

  #flush(): void {
    if (!this.#isWaiting) return
    const held = this.#held
    this.#held = undefined
    this.#isWaiting = false
    if (held) this.#response.write(held)
    else this.#response.flushHeaders()
  }
}

function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1
  }
  return count > 1
}

function pairsOf(list: readonly string[]): [string, string][] {
  return list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1] ?? '']] : []))
}

/** IPv4 as such, where a socket serves both. */
export function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:/, '') ?? ''
}
