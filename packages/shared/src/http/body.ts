/**
 * Reads a request's body whole, up to a limit. Works for upgrade requests, too, whose body node's parser leaves on the
 * connection (POST /exec/{id}/start).
 */

import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { HttpError } from './http-error.ts'
import { type Upgrade, upgradeOf } from './upgrade.ts'

/** Throws HttpError: 413 when the body is larger than that, 400 if the client hangs up half-way. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const length = Number(request.headers['content-length'] ?? 0)
  if (length > maxBytes) throw tooLarge(maxBytes)
  const upgrade = upgradeOf(request)
  return upgrade ? await takeBody(upgrade, length) : await readStream(request, maxBytes)
}

function readStream(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBytes) {
        chunks.push(chunk)
      } else {
        request.pause()
        reject(tooLarge(maxBytes))
      }
    })
    request.once('end', () => {
      const [first] = chunks
      resolve(chunks.length === 1 && first ? first : Buffer.concat(chunks))
    })
    request.once('aborted', () => reject(hungUp()))
    request.once('error', reject)
    if (request.destroyed && !request.readableEnded) reject(hungUp())
  })
}

/** What follows the body stays on the connection. */
async function takeBody(upgrade: Upgrade, length: number): Promise<Buffer> {
  let bytes = upgrade.head
  upgrade.head = Buffer.alloc(0)
  while (bytes.length < length) {
    const chunk = upgrade.socket.read() as Buffer | null
    if (chunk === null) await moreOf(upgrade.socket)
    else bytes = Buffer.concat([bytes, chunk])
  }
  upgrade.head = bytes.subarray(length)
  return bytes.subarray(0, length)
}

async function moreOf(socket: Duplex): Promise<void> {
  if (socket.readableEnded || socket.destroyed) throw hungUp()
  const waited = new AbortController()
  const events = ['readable', 'end', 'close'].map((event) => once(socket, event, { signal: waited.signal }))
  try {
    await Promise.race(events)
  } finally {
    waited.abort()
    await Promise.allSettled(events)
  }
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `request body too large: the limit is ${maxBytes} bytes`, { connection: 'close' })
}

function hungUp(): HttpError {
  return new HttpError(400, 'the client hung up before the body was complete')
}
