/**
 * The few HTTP calls between the command line, the supervisor and the components' debug endpoints: one request, one
 * short answer, over TCP or a unix socket, and always a deadline.
 *
 * A server that is not there is status 0, not an error, because to a supervisor "nobody listens yet" is an ordinary
 * answer. One that is there and says nothing (it hangs, or was stopped by SIGSTOP) is a NoAnswer.
 *
 * By node:http and not by the house's client: at its first request V8 compiles the WebAssembly that undici reads
 * answers with, which takes 120 ms of CPU, more than all else that `dinghy status` does.
 */

import type { Agent as AgentType } from 'node:http'

export interface Answer {
  status: number
  text: string
}

export interface Question {
  method: 'GET' | 'POST' | 'DELETE'
  url: string
  /** The server behind this socket; `url` is a path then. */
  socketPath?: string
  body?: object
  /** For the whole exchange, the answer's body included. */
  timeoutMs: number
  /** For those who ask the same server again and again. */
  keepAlive?: boolean
}

/** Somebody listens and does not answer in time. */
export class NoAnswer extends Error {
  constructor(what: string, timeoutMs: number) {
    super(`${what} did not answer within ${timeoutMs / 1_000} s`)
  }
}

/** Where a component's debug server has `path`: `debug` is its base, as the run file has it. */
export function onDebugServer(debug: string, path: string): Pick<Question, 'url' | 'socketPath'> {
  const scheme = 'unix://'
  return debug.startsWith(scheme) ? { url: path, socketPath: debug.slice(scheme.length) } : { url: `${debug}${path}` }
}

let kept: AgentType | undefined

export async function send({ method, url, socketPath, body, timeoutMs, keepAlive }: Question): Promise<Answer> {
  // Loaded when somebody asks: a supervisor has its components on their way by then.
  const { Agent, request } = await import('node:http')
  if (keepAlive) kept ??= new Agent({ keepAlive: true })
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const sent = request(socketPath === undefined ? url : `http://localhost${url}`, {
      method,
      agent: keepAlive ? kept : false,
      signal,
      ...(socketPath ? { socketPath } : {}),
      ...(body ? { headers: { 'content-type': 'application/json' } } : {}),
    })
    const fail = (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(new NoAnswer(`${method} ${url}`, timeoutMs))
      else if (nobodyThere.has(error.code ?? '')) resolve({ status: 0, text: '' })
      else reject(error)
    }
    sent.on('error', fail)
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', fail)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
    })
    sent.end(body && JSON.stringify(body))
  })
}

const nobodyThere = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTDIR', 'ECONNRESET', 'EPIPE'])
