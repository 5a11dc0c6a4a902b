/**
 * How stdout and stderr share one connection: frames of an 8-byte header [stream, 0, 0, 0, length as 32-bit big-endian]
 * and that many bytes. With a TTY there is only one stream and it is sent as it is.
 */

export const streamCodes = { stdin: 0, stdout: 1, stderr: 2 } as const
export const frameHeaderBytes = 8

export function frame(stream: keyof typeof streamCodes, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(frameHeaderBytes + payload.length)
  writeFrameHeader(framed, 0, stream, payload.length)
  framed.set(payload, frameHeaderBytes)
  return framed
}

/** The header alone, for a payload that is written into the buffer behind it. */
export function writeFrameHeader(target: Buffer, at: number, stream: keyof typeof streamCodes, length: number): void {
  target.writeUInt32BE(streamCodes[stream] * 0x1000000, at)
  target.writeUInt32BE(length, at + 4)
}

export interface Frame {
  stream: keyof typeof streamCodes
  payload: Buffer
}

/** Takes frames out of a byte stream that arrives in pieces cut anywhere. */
export class FrameReader {
  #rest = Buffer.alloc(0)

  /** The frames that are complete now. Throws on a stream number that does not exist. */
  push(chunk: Uint8Array): Frame[] {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const frames: Frame[] = []
    while (this.#rest.length >= frameHeaderBytes) {
      const length = this.#rest.readUInt32BE(4)
      if (this.#rest.length < frameHeaderBytes + length) break
      const stream = (['stdin', 'stdout', 'stderr'] as const)[this.#rest[0] ?? 0]
      if (stream === undefined) throw new Error(`unrecognized stream: ${this.#rest[0]}`)
      frames.push({ stream, payload: this.#rest.subarray(frameHeaderBytes, frameHeaderBytes + length) })
      this.#rest = this.#rest.subarray(frameHeaderBytes + length)
    }
    return frames
  }
}
