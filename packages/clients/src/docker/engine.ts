/**
 * The Docker Engine API from the client's side: requests over a unix socket, JSON in and out, errors as the engine
 * words them.
 */

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

export interface ProgressLine {
  stream?: string
  status?: string
  id?: string
  error?: string
}

/** What we use of the engine's event stream. */
export interface EngineEvent {
  Action: string
  Actor: { ID: string; Attributes: Record<string, string> }
  timeNano: number
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

  /** Whether a GET finds something. */
  async exists(path: string): Promise<boolean> {
    try {
      await this.json('GET', path)
      return true
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return false
      throw error
    }
  }

  /** The lines of a progress stream (build, pull); throws at the first that carries an error. */
  async *progress(
    method: string,
    path: string,
    body?: Readable,
    headers: Record<string, string> = {},
  ): AsyncIterable<ProgressLine> {
    const response = await this.request(method, path, body, 'application/x-tar', undefined, headers)
    for await (const line of readLines(response.body)) {
      const message = JSON.parse(line) as ProgressLine
      if (message.error !== undefined) throw new EngineError(200, message.error)
      yield message
    }
  }

  /** Events from now on, until the signal ends them. Subscribed when this resolves. */
  async events(filters: Record<string, string[]>, signal: AbortSignal): Promise<AsyncIterable<EngineEvent>> {
    const query = new URLSearchParams({ filters: JSON.stringify(filters) })
    const { body } = await this.request('GET', `/events?${query}`, undefined, undefined, signal)
    return parseLines(body, signal)
  }

  /**
   * A hijacked connection: after the engine's 101 both directions are the container's own streams. `body` is what
   * POST /exec/{id}/start carries on the upgrade request itself.
   */
  attach(path: string, body?: unknown): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body)
      const sent = httpUpgrade({
        socketPath: this.socketPath,
        path: `/v1.50${path}`,
        method: 'POST',
        headers: {
          host: 'docker',
          connection: 'Upgrade',
          upgrade: 'tcp',
          'content-length': Buffer.byteLength(text),
          ...(body !== undefined ? { 'content-type': 'application/json' } : {}),
        },
      })
      sent.on('upgrade', (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
      })
      sent.on('response', (response) => {
        readText({ status: response.statusCode ?? 0, headers: response.headers, body: response })
          .then((answer) => reject(new EngineError(response.statusCode ?? 0, messageOf(answer))))
          .catch(reject)
      })
      sent.on('error', reject)
      sent.end(text)
    })
  }

  async request(
    method: string,
    path: string,
    body?: string | Readable,
    contentType?: string,
    signal?: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<HttpResponse> {
    const response = await httpRequest({
      method,
      url: { socketPath: this.socketPath, path: `/v1.50${path}` },
      headers: {
        host: 'docker',
        ...(body !== undefined && contentType ? { 'content-type': contentType } : {}),
        ...headers,
      },
      signal,
      ...(body !== undefined ? { body } : {}),
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ECONNREFUSED') throw error
      throw new Error(`no container runtime at ${this.socketPath}; is the cluster up?`, { cause: error })
    })
    if (response.status < 400) return response
    throw new EngineError(response.status, messageOf(await readText(response)))
  }
}

function messageOf(text: string): string {
  return text.startsWith('{') ? (JSON.parse(text) as { message: string }).message : text.trim()
}

async function* parseLines(body: Readable, signal: AbortSignal): AsyncIterable<EngineEvent> {
  try {
    for await (const line of readLines(body)) yield JSON.parse(line) as EngineEvent
  } catch (error) {
    // Ending the subscription is how its reader stops.
    if (!signal.aborted) throw error
  }
}
