/**
 * Writing an object's status. Whoever computes a status starts from the one that is there (`{ ...present, ours }`), so
 * that what others have written beside it stays; a field of ours that has nothing to say is set to undefined, which
 * takes it away.
 */

import type { Resource } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { isSemanticallyEqual } from './semantic-equal.ts'

/** Go's `omitempty`: a zero count is left out of the object, as clients of the real thing see it. */
export function nonZero(count: number): number | undefined {
  return count === 0 ? undefined : count
}

/**
 * Writes the status if it changed. Returns the object as it is afterwards: the very same one if there was nothing to
 * write.
 */
export async function writeStatus<T extends KubernetesObject & { status: object }>(
  resource: Resource<T>,
  object: T,
  status: T['status'],
  { client, signal }: Pick<ReconcileContext, 'client' | 'signal'>,
): Promise<T> {
  if (isSemanticallyEqual(status, object.status)) return object
  return await client.update(resource, { ...object, status }, { subresource: 'status' }, signal)
}
