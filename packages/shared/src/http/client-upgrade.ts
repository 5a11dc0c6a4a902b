/**
 * The client's side of leaving HTTP: `Upgrade: tcp` (Docker's hijack), `websocket`, `SPDY/3.1`. After the peer's 101
 * the connection is the caller's.
 *
 * Callers may rely on: the request goes out on a connection of its own; bytes that came together with the 101 are not
 * lost; a refusal is an answer, not an error; aborting the signal ends the request or, later, destroys the connection.
 */

import type { IncomingHttpHeaders } from 'node:http'
import { PassThrough, type Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import {
  type ConnectionOptions,
  createPool,
  definedHeaders,
  type HttpResponse,
  orAborted,
  resolveTarget,
  rethrown,
} from './client.ts'

export interface UpgradeRequest extends ConnectionOptions {
  method: string
  /** What the connection is to speak: the value of the Upgrade header. */
  protocol: string
  body?: Buffer | string | undefined
}

export interface Upgraded {
  status: 101
  headers: IncomingHttpHeaders
  socket: Duplex
}

/** Resolves with the connection (`'socket' in answer`), or with the answer of a peer that refused. */
export async function httpUpgrade(options: UpgradeRequest, signal?: AbortSignal): Promise<Upgraded | HttpResponse> {
  const { method, url, protocol, headers, body, tls, headersTimeoutMs = 60_000 } = options
  const { origin, path, socketPath } = resolveTarget(url)
  try {
    const answer = new Promise<Upgraded | HttpResponse>((resolve, reject) => {
      createPool(origin, socketPath, tls).dispatch(
        {
          method,
          path,
          upgrade: protocol,
          headersTimeout: headersTimeoutMs,
          bodyTimeout: 0,
          ...(headers ? { headers: definedHeaders(headers) } : {}),
          ...(body === undefined ? {} : { body }),
        },
        new UpgradeHandler(resolve, reject, signal),
      )
    })
    return await orAborted(answer, signal)
  } catch (error) {
    return rethrown(error)
  }
}

class UpgradeHandler implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: Upgraded | HttpResponse) => void
  readonly #reject: (error: Error) => void
  readonly #signal: AbortSignal | undefined
  readonly #body = new PassThrough()
  #abort = (): void => undefined

  constructor(
    resolve: (answer: Upgraded | HttpResponse) => void,
    reject: (error: Error) => void,
    signal: AbortSignal | undefined,
  ) {
    this.#resolve = resolve
    this.#reject = reject
    this.#signal = signal
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#abort = () => controller.abort(this.#signal?.reason as Error)
    if (this.#signal?.aborted) this.#abort()
    else this.#signal?.addEventListener('abort', this.#abort, { once: true })
    this.#body.on('drain', () => controller.resume())
  }

  onRequestUpgrade(
    _controller: Dispatcher.DispatchController,
    _status: number,
    headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    const close = () => socket.destroy()
    this.#signal?.addEventListener('abort', close, { once: true })
    socket.once('close', () => this.#signal?.removeEventListener('abort', close))
    // A broken connection also ends whoever reads it; without a listener it would end the process.
    socket.on('error', close)
    this.#resolve({ status: 101, headers, socket })
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#resolve({ status, headers, body: this.#body })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#body.write(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#body.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#body.on('error', () => undefined)
    this.#body.destroy(error)
    this.#reject(error)
  }
}
