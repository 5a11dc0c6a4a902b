/** Carrying out what revision-history.ts decides; shared by the DaemonSet and the StatefulSet controller. */

import { hasReason } from '@dinghy/shared/api/errors'
import { isControlledBy } from '@dinghy/shared/api/owners'
import { ControllerRevisions, type Resource } from '@dinghy/shared/api/resources'
import type { ControllerRevision, Draft } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { ifPresent } from '../children/if-present.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import { planRevision, type Versioned } from './revision-history.ts'

/** Sees to it that the owner's present template has a revision, and returns that revision. */
export async function syncRevision<T extends Versioned>(
  client: ApiClient,
  resource: Resource<T>,
  owner: T,
  history: ControllerRevision[],
  signal: AbortSignal,
): Promise<ControllerRevision> {
  const step = planRevision(owner, resource, history)
  if (step.do === 'nothing') return step.revision
  if (step.do === 'renumber') return await client.update(ControllerRevisions, step.revision, {}, signal)
  try {
    return await client.create(ControllerRevisions, step.revision, {}, signal)
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists')) throw error
    return await useExisting(client, resource, owner, step.revision, signal)
  }
}

/** Our own, which the cache did not show yet; or a stranger's, and then we need another name. */
async function useExisting<T extends Versioned>(
  client: ApiClient,
  resource: Resource<T>,
  owner: T,
  draft: Draft<ControllerRevision>,
  signal: AbortSignal,
): Promise<ControllerRevision> {
  const ref = { namespace: owner.metadata.namespace, name: draft.metadata.name ?? '' }
  const existing = await client.get(ControllerRevisions, ref, {}, signal)
  if (isControlledBy(existing, owner) && isSemanticallyEqual(existing.data, draft.data)) return existing
  const collisionCount = (owner.status.collisionCount ?? 0) + 1
  const status = { ...owner.status, collisionCount }
  await client.update(resource, { ...owner, status }, { subresource: 'status' }, signal)
  throw new Error(
    `the name ${ref.name} is taken by another ControllerRevision; trying collision count ${collisionCount}`,
  )
}

export async function removeRevisions(
  client: ApiClient,
  revisions: ControllerRevision[],
  signal: AbortSignal,
): Promise<void> {
  for (const { metadata } of revisions) {
    const { namespace, name, uid } = metadata
    // Someone may have been quicker.
    await ifPresent(client.delete(ControllerRevisions, { namespace, name }, { preconditions: { uid } }, signal))
  }
}
