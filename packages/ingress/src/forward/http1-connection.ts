/**
 * A connection to a backend that speaks HTTP/1.1: one request at a time, used again as long as both want it.
 *
 * Callers may rely on: a request is written when there is a connection, its body only then (onReady); a connection that
 * the backend ends while nothing is asked leaves at once; what a failed request may have done is said (Reach).
 */

import { connect, type Socket } from 'node:net'
import type { Clock, Timer } from '@dinghy/shared/api/clock'
import {
  type BackendCall,
  type BackendReceiver,
  type BackendRequest,
  CallError,
  idempotent,
  type Reach,
} from './backend-call.ts'
import { type AnswerHead, AnswerParser } from './http1-response.ts'

export interface ConnectionOptions {
  address: string
  port: number
  isTls: boolean
  clock: Clock
  connectTimeoutMs: number
  /** It can take a request (again). */
  onFree: (connection: Http1Connection) => void
  /** It is of no use any more. */
  onGone: (connection: Http1Connection) => void
}

export class Http1Connection implements BackendCall {
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #parser: AnswerParser
  readonly #connecting: Timer | undefined
  #receiver: BackendReceiver | undefined
  #request: BackendRequest | undefined
  #isConnected = false
  /** A request before this one was answered. */
  #wasUsed = false
  #isBegun = false
  #hasAnswerBegun = false
  #isRequestSent = false
  #isAnswerRead = false
  #keepsAlive = true
  #isGone = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { address, port, isTls, clock, connectTimeoutMs } = options
    this.#parser = new AnswerParser({
      onInformation: (status, headers) => this.#receiver?.onInformation(status, headers),
      onHead: (head) => this.#readHead(head),
      onData: (chunk) => this.#receiver?.onData(chunk),
      onEnd: (trailers) => this.#finish(trailers),
    })
    const isReady = isTls ? 'secureConnect' : 'connect'
    this.#socket = isTls ? connectTls(address, port) : connect({ host: address, port, noDelay: true })
    this.#connecting = clock.setTimeout(
      () => this.#fail(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    )
    this.#socket
      .once(isReady, () => this.#connected())
      .on('data', (chunk) => this.#read(chunk))
      .on('drain', () => this.#receiver?.onDrain())
      .on('end', () => this.#ended())
      .on('error', (error) => this.#fail(error))
      .on('close', () => this.#fail(new Error('the backend closed the connection')))
  }

  send(request: BackendRequest, receiver: BackendReceiver): BackendCall {
    this.#receiver = receiver
    this.#request = request
    this.#hasAnswerBegun = false
    this.#isRequestSent = request.body === 'none'
    this.#isAnswerRead = false
    this.#parser.expect(request.method)
    this.#isBegun = false
    if (!this.#isConnected) return this
    // One that may not be sent twice waits for a look at what has come meanwhile: the end of the connection, perhaps.
    if (idempotent.has(request.method)) this.#begin(request, receiver)
    else setImmediate(() => this.#receiver === receiver && this.#begin(request, receiver))
    return this
  }

  write(chunk: Buffer): boolean {
    if (this.#request?.body !== 'unknown') return this.#socket.write(chunk)
    if (chunk.length === 0) return true
    this.#socket.cork()
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    this.#socket.write(chunk)
    const isTaken = this.#socket.write('\r\n', 'latin1')
    this.#socket.uncork()
    return isTaken
  }

  end(trailers: string[]): void {
    if (this.#request?.body === 'unknown') this.#socket.write(`0\r\n${fieldLines(trailers)}\r\n`, 'latin1')
    this.#isRequestSent = true
    this.#release()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** In the middle of a request or of an answer there is no other way to stop. */
  abort(): void {
    this.#receiver = undefined
    this.#leave()
  }

  /** When nothing is under way: at once. */
  close(): void {
    this.#keepsAlive = false
    if (!this.#receiver) this.#leave()
  }

  #connected(): void {
    this.#options.clock.clear(this.#connecting)
    this.#isConnected = true
    if (this.#request && this.#receiver) this.#begin(this.#request, this.#receiver)
  }

  #begin(request: BackendRequest, receiver: BackendReceiver): void {
    this.#isBegun = true
    this.#socket.write(headOf(request), 'latin1')
    receiver.onReady()
  }

  #read(chunk: Buffer): void {
    try {
      this.#hasAnswerBegun = true
      const rest = this.#parser.push(chunk)
      if (rest.length > 0) this.#socket.unshift(rest)
    } catch (error) {
      this.#fail(error)
    }
  }

  #readHead({ status, headers, keepsAlive }: AnswerHead): void {
    const receiver = this.#receiver
    if (!keepsAlive) this.#keepsAlive = false
    if (status !== 101) return receiver?.onHead(status, headers)
    if (this.#request?.upgrade === undefined)
      throw new Error('the backend switched to a protocol that nobody asked for')
    // From here on the connection is no longer ours.
    this.#receiver = undefined
    this.#isGone = true
    this.#options.onGone(this)
    this.#socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('drain')
    this.#socket.removeAllListeners('close').pause()
    receiver?.onUpgrade(headers, this.#socket)
  }

  #finish(trailers: string[]): void {
    const receiver = this.#receiver
    this.#isAnswerRead = true
    // Whoever answers before it has heard everything does not want the rest.
    if (!this.#isRequestSent) this.#keepsAlive = false
    this.#release()
    receiver?.onEnd(trailers)
  }

  #release(): void {
    if (!this.#isAnswerRead || this.#isGone) return
    if (!this.#keepsAlive) {
      this.#receiver = undefined
      return this.#leave()
    }
    if (!this.#isRequestSent) return
    this.#receiver = undefined
    this.#request = undefined
    this.#wasUsed = true
    this.#socket.resume()
    this.#options.onFree(this)
  }

  #ended(): void {
    try {
      this.#parser.finish()
      this.#leave()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (this.#isGone) return
    const receiver = this.#receiver
    this.#receiver = undefined
    this.#leave()
    const reach = this.#reach()
    receiver?.onError(new CallError(error instanceof Error ? error.message : String(error), reach, error))
  }

  #reach(): Reach {
    if (!this.#isConnected) return 'not-sent'
    if (!this.#isBegun) return 'not-begun'
    return this.#wasUsed && !this.#hasAnswerBegun ? 'stale' : 'sent'
  }

  #leave(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#options.clock.clear(this.#connecting)
    this.#socket.destroy()
    this.#options.onGone(this)
  }
}

function headOf({ method, target, authority, headers, body, upgrade }: BackendRequest): string {
  const framing = body === 'unknown' ? 'Transfer-Encoding: chunked\r\n' : ''
  const wanted = upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`
  return `${method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n${fieldLines(headers)}${framing}${wanted}\r\n`
}

export function fieldLines(headers: readonly string[]): string {
  let lines = ''
  for (let index = 0; index < headers.length; index += 2) lines += `${headers[index]}: ${headers[index + 1]}\r\n`
  return lines
}

/** Like other ingress controllers, without looking at the backend's certificate: inside a cluster nobody signs them. */
function connectTls(host: string, port: number): Socket {
  // Loaded when it is needed: few backends speak TLS.
  const tls = process.getBuiltinModule('node:tls')
  return tls.connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
}
