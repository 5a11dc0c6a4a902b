/**
 * Hands a request on to another server of this machine and its answer back, byte for byte: as HTTP, or as a raw
 * connection when the client wants to leave HTTP (WebSocket, SPDY).
 */

import { request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { serviceUnavailable } from '@dinghy/shared/api/errors'
import type { Exchange } from './exchange.ts'

export interface Target {
  host: string
  port: number
  /** With the query string. */
  path: string
}

const hopByHop = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']

/** Makes an error of ours out of another server's refusal. */
export type Refusal = (code: number, text: string) => Error

/**
 * Resolves when either side has had enough. Throws ServiceUnavailable if the target cannot be reached, and what
 * `refusal` says if the target refuses; without it, refusals are handed on as they are.
 */
export async function pipeHttp(exchange: Exchange, { host, port, path }: Target, refusal?: Refusal): Promise<void> {
  const { request, response, signal } = exchange
  const headers = withoutHopByHop(request.headers)
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = httpRequest({
      host,
      port,
      path,
      method: request.method,
      headers: { ...headers, host: `${host}:${port}` },
      signal,
    })
    outgoing.once('response', resolve)
    outgoing.once('error', (error) => reject(unreachable(host, port, error)))
    request.pipe(outgoing)
  })
  const code = answer.statusCode ?? 502
  if (refusal && (code < 200 || code > 206)) throw refusal(code, await beginningOf(answer))
  response.writeHead(code, withoutHopByHop(answer.headers))
  response.flushHeaders()
  try {
    await pipeline(answer, response)
  } catch (error) {
    // One of the two hung up in the middle; the other has been told by the pipeline.
    if (!signal.aborted && !isHangUp(error)) throw error
  }
}

const refusalBytes = 2048

async function beginningOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) {
    text += chunk as string
    if (text.length >= refusalBytes) break
  }
  return text.slice(0, refusalBytes)
}

/** Like pipeHttp, for a request whose connection changes its protocol. */
export async function pipeUpgrade(exchange: Exchange, { host, port, path }: Target): Promise<void> {
  const { socket, head } = exchange.upgrade!
  const { request } = exchange
  const upstream = connect({ host, port })
  await new Promise<void>((resolve, reject) => {
    upstream.once('connect', resolve)
    upstream.once('error', (error) => reject(unreachable(host, port, error)))
  })
  upstream.write(requestHead(request, host, port, path))
  if (head.length > 0) upstream.write(head)
  // From here on the connection is not ours: no response of ours may be written to it.
  exchange.response.detachSocket(socket as never)
  const close = () => {
    upstream.destroy()
    socket.destroy()
  }
  exchange.signal.addEventListener('abort', close, { once: true })
  try {
    await Promise.all([pipeline(socket, upstream, { end: true }), pipeline(upstream, socket, { end: true })])
  } catch (error) {
    if (!isHangUp(error)) throw error
  } finally {
    exchange.signal.removeEventListener('abort', close)
    close()
  }
}

function requestHead({ method, rawHeaders }: IncomingMessage, host: string, port: number, path: string): string {
  const lines = [`${method} ${path} HTTP/1.1`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    lines.push(name.toLowerCase() === 'host' ? `Host: ${host}:${port}` : `${name}: ${rawHeaders[i + 1]}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.includes(name)))
}

function unreachable(host: string, port: number, error: Error) {
  return serviceUnavailable(`error trying to reach service: dial tcp ${host}:${port}: ${error.message}`, {
    cause: error,
  })
}

function isHangUp(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const hangUps = [
    'ERR_STREAM_PREMATURE_CLOSE',
    'ECONNRESET',
    'EPIPE',
    'ABORT_ERR',
    'ERR_STREAM_DESTROYED',
    'ERR_STREAM_WRITE_AFTER_END',
  ]
  return hangUps.includes(code)
}
