// The frames in which the engine sends a container's output when it has no terminal: eight bytes (1 stdout or 2 stderr,
// three zeros, the length), then that many bytes. Frames may be cut anywhere between chunks.

import type { Readable } from 'node:stream'

/** Copies a framed stream to this process' own stdout and stderr; returns when it ends. */
export async function copyOutput(source: Readable): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of source) {
    rest = Buffer.concat([rest, chunk as Buffer])
    while (rest.length >= 8) {
      const length = rest.readUInt32BE(4)
      if (rest.length < 8 + length) break
      const target = rest[0] === 2 ? process.stderr : process.stdout
      target.write(rest.subarray(8, 8 + length))
      rest = rest.subarray(8 + length)
    }
  }
}
