/**
 * The body of an answer that is made of lines, some now and some later, for hundreds of clients at once.
 *
 * It writes itself: what it is given in one go becomes one chunk of HTTP's chunked encoding in one buffer, on the
 * connection itself. Node's own response.write() makes three buffers of it, which costs twice as much over TLS. It
 * goes on only when the client has read.
 */

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

export function eventStream(lines: AsyncIterable<Buffer[]>): Readable {
  return new EventStream(lines)
}

class EventStream extends Readable {
  readonly #lines: AsyncIterable<Buffer[]>

  constructor(lines: AsyncIterable<Buffer[]>) {
    super()
    this.#lines = lines
  }

  override _read(): void {}

  /** The one who pipes is Fastify, into the response. */
  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    this.#writeTo(destination as unknown as ServerResponse).catch((error: Error) => this.destroy(error))
    return destination
  }

  async #writeTo(response: ServerResponse): Promise<void> {
    response.flushHeaders()
    for await (const lines of this.#lines) {
      const full = write(response, lines)
      if (full) await drained(full)
    }
    response.end()
    // Whoever waits for the end of this stream hears of it.
    this.push(null)
    this.resume()
  }
}

type Full = NodeJS.EventEmitter & { readonly destroyed: boolean }

/** What has to drain before more is written, if it has to. */
function write(response: ServerResponse, lines: Buffer[]): Full | undefined {
  const { socket, chunkedEncoding } = response
  // An answer that waits for one before it has no connection yet; a client of HTTP/1.0 knows no chunks.
  if (!socket || !chunkedEncoding) return response.write(Buffer.concat(lines)) ? undefined : response
  const size = lines.reduce((sum, { length }) => sum + length, 0)
  const chunk = Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), ...lines, lineEnd])
  return socket.write(chunk) ? undefined : socket
}

const lineEnd = Buffer.from('\r\n')

/** Or closed: then the events end, too. */
async function drained(full: Full): Promise<void> {
  if (full.destroyed) return
  const waited = new AbortController()
  try {
    await Promise.race(['drain', 'close'].map((event) => once(full, event, { signal: waited.signal })))
  } finally {
    waited.abort()
  }
}
