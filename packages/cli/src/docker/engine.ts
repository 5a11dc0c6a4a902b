// The Docker Engine API from the client's side: requests over a unix socket, JSON in and out, errors as the engine
// words them.

import { request as httpUpgrade } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import { httpRequest, type HttpResponse, readLines, readText } from '@dinghy/shared/client/http'

/** An error that the engine answered; `status` as in its API documentation (404: no such image or container, …). */
export class EngineError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(`Error response from daemon: ${message}`)
    this.status = status
  }
}

export class Engine {
  readonly socketPath: string

  constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const encoded = body === undefined ? undefined : JSON.stringify(body)
    const text = await readText(await this.request(method, path, encoded, 'application/json'))
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  /** The lines of a progress stream (build, pull); throws at the first that carries an error. */
  async *progress(
    method: string,
    path: string,
    body?: Readable,
  ): AsyncIterable<{ stream?: string; status?: string; id?: string }> {
    const response = await this.request(method, path, body, 'application/x-tar')
    for await (const line of readLines(response.body)) {
      const message = JSON.parse(line) as { error?: string; stream?: string; status?: string; id?: string }
      if (message.error !== undefined) throw new EngineError(200, message.error)
      yield message
    }
  }

  /** A hijacked connection: after the engine's 101 both directions are the container's own streams. */
  attach(path: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const headers = { host: 'docker', connection: 'Upgrade', upgrade: 'tcp' }
      const sent = httpUpgrade({ socketPath: this.socketPath, path: `/v1.50${path}`, method: 'POST', headers })
      sent.on('upgrade', (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
      })
      sent.on('response', (response) => {
        reject(new EngineError(response.statusCode ?? 0, 'the engine did not attach'))
        response.destroy()
      })
      sent.on('error', reject)
      sent.end()
    })
  }

  async request(method: string, path: string, body?: string | Readable, contentType?: string): Promise<HttpResponse> {
    const response = await httpRequest({
      method,
      url: { socketPath: this.socketPath, path: `/v1.50${path}` },
      headers: { host: 'docker', ...(body !== undefined && contentType && { 'content-type': contentType }) },
      ...(body !== undefined && { body }),
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ECONNREFUSED') throw error
      throw new Error(`no container runtime at ${this.socketPath}; is the cluster up?`)
    })
    if (response.status < 400) return response
    const text = await readText(response)
    throw new EngineError(
      response.status,
      text.startsWith('{') ? (JSON.parse(text) as { message: string }).message : text,
    )
  }
}
