/**
 * The few HTTP calls between the command line, the supervisor and the components' debug endpoints: one request, one
 * short answer, over TCP or a unix socket, and always a deadline.
 *
 * A server that is not there is status 0, not an error, because to a supervisor "nobody listens yet" is an ordinary
 * answer. One that is there and says nothing (it hangs, or was stopped by SIGSTOP) is a NoAnswer.
 */

import { httpRequest, readText } from '@dinghy/shared/http/client'

export interface Answer {
  status: number
  text: string
}

export interface Question {
  method: 'GET' | 'POST'
  url: string
  /** The server behind this socket; `url` is a path then. */
  socketPath?: string
  body?: object
  /** For the whole exchange, the answer's body included. */
  timeoutMs: number
}

/** Somebody listens and does not answer in time. */
export class NoAnswer extends Error {
  constructor(what: string, timeoutMs: number) {
    super(`${what} did not answer within ${timeoutMs / 1_000} s`)
  }
}

export async function send({ method, url, socketPath, body, timeoutMs }: Question): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const response = await httpRequest(
      {
        method,
        url: socketPath === undefined ? url : { socketPath, path: url },
        // Another process may have the same address next time.
        keepAlive: false,
        headersTimeoutMs: 0,
        ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
      },
      signal,
    )
    return { status: response.status, text: await readText(response) }
  } catch (error) {
    if (signal.aborted) throw new NoAnswer(`${method} ${url}`, timeoutMs)
    if (nobodyThere.has((error as NodeJS.ErrnoException).code ?? '')) return { status: 0, text: '' }
    throw error
  }
}

const nobodyThere = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTDIR', 'ECONNRESET', 'EPIPE'])
