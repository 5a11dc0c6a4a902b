/**
 * What an exchange needs of the client's side, whichever version of HTTP the client speaks: http1-client.ts and
 * http2-client.ts provide it.
 */

import type { Duplex } from 'node:stream'
import type { HeaderList } from '../routing/model.ts'

/** What is known of a connection before its first request. */
export interface ConnectionFacts {
  /** The port as clients of the cluster know it. */
  port: number
  scheme: 'http' | 'https'
}

export interface BodyReader {
  onData: (chunk: Buffer) => void
  onEnd: (trailers: string[]) => void
}

export interface ClientRequest {
  readonly connection: ConnectionFacts
  readonly version: '1.0' | '1.1' | '2.0'
  readonly remoteAddress: string
  readonly method: string
  /** As it was sent. */
  readonly target: string
  /** Host or :authority; undefined if there is none, or more than one. */
  readonly authority: string | undefined
  readonly headers: HeaderList
  /** "known": the client said a length. */
  readonly body: 'none' | 'known' | 'unknown'
  readonly contentLength?: string | undefined
  /** The value of an Upgrade header that the connection may follow. */
  readonly upgrade?: string | undefined

  readBody(reader: BodyReader): void
  pauseBody(): void
  resumeBody(): void
  /** Once: the client is gone, and the answer was not complete. */
  onGone(listener: () => void): void
  /** Once: what was written has gone out. */
  onDrain(listener: () => void): void

  inform(status: number, headers: string[]): void
  respond(status: number, headers: string[]): void
  /** False: wait for onDrain. */
  write(chunk: Buffer): boolean
  end(trailers: string[]): void
  /** In the middle of an answer: the client shall see that it is not complete. */
  cut(): void
  /** 101 to the client; from then on both sides talk to each other. */
  switchProtocols(headers: string[], backend: Duplex): void
}
