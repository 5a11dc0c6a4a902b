/**
 * The frames in which the engine sends a container's output when it has no terminal: eight bytes (1 stdout or 2 stderr,
 * three zeros, the length), then that many bytes. Frames may be cut anywhere between chunks.
 */

import type { Readable } from 'node:stream'

export interface Frame {
  stream: 'stdout' | 'stderr'
  data: Buffer
}

export async function* demultiplex(source: Readable): AsyncIterable<Frame> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of source) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    while (rest.length >= 8) {
      const end = 8 + rest.readUInt32BE(4)
      if (rest.length < end) break
      yield { stream: rest[0] === 2 ? 'stderr' : 'stdout', data: rest.subarray(8, end) }
      rest = rest.subarray(end)
    }
  }
}

/** Copies a framed stream to this process' own stdout and stderr; returns when it ends. */
export async function copyOutput(source: Readable): Promise<void> {
  for await (const { stream, data } of demultiplex(source)) process[stream].write(data)
}
