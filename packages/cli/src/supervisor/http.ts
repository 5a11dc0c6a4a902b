/**
 * The few HTTP calls between the command line, the supervisor and the components' debug endpoints: one request, one
 * short answer, over TCP or a unix socket. A server that is not there is status 0, not an error, because to a
 * supervisor "nobody listens yet" is an ordinary answer.
 */

import { request } from 'node:http'

export interface Answer {
  status: number
  text: string
}

/** `socketPath` wins over the URL's host when given. */
export function send(options: {
  method: string
  url: string
  socketPath?: string
  body?: string
  signal?: AbortSignal
  /** A server that says nothing for so long counts as one that is not there. */
  timeoutMs?: number
}): Promise<Answer> {
  const { method, url, socketPath, body, signal, timeoutMs } = options
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method,
      agent: false,
      ...(socketPath ? { socketPath } : {}),
      ...(signal ? { signal } : {}),
    })
    if (timeoutMs !== undefined) {
      sent.setTimeout(timeoutMs, () => {
        resolve({ status: 0, text: '' })
        sent.destroy()
      })
    }
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (nobodyThere.has(error.code ?? '')) resolve({ status: 0, text: '' })
      else reject(error)
    })
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
    })
    sent.end(body)
  })
}

const nobodyThere = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTDIR', 'ECONNRESET', 'EPIPE'])
