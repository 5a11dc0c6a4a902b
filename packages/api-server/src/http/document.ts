/**
 * Documents that change only with the set of resources: made once, told apart by a hash, and not sent again to who has
 * them (ETag).
 */

import { createHash } from 'node:crypto'
import type { Exchange } from './exchange.ts'
import type { Reply } from './reply.ts'

/** Remembers what `make` returned until the set that it was made of changes. */
export function perGeneration<T>(of: { readonly generation: number }, make: () => T): () => T {
  let made: { generation: number; value: T } | undefined
  return () => {
    if (made?.generation !== of.generation) made = { generation: of.generation, value: make() }
    return made.value
  }
}

export function hashOf(body: Buffer | string): string {
  return createHash('sha256').update(body).digest('hex').slice(0, 32).toUpperCase()
}

/** The document, or 304 if the client has it. */
export function documentReply(
  { request }: Exchange,
  body: Buffer | string,
  contentType: string,
  headers: Record<string, string> = {},
): Reply {
  const etag = `"${hashOf(body)}"`
  const has = (request.headers['if-none-match'] ?? '').split(',').some((one) => one.trim() === etag)
  return has
    ? { code: 304, contentType, body: '', headers: { etag, vary: 'Accept', ...headers } }
    : { code: 200, contentType, body, headers: { etag, vary: 'Accept', ...headers } }
}
