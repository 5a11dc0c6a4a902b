/**
 * The opaque bookmark between two pages of a list: which revision the list shows and after which key to go on.
 *
 * The key is kept without the list's own prefix, so that a token cannot lead out of the namespace it was given for.
 */

import { badRequest } from '@dinghy/shared/api/errors'

export interface Bookmark {
  /** Undefined: whatever is the present when the next page is asked for. */
  revision: number | undefined
  after: string
}

/** Upstream's mark of a token that gives up consistency. */
const present = -1

export function encodeContinue(bookmark: Bookmark, prefix: string): string {
  const token = { v: 'meta.k8s.io/v1', rv: bookmark.revision ?? present, start: bookmark.after.slice(prefix.length) }
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

export function decodeContinue(text: string, prefix: string): Bookmark {
  const json = Buffer.from(text, 'base64url').toString()
  const [, rv, start] = /^\{"v":"meta\.k8s\.io\/v1","rv":(-1|\d+),"start":"([^"\\]+)"\}$/.exec(json) ?? []
  if (start === undefined) throw badRequest(`continue key is not valid: ${text}`)
  const revision = Number(rv)
  return { revision: revision === present ? undefined : revision, after: prefix + start }
}
