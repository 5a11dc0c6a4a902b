/** What the loops that put something into every namespace have to know of it. Pure. */

import { hasReason } from '@dinghy/shared/api/errors'

/** In a namespace that is being deleted nothing may be created. */
export function isActive(namespace: { metadata: { deletionTimestamp?: string } } | undefined): boolean {
  return namespace !== undefined && namespace.metadata.deletionTimestamp === undefined
}

/** Someone else was quicker, or the namespace has begun to go: nothing is left to do. */
export function isSettled(error: unknown): boolean {
  if (hasReason(error, 'AlreadyExists', 'NotFound')) return true
  return hasReason(error, 'Forbidden') && error.message.includes('being terminated')
}
