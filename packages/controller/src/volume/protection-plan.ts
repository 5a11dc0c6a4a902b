/**
 * A finalizer that protects while something is in use: everything that is not being deleted carries it, and what is
 * being deleted loses it as soon as nobody uses it any more. planProtection is pure.
 */

import type { Resource } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ReconcileContext } from '@dinghy/shared/reconcile/controller'

export interface ProtectionStep {
  finalizers: string[]
  /** Only to be taken if the object is not in use. */
  isRemoval: boolean
}

export function planProtection({ metadata }: KubernetesObject, finalizer: string): ProtectionStep | undefined {
  const { finalizers = [], deletionTimestamp } = metadata
  const isHeld = finalizers.includes(finalizer)
  if (deletionTimestamp === undefined) {
    return isHeld ? undefined : { finalizers: [...finalizers, finalizer], isRemoval: false }
  }
  return isHeld ? { finalizers: finalizers.filter((one) => one !== finalizer), isRemoval: true } : undefined
}

/** Based on the revision that was looked at: somebody else's finalizer is never lost. */
export async function setFinalizers<T extends KubernetesObject>(
  resource: Resource<T>,
  object: T,
  finalizers: string[],
  { client, signal }: Pick<ReconcileContext, 'client' | 'signal'>,
): Promise<void> {
  await client.update(resource, { ...object, metadata: { ...object.metadata, finalizers } }, {}, signal)
}
