/**
 * A connection to a backend that speaks HTTP/2 in the clear (appProtocol kubernetes.io/h2c, which gRPC needs): many
 * requests at a time.
 *
 * Callers may rely on: what Http1Connection promises; a request that the backend refused to begin (REFUSED_STREAM, or
 * one above the last stream of a GOAWAY) counts as not sent.
 */

import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import type { Clock } from '@dinghy/shared/api/clock'
import { type BackendCall, type BackendReceiver, type BackendRequest, CallError } from './backend-call.ts'
import { fieldsOf, objectOf } from './http2-fields.ts'

export interface Http2Options {
  address: string
  port: number
  clock: Clock
  connectTimeoutMs: number
  /** No new requests, please. */
  onGone: (connection: Http2Connection) => void
}

export class Http2Connection {
  readonly #session: ClientHttp2Session
  readonly #onGone: () => void
  #isConnected = false
  #open = 0
  #isClosing = false

  constructor({ address, port, clock, connectTimeoutMs, onGone }: Http2Options) {
    const { connect } = process.getBuiltinModule('node:http2')
    const host = address.includes(':') ? `[${address}]` : address
    this.#session = connect(`http://${host}:${port}`)
    const late = () => this.#session.destroy(new Error(`no connection within ${connectTimeoutMs} ms`))
    const connecting = clock.setTimeout(late, connectTimeoutMs)
    this.#onGone = () => {
      clock.clear(connecting)
      onGone(this)
    }
    this.#session
      .once('connect', () => {
        clock.clear(connecting)
        this.#isConnected = true
      })
      // Each request hears of it by its own stream.
      .on('error', () => this.#onGone())
      .on('goaway', () => this.close())
      .once('close', () => this.#onGone())
  }

  send(request: BackendRequest, receiver: BackendReceiver): BackendCall {
    const { method, target, authority, headers, body } = request
    const pseudo = { ':method': method, ':path': target, ':authority': authority, ':scheme': 'http' }
    const hasBody = body !== 'none'
    if (this.#session.closed || this.#session.destroyed) return gone(receiver)
    const stream = this.#session.request(
      { ...objectOf(headers), ...pseudo },
      { endStream: !hasBody, waitForTrailers: hasBody },
    )
    this.#open += 1
    const call = new Http2Call(stream, receiver, () => this.#isConnected)
    stream.once('close', () => {
      this.#open -= 1
      if (this.#isClosing && this.#open === 0) this.#session.close()
    })
    return call
  }

  /** Requests under way come to their ends. */
  close(): void {
    this.#isClosing = true
    this.#onGone()
    if (this.#open === 0) this.#session.close()
  }
}

/** The session has ended, and nobody has been told yet. */
function gone(receiver: BackendReceiver): BackendCall {
  let isWanted = true
  process.nextTick(() => {
    if (isWanted) receiver.onError(new CallError('the connection has ended', 'not-sent'))
  })
  const ignore = () => undefined
  return { write: () => true, end: ignore, pause: ignore, resume: ignore, abort: () => (isWanted = false) }
}

class Http2Call implements BackendCall {
  readonly #stream: ClientHttp2Stream
  #receiver: BackendReceiver | undefined
  #trailersToSend: string[] = []

  constructor(stream: ClientHttp2Stream, receiver: BackendReceiver, isConnected: () => boolean) {
    this.#stream = stream
    this.#receiver = receiver
    let trailers: string[] = []
    const fail = (error: Error) => {
      const isRefused = stream.rstCode === refusedStream
      this.#settle()?.onError(new CallError(error.message, isConnected() && !isRefused ? 'sent' : 'not-sent', error))
    }
    stream
      .once('ready', () => this.#receiver?.onReady())
      .on('headers', (headers: Head, _flags: number, raw: string[]) => {
        this.#receiver?.onInformation(statusOf(headers), fieldsOf(raw))
      })
      .once('response', (headers: Head, _flags: number, raw: string[]) => {
        this.#receiver?.onHead(statusOf(headers), fieldsOf(raw))
      })
      .on('data', (chunk: Buffer) => this.#receiver?.onData(chunk))
      .on('drain', () => this.#receiver?.onDrain())
      .once('trailers', (_headers: Head, _flags: number, raw: string[]) => (trailers = fieldsOf(raw)))
      .once('wantTrailers', () => stream.sendTrailers(objectOf(this.#trailersToSend)))
      .once('end', () => {
        if (stream.rstCode === noError) this.#settle()?.onEnd(trailers)
      })
      .once('error', fail)
      .once('close', () => fail(new Error(`the backend reset the stream (code ${stream.rstCode})`)))
  }

  write(chunk: Buffer): boolean {
    return this.#stream.write(chunk)
  }

  end(trailers: string[]): void {
    this.#trailersToSend = trailers
    this.#stream.end()
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  abort(): void {
    this.#receiver = undefined
    this.#stream.close(cancel)
  }

  #settle(): BackendReceiver | undefined {
    const receiver = this.#receiver
    this.#receiver = undefined
    return receiver
  }
}

/** RFC 9113, section 7. */
const noError = 0
const refusedStream = 7
const cancel = 8

type Head = IncomingHttpHeaders & { ':status'?: number }

function statusOf(headers: Head): number {
  return headers[':status'] ?? 502
}
