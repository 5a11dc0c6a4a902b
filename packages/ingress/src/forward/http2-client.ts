/** A client that speaks HTTP/2: a stream of node:http2 as a ClientRequest. */

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { BodyReader, ClientRequest, ConnectionFacts } from './client-request.ts'
import { plainAddress } from './http1-client.ts'
import { fieldsOf, objectOf } from './http2-fields.ts'

export class Http2Client implements ClientRequest {
  readonly connection: ConnectionFacts
  readonly version = '2.0'
  readonly remoteAddress: string
  readonly method: string
  readonly target: string
  readonly authority: string | undefined
  readonly headers: readonly string[]
  readonly body: 'none' | 'known' | 'unknown'
  readonly contentLength: string | undefined
  readonly #stream: ServerHttp2Stream
  #trailers: string[] = []
  #isEnded = false

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    raw: readonly string[],
    connection: ConnectionFacts,
  ) {
    this.#stream = stream
    this.connection = connection
    this.remoteAddress = plainAddress(stream.session?.socket.remoteAddress)
    this.method = headers[':method'] ?? ''
    this.target = headers[':path'] ?? ''
    const { ':authority': authority = headers.host } = headers
    // RFC 9113, section 8.3.1: both may be there, and then they agree.
    this.authority = headers.host !== undefined && headers.host !== authority ? undefined : authority
    this.headers = fieldsOf(raw)
    this.contentLength = headers['content-length']
    this.body = stream.endAfterHeaders ? 'none' : this.contentLength === undefined ? 'unknown' : 'known'
    // A broken stream is told by its "close".
    stream.on('error', () => undefined)
    stream.once('wantTrailers', () => stream.sendTrailers(objectOf(this.#trailers)))
  }

  readBody({ onData, onEnd }: BodyReader): void {
    let trailers: string[] = []
    this.#stream.once('trailers', (_headers: object, _flags: number, raw: string[]) => (trailers = fieldsOf(raw)))
    this.#stream.on('data', onData).once('end', () => {
      if (!this.#stream.aborted) onEnd(trailers)
    })
  }

  pauseBody(): void {
    this.#stream.pause()
  }

  resumeBody(): void {
    this.#stream.resume()
  }

  onGone(listener: () => void): void {
    this.#stream.once('close', () => {
      if (!this.#isEnded || this.#stream.rstCode !== 0) listener()
    })
  }

  onDrain(listener: () => void): void {
    this.#stream.once('drain', listener)
  }

  inform(status: number, headers: string[]): void {
    if (this.#isOpen() && !this.#stream.headersSent && status !== 100) {
      this.#stream.additionalHeaders({ ...objectOf(headers), ':status': status })
    }
  }

  respond(status: number, headers: string[]): void {
    if (this.#isOpen()) this.#stream.respond({ ...objectOf(headers), ':status': status }, { waitForTrailers: true })
  }

  write(chunk: Buffer): boolean {
    return !this.#isOpen() || this.#stream.write(chunk)
  }

  end(trailers: string[]): void {
    this.#isEnded = true
    this.#trailers = trailers
    if (this.#isOpen()) this.#stream.end()
    // As for HTTP/1; a stream can be closed for itself, but its session counts what nobody reads.
    this.#stream.resume()
  }

  cut(): void {
    this.#stream.close(internalError)
  }

  switchProtocols(): never {
    throw new Error('HTTP/2 has no upgrades')
  }

  #isOpen(): boolean {
    return !this.#stream.closed && !this.#stream.destroyed
  }
}

/** RFC 9113, section 7. */
const internalError = 2
