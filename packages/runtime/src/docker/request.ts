/**
 * A request of the Engine API as its handlers see it, and the shapes of their answers.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Shape } from './body-shape.ts'

export interface DockerRequest {
  /** `[1, 41]` for /v1.41/…; undefined when the client sent no version. */
  version: [number, number] | undefined
  params: Record<string, string>
  query: URLSearchParams
  headers: IncomingHttpHeaders
  /** The body as it arrives: tar streams, chunked uploads. */
  stream: IncomingMessage
  /** The body as JSON; an empty body, or null, gives `{}`. Throws a 400 on malformed JSON and on wrong types. */
  json<T>(shape: Shape): Promise<T>
  /** Aborted when the client goes away. */
  signal: AbortSignal
  /**
   * Takes the connection over: answers 101 UPGRADED (or 200 to clients that asked for no upgrade) and returns the
   * raw socket. Bytes that the client sent early are the first to be read from it; a body that nobody has read is not.
   */
  hijack(contentType: string): Promise<Duplex>
}

/**
 * Answers through one of the functions below, or throws. What is thrown after the answer has begun breaks the
 * connection, so that the client does not take half an answer for a whole one.
 */
export type Handler = (request: DockerRequest, reply: FastifyReply) => Promise<void> | void

/** Answers with JSON. The trailing newline is what Docker sends. */
export function sendJson(reply: FastifyReply, status: number, body: unknown): void {
  void reply
    .code(status)
    .header('content-type', 'application/json')
    .send(Buffer.from(`${JSON.stringify(body)}\n`))
}

export function sendEmpty(reply: FastifyReply, status: number): void {
  void reply.code(status).send()
}

/** Begins an answer that is written piece by piece: its headers leave at once, because clients wait for them. */
export function openStream(reply: FastifyReply, contentType: string): ServerResponse {
  reply.hijack()
  reply.raw.writeHead(200, { 'Content-Type': contentType })
  reply.raw.flushHeaders()
  return reply.raw
}

/** Docker's boolean query parameters: absent, empty, "0", "no", "false" and "none" are false. */
export function isTrue(value: string | null): boolean {
  return value !== null && !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase())
}
