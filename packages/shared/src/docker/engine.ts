/**
 * The client of the Docker Engine API, over the engine's unix socket: JSON in and out, streams, hijacked connections.
 *
 * Callers may rely on: a refusal is a DockerError with the engine's own message and status; an engine that is not
 * there, or that does not answer in time, is a DockerError with status 0; aborting the signal ends the call with its
 * reason. A stream has to begin in time and may then take as long as it likes. Nothing is retried here. The same calls
 * work against Docker itself: nothing in this file knows which engine answers.
 */

import { Readable, type Duplex } from 'node:stream'
import type { OutgoingHttpHeaders } from 'node:http'
import { systemClock, type Clock } from '../api/clock.ts'
import { httpRequest, readLines, readText, type HttpResponse } from '../http/client.ts'
import { httpUpgrade } from '../http/client-upgrade.ts'
import { DockerError, isDockerStatus } from './errors.ts'

export interface EngineOptions {
  /** The oldest that has everything the caller uses. */
  apiVersion?: string
  clock?: Pick<Clock, 'setTimeout' | 'clear'>
  /** How long the engine may take for a call. */
  timeoutMs?: number
}

export interface CallOptions {
  /** What is undefined is left out; objects are sent as JSON. */
  query?: Record<string, string | number | boolean | object | undefined>
  /** A stream is sent as a tar, anything else as JSON. */
  body?: unknown
  headers?: OutgoingHttpHeaders
  /** What the call takes by its nature, on top of the engine's time; Infinity when nobody knows. */
  lastsMs?: number
}

/** A line of a progress stream: a build, a pull. */
export interface ProgressLine {
  stream?: string
  status?: string
  id?: string
  error?: string
  errorDetail?: { message?: string }
}

/** A line of GET /events, as far as it is read here. */
export interface EngineEvent {
  Type: string
  Action: string
  Actor: { ID: string; Attributes: Record<string, string> }
  timeNano: number
}

/**
 * A connection that carries a process' streams. `socket.end()` closes only our side: the process sees the end of its
 * stdin, while its output keeps arriving.
 */
export interface HijackedStream {
  socket: Duplex
  /** Stdcopy frames, or raw bytes with a tty. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer>
}

/** Upstream's --runtime-request-timeout. */
const defaultTimeoutMs = 120_000

export class DockerEngine {
  readonly socketPath: string
  readonly #prefix: string
  readonly #clock: Pick<Clock, 'setTimeout' | 'clear'>
  readonly #timeoutMs: number

  constructor(socketPath: string, options: EngineOptions = {}) {
    this.socketPath = socketPath
    // Every engine since Docker 19.03 speaks this one.
    this.#prefix = `/v${options.apiVersion ?? '1.40'}`
    this.#clock = options.clock ?? systemClock
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  }

  /** An answer of no content is undefined. */
  async json<T>(method: string, path: string, options: CallOptions = {}, signal?: AbortSignal): Promise<T> {
    const text = await this.text(method, path, options, signal)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  async text(method: string, path: string, options: CallOptions = {}, signal?: AbortSignal): Promise<string> {
    return await this.#inTime(options, signal, async (limited) =>
      readText(await this.#answer(method, path, options, limited)),
    )
  }

  /** Resolves when the headers are here. The body is to be read to its end, or destroyed. */
  async request(method: string, path: string, options: CallOptions = {}, signal?: AbortSignal): Promise<HttpResponse> {
    return await this.#inTime(options, signal, (limited) => this.#answer(method, path, options, limited))
  }

  /** Whether a GET finds something. */
  async exists(path: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.text('GET', path, {}, signal)
      return true
    } catch (error) {
      if (isDockerStatus(error, 404)) return false
      throw error
    }
  }

  /**
   * The lines of a progress stream. Most failures are inside such a stream that began with 200: they are thrown, too.
   */
  async *progress(path: string, options: CallOptions = {}, signal?: AbortSignal): AsyncIterable<ProgressLine> {
    const { body } = await this.request('POST', path, options, signal)
    for await (const line of readLines(body)) {
      const progress = JSON.parse(line) as ProgressLine
      const message = progress.errorDetail?.message ?? progress.error
      if (message !== undefined) throw new DockerError(500, message)
      yield progress
    }
  }

  /** Events from now on, until the connection ends or the signal aborts. It is subscribed when this resolves. */
  async subscribe(filters: Record<string, string[]>, signal: AbortSignal): Promise<AsyncIterable<EngineEvent>> {
    const { body } = await this.request('GET', '/events', { query: { filters } }, signal)
    return parseEvents(body, signal)
  }

  /** Bytes that came together with the engine's answer are not lost. */
  async hijack(path: string, options: CallOptions = {}, signal?: AbortSignal): Promise<HijackedStream> {
    return await this.#inTime(options, signal, async (limited) => {
      const answer = await this.#reached(limited, () =>
        httpUpgrade(
          {
            method: 'POST',
            url: { socketPath: this.socketPath, path: this.#pathOf(path, options) },
            protocol: 'tcp',
            headers: headersOf(options),
            body: options.body === undefined ? '' : JSON.stringify(options.body),
            headersTimeoutMs: 0,
          },
          limited,
        ),
      )
      // Without an upgrade the engine has refused, and says why in the body.
      if (!('socket' in answer)) throw new DockerError(answer.status, messageIn(await readText(answer)))
      const { socket } = answer
      return { socket, [Symbol.asyncIterator]: () => socket[Symbol.asyncIterator]() as AsyncIterator<Buffer> }
    })
  }

  async #answer(method: string, path: string, options: CallOptions, signal: AbortSignal): Promise<HttpResponse> {
    const { body } = options
    const response = await this.#reached(signal, () =>
      httpRequest(
        {
          method,
          url: { socketPath: this.socketPath, path: this.#pathOf(path, options) },
          headers: headersOf(options),
          body: body === undefined || body instanceof Readable ? body : JSON.stringify(body),
          headersTimeoutMs: 0,
        },
        signal,
      ),
    )
    if (response.status < 400) return response
    throw new DockerError(response.status, messageIn(await readText(response)))
  }

  async #reached<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (signal.aborted) throw error
      const reason = (error as Error).message
      throw new DockerError(0, `cannot reach the container runtime: ${reason}`, { cause: error })
    }
  }

  /** The work is aborted when the time is up or when the signal aborts; no timer outlives the call. */
  async #inTime<T>(
    { body, lastsMs = body instanceof Readable ? Infinity : 0 }: CallOptions,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const timeoutMs = this.#timeoutMs + lastsMs
    const limit = new AbortController()
    const late = new DockerError(0, `the container runtime did not answer within ${timeoutMs / 1000}s`)
    const timer = timeoutMs === Infinity ? undefined : this.#clock.setTimeout(() => limit.abort(late), timeoutMs)
    try {
      return await work(signal ? AbortSignal.any([signal, limit.signal]) : limit.signal)
    } catch (error) {
      if (limit.signal.aborted && !signal?.aborted) throw late
      throw error
    } finally {
      this.#clock.clear(timer)
    }
  }

  #pathOf(path: string, { query = {} }: CallOptions): string {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value))
    }
    return `${this.#prefix}${path}${search.size > 0 ? `?${search}` : ''}`
  }
}

function headersOf({ body, headers = {} }: CallOptions): OutgoingHttpHeaders {
  const type = body instanceof Readable ? 'application/x-tar' : 'application/json'
  return { host: 'docker', ...(body === undefined ? {} : { 'content-type': type }), ...headers }
}

/** The engine's own words. */
function messageIn(text: string): string {
  if (!text.startsWith('{')) return text.trim()
  return (JSON.parse(text) as { message?: string }).message ?? text
}

async function* parseEvents(body: Readable, signal: AbortSignal): AsyncIterable<EngineEvent> {
  try {
    for await (const line of readLines(body)) yield JSON.parse(line) as EngineEvent
  } catch (error) {
    // Ending the subscription is how its reader stops.
    if (!signal.aborted) throw error
  }
}
