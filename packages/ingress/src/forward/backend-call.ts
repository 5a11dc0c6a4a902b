/**
 * What the forwarder and the clients of backends say to one another, whichever protocol a backend speaks.
 */

import type { Duplex } from 'node:stream'

export interface BackendRequest {
  method: string
  /** Path and query. */
  target: string
  /** The Host header, or :authority. */
  authority: string
  /** Without Host and without what belongs to a connection; a content-length if the client said one. */
  headers: string[]
  /** "none"; "known": the headers say its length; "unknown". */
  body: 'none' | 'known' | 'unknown'
  /** What the connection shall become: the value of the Upgrade header. */
  upgrade?: string
}

export interface BackendReceiver {
  /** There is a connection: now is the time to send the body. */
  onReady(): void
  /** The next write will not wait. */
  onDrain(): void
  onInformation(status: number, headers: string[]): void
  onHead(status: number, headers: string[]): void
  onData(chunk: Buffer): void
  onEnd(trailers: string[]): void
  /** After a 101. */
  onUpgrade(headers: string[], socket: Duplex): void
  onError(error: CallError): void
}

/** How far the request may have come: whether somebody may have acted on it decides whether it may be sent again. */
export type Reach =
  /** No program has seen a byte of it. */
  | 'not-sent'
  /** A kept connection was closed before anything was written to it. */
  | 'not-begun'
  /** It was written to a kept connection that turned out to be closed: most likely not seen. */
  | 'stale'
  | 'sent'

/** RFC 9110, section 9.2.2: sent twice they do what they do once. */
export const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

export class CallError extends Error {
  override readonly name = 'CallError'
  readonly reach: Reach

  constructor(message: string, reach: Reach, cause?: unknown) {
    super(message, { cause })
    this.reach = reach
  }
}

export interface BackendCall {
  /** False: wait for onDrain. */
  write(chunk: Buffer): boolean
  end(trailers: string[]): void
  pause(): void
  resume(): void
  /** The answer is not wanted any more. Nothing is called after this. */
  abort(): void
}
