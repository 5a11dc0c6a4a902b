/** Requests about things that may be gone. */

import { hasReason } from '@dinghy/shared/api/errors'

/**
 * "Not there" is an answer, not a failure: what was to be deleted is gone already, what was asked for does not exist.
 */
export async function ifPresent<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined
    throw error
  }
}
