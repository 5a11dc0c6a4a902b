/**
 * Storage speaks of revisions; clients are told in upstream's words.
 */

import { expired, StatusError } from '@dinghy/shared/api/errors'
import { RevisionCompacted, RevisionInFuture } from '../storage/storage.ts'

const tooOld = {
  get: 'The provided resource version is too old.',
  list: 'The resourceVersion for the provided list is too old.',
  watch: 'The resourceVersion for the provided watch is too old.',
} as const

export function expiredWhenCompacted<T>(what: keyof typeof tooOld, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw asStatusError(what, error)
  }
}

const inconsistent =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'

/** The same for a page after the first: `token` goes on from there in the present. */
export function continuableWhenCompacted<T>(token: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof RevisionCompacted) throw expired(inconsistent, { continue: token })
    throw asStatusError('list', error)
  }
}

export function asStatusError(what: keyof typeof tooOld, error: unknown): unknown {
  if (error instanceof RevisionCompacted) return expired(tooOld[what])
  // A watcher from the future remembers another database. Upstream would let it wait; told to list anew, it recovers.
  if (error instanceof RevisionInFuture && what === 'watch') return expired(tooOld[what])
  if (error instanceof RevisionInFuture) return tooLargeResourceVersion(error.revision, error.current)
  return error
}

/** Upstream's answer when a cache has not caught up within its patience; client-go knows to try again. */
export function tooLargeResourceVersion(wanted: number, current: number): StatusError {
  const message = 'Too large resource version'
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `Timeout: ${message}: ${wanted}, current: ${current}`,
    reason: 'Timeout',
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message }], retryAfterSeconds: 1 },
    code: 504,
  })
}
