/**
 * Stdcopy: how stdout and stderr share one connection. Each frame is an 8-byte header [stream, 0, 0, 0, length as
 * 32-bit big endian] and that many bytes. With a TTY there is only one stream and it is sent as it is.
 *
 * Follows moby's pkg/stdcopy, including stream 3: an error of the daemon itself, in the middle of the stream.
 */

import type { Readable } from 'node:stream'

const streamCodes = { stdin: 0, stdout: 1, stderr: 2 } as const
export const frameHeaderBytes = 8

export function frame(stream: keyof typeof streamCodes, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(frameHeaderBytes + payload.length)
  writeFrameHeader(new DataView(framed.buffer, framed.byteOffset), 0, stream, payload.length)
  framed.set(payload, frameHeaderBytes)
  return framed
}

/** The header alone, for a payload that is written into the buffer behind it. */
export function writeFrameHeader(target: DataView, at: number, stream: keyof typeof streamCodes, length: number): void {
  target.setUint32(at, streamCodes[stream] * 0x1000000)
  target.setUint32(at + 4, length)
}

export type StreamName = 'stdout' | 'stderr'

export interface StdcopyPiece {
  stream: StreamName
  data: Buffer
}

/**
 * Takes a stream apart that arrives cut anywhere. A frame's payload is handed on as it arrives, without waiting for its
 * end, because a long-running `logs -f` must not hold back what the container has already said.
 */
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
        if (rest.length < frameHeaderBytes) {
          this.#header = rest
          break
        }
        this.#begin(rest)
        rest = rest.subarray(frameHeaderBytes)
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

/** The payloads of a whole stream, as they arrive. */
export async function* demultiplex(source: Readable): AsyncIterable<StdcopyPiece> {
  const parser = new StdcopyParser()
  for await (const chunk of source) yield* parser.push(chunk as Buffer)
}
