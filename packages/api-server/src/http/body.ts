/**
 * Reads a request's body whole, up to the limit that upstream sets.
 */

import type { IncomingMessage } from 'node:http'
import { badRequest, requestEntityTooLarge } from '@dinghy/shared/api/errors'

export const maxBodyBytes = 3 * 1024 * 1024

/** Throws RequestEntityTooLarge, or BadRequest if the client hangs up half-way. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = () => reject(requestEntityTooLarge(`limit is ${maxBodyBytes}`))
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return tooLarge()
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBodyBytes) chunks.push(chunk)
      else {
        request.pause()
        tooLarge()
      }
    })
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    request.on('aborted', () => reject(badRequest('the client hung up before the body was complete')))
    request.on('error', reject)
  })
}
