/**
 * Header blocks: name/value pairs, compressed with one zlib context for each direction of a connection. The context
 * runs on from block to block, so every block must pass through here exactly once and in order.
 */

import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib'
import { dictionary } from './dictionary.ts'

export type Headers = Record<string, string>

const mostBytes = 16 * 1024

export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary, finishFlush: constants.Z_SYNC_FLUSH })

  /** Throws for a block that no client of Kubernetes sends: inflated it may be a thousand times as large. */
  async read(block: Buffer): Promise<Headers> {
    if (block.length > mostBytes) throw new Error(`a header block of ${block.length} bytes`)
    return decodeHeaders(await through(this.#inflate, block))
  }

  close(): void {
    this.#inflate.destroy()
  }
}

export class HeaderWriter {
  readonly #deflate: Deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH })

  async write(headers: Headers): Promise<Buffer> {
    return await through(this.#deflate, encodeHeaders(headers))
  }

  close(): void {
    this.#deflate.destroy()
  }
}

/** All that comes out of the context for what goes in now. */
function through(zlib: Inflate | Deflate, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const output: Buffer[] = []
    const collect = (chunk: Buffer): unknown => output.push(chunk)
    zlib.on('data', collect)
    zlib.once('error', reject)
    zlib.write(input, (error) => {
      zlib.off('data', collect)
      zlib.off('error', reject)
      if (error) reject(error)
      else resolve(Buffer.concat(output))
    })
  })
}

function encodeHeaders(headers: Headers): Buffer {
  const entries = Object.entries(headers)
  return Buffer.concat([uint32(entries.length), ...entries.flatMap(([name, value]) => [sized(name), sized(value)])])
}

/** Several values of one name are separated by zero bytes; Kubernetes never sends any, so the first is the value. */
function decodeHeaders(block: Buffer): Headers {
  const headers: Headers = {}
  let at = 4
  const next = (): string => {
    const length = block.readUInt32BE(at)
    const text = block.toString('utf8', at + 4, at + 4 + length)
    at += 4 + length
    return text
  }
  for (let left = block.readUInt32BE(0); left > 0; left--) {
    const name = next().toLowerCase()
    headers[name] = next().split('\0')[0] ?? ''
  }
  return headers
}

function sized(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([uint32(bytes.length), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
