/**
 * Stdcopy: how Docker puts two streams into one. Each frame is [1|2, 0, 0, 0, length as 32-bit big endian] and then
 * that many bytes; 1 is stdout, 2 is stderr. Frames arrive cut anywhere, so this parser keeps what is left over.
 *
 * Pure: feed it chunks, get whole pieces of payload. A frame's payload is handed on as it arrives, without waiting for
 * its end, because a long-running `logs -f` must not hold back what the container has already said.
 * Follows moby's pkg/stdcopy, including stream 3: an error of the daemon itself, in the middle of the stream.
 */

export type StreamName = 'stdout' | 'stderr'

export interface StdcopyPiece {
  stream: StreamName
  data: Buffer
}

const headerLength = 8

export class StdcopyParser {
  /** The bytes of a header that has not arrived completely. */
  #header: Buffer = Buffer.alloc(0)
  #stream: StreamName = 'stdout'
  #missing = 0
  /** Collects the text of a stream-3 frame until it is complete. */
  #daemonError: Buffer[] | undefined

  /** Throws Error with the daemon's message when the stream carries one, or when it is not stdcopy at all. */
  push(chunk: Buffer): StdcopyPiece[] {
    const pieces: StdcopyPiece[] = []
    let rest = this.#header.length > 0 ? Buffer.concat([this.#header, chunk]) : chunk
    this.#header = Buffer.alloc(0)
    while (rest.length > 0) {
      if (this.#missing === 0) {
        if (rest.length < headerLength) {
          this.#header = rest
          break
        }
        this.#begin(rest)
        rest = rest.subarray(headerLength)
        if (this.#missing === 0) this.#end()
        continue
      }
      const data = rest.subarray(0, this.#missing)
      rest = rest.subarray(data.length)
      this.#missing -= data.length
      if (this.#daemonError) this.#daemonError.push(data)
      else pieces.push({ stream: this.#stream, data })
      if (this.#missing === 0) this.#end()
    }
    return pieces
  }

  #begin(header: Buffer): void {
    const kind = header[0]
    if (kind === undefined || kind > 3) throw new Error(`not a stdcopy stream: unrecognized stream ${kind}`)
    this.#missing = header.readUInt32BE(4)
    this.#stream = kind === 2 ? 'stderr' : 'stdout'
    this.#daemonError = kind === 3 ? [] : undefined
  }

  #end(): void {
    if (!this.#daemonError) return
    throw new Error(`error from daemon in stream: ${Buffer.concat(this.#daemonError).toString('utf8')}`)
  }
}

/** The inverse, for whoever plays the engine. */
export function stdcopyFrame(stream: StreamName, data: Buffer): Buffer {
  const header = Buffer.alloc(headerLength)
  header[0] = stream === 'stdout' ? 1 : 2
  header.writeUInt32BE(data.length, 4)
  return Buffer.concat([header, data])
}
