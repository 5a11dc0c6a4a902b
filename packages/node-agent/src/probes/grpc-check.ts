/**
 * A gRPC probe: one call of grpc.health.v1.Health/Check over plain HTTP/2. The messages are small enough to write and
 * read by hand: the request is one string field (the service), the answer one number (1 is SERVING).
 * Follows upstream's pkg/probe/grpc, including its texts.
 */

import type { ClientHttp2Stream } from 'node:http2'
import type { CheckResult } from './http-check.ts'
import { goNetworkError } from './network-error.ts'

const statusNames: Record<number, string> = { 0: 'UNKNOWN', 1: 'SERVING', 2: 'NOT_SERVING', 3: 'SERVICE_UNKNOWN' }
const unimplemented = '12'
const mostChunks = 8

export async function grpcCheck(
  address: { host: string; port: number },
  service: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CheckResult> {
  const target = `${address.host}:${address.port}`
  try {
    const { grpcStatus, message, body } = await call(`http://${target}`, healthCheckRequest(service), signal)
    if (grpcStatus === unimplemented) {
      return failure(`this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`)
    }
    if (grpcStatus !== '0') return failure(`rpc error: code = ${grpcStatus} desc = ${message}`)
    const serving = servingStatus(body)
    if (serving === 1) return { outcome: 'success', output: 'service healthy' }
    return failure(`service unhealthy (responded with "${statusNames[serving] ?? serving}")`)
  } catch (error) {
    const within = `timeout: failed to connect service "${target}" within ${timeoutMs / 1000}s`
    return failure(signal.aborted ? `${within}: context deadline exceeded` : `error: ${goNetworkError(error, target)}`)
  }
}

/** A gRPC frame: not compressed, its length, then the protobuf message {1: service}. */
function healthCheckRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name])
  const header = Buffer.alloc(5)
  header.writeUInt32BE(message.length, 1)
  return Buffer.concat([header, message])
}

/** Field 1 of the answer; a missing one is 0, UNKNOWN. */
function servingStatus(frame: Buffer): number {
  return frame[5] === 0x08 ? (frame[6] ?? 0) : 0
}

interface Answer {
  grpcStatus: string
  message: string
  body: Buffer
}

async function call(origin: string, request: Buffer, signal: AbortSignal): Promise<Answer> {
  // Loaded when first needed: few containers speak gRPC.
  const { connect } = await import('node:http2')
  return await new Promise((resolve, reject) => {
    const session = connect(origin)
    const fail = (error: unknown): void => {
      session.destroy()
      reject(error instanceof Error ? error : new Error(String(error)))
    }
    signal.addEventListener('abort', () => fail(signal.reason), { once: true })
    session.on('error', fail)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.33',
    })
    readAnswer(stream).then((answer) => {
      session.close()
      resolve(answer)
    }, fail)
    stream.end(request)
  })
}

function readAnswer(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let headers: Record<string, unknown> = {}
    const chunks: Buffer[] = []
    stream.on('response', (received) => (headers = { ...headers, ...received }))
    stream.on('trailers', (received) => (headers = { ...headers, ...received }))
    // Of an answer without end the beginning says it all.
    stream.on('data', (chunk: Buffer) => chunks.length < mostChunks && chunks.push(chunk))
    stream.on('error', reject)
    stream.on('end', () =>
      resolve({
        grpcStatus: text(headers['grpc-status'], '2'),
        message: decoded(text(headers['grpc-message'], '')),
        body: Buffer.concat(chunks),
      }),
    )
  })
}

function decoded(message: string): string {
  try {
    return decodeURIComponent(message)
  } catch {
    // Percent-encoded only if the server keeps to the rules.
    return message
  }
}

function text(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback
}

function failure(output: string): CheckResult {
  return { outcome: 'failure', output }
}
